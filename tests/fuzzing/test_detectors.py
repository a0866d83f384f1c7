"""Cascades and networks that a user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.detectors import haar, open_detector
from fer_edge.errors import FerError
from mutating import damaged


def test_damaged_cascades(readers: Any, search: Any) -> None:
    whole = (haar.cascade_folder() / "haarcascade_smile.xml").read_bytes()
    assert readers.judge("haar", whole, "c.xml")["told"] == "ok"
    search(damaged((whole,), places=(range(3_000),), text=True), lambda case: readers.judge("haar", case, "c.xml"), 8)


def test_damaged_networks(readers: Any, search: Any, shared_data: Callable[[str], Path]) -> None:
    whole = shared_data("detectors/face_detection_yunet_2023mar.onnx").read_bytes()
    assert readers.judge("yunet", whole)["told"] == "ok"
    search(damaged((whole,), places=(range(3_000), range(-20_000, 0))), lambda case: readers.judge("yunet", case), 8)


def test_a_file_that_crashes_opencv_is_told_in_a_line(tmp_path: Path) -> None:
    # A feature's number that no feature has; OpenCV looks it up unchecked.
    text = (haar.cascade_folder() / "haarcascade_smile.xml").read_text()
    first = text.index("<internalNodes>")
    head, tail = text[:first], text[first:]
    path = tmp_path / "crash.xml"
    path.write_text(head + tail.replace("0 -1 0 ", "0 -1 2147483000 ", 1))
    with pytest.raises(FerError, match=r"makes OpenCV crash \(SIG(SEGV|ABRT|BUS)\)"):
        open_detector(f"haar:{path}")
