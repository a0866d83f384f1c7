from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from fer_edge.box import Box
from fer_edge.detectors import Detector, open_detector
from fer_edge.errors import FerError, UsageError
from fer_edge.images import read_gray


@pytest.fixture
def yunet(shared_data: Callable[[str], Path]) -> Detector:
    if cv2.__version__.startswith("4.6."):
        pytest.skip("OpenCV 4.6, Bookworm's, does not read the network")
    return open_detector(f"yunet:{shared_data('detectors/face_detection_yunet_2023mar.onnx')}")


@pytest.mark.parametrize(
    ("photo", "faces"),
    [("skimage_astronaut.png", 1), ("obama.jpg", 1), ("pyfeat_multi_face.jpg", 5), ("no_face_cat.jpg", 0)],
)
def test_yunet_finds_the_people(photo: str, faces: int, yunet: Detector, shared_data: Callable[[str], Path]) -> None:
    gray = read_gray(shared_data(f"photos/{photo}"))
    found = yunet.detect(gray)
    assert len(found) == faces
    cascade = open_detector("haar").detect(gray)
    # Its squares are about where the cascade has its own.
    assert all(max(one.overlap(box) for box in found) > 0.5 for one in cascade)
    for box in found:
        followed = yunet.follow(gray, box)
        assert followed is not None
        assert followed.overlap(box) > 0.7


def test_yunet_follows_a_face_to_where_it_is_gone(yunet: Detector, shared_data: Callable[[str], Path]) -> None:
    gray = read_gray(shared_data("photos/skimage_astronaut.png"))
    (box,) = yunet.detect(gray)
    assert yunet.follow(np.full_like(gray, 128), box) is None
    assert yunet.follow(gray, Box(900, 900, 50, 50)) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (300, 5), (31, 33), (1000, 40)])
def test_pictures_of_any_shape(shape: tuple[int, int], yunet: Detector) -> None:
    assert yunet.detect(np.full(shape, 128, np.uint8)) == []


def test_boxes_stay_within_the_picture(yunet: Detector, shared_data: Callable[[str], Path]) -> None:
    gray = read_gray(shared_data("photos/skimage_astronaut.png"))[80:180, 185:265]
    for width in (60, 117, 321, 800):
        rows = round(width * 1.25)
        for box in yunet.detect(np.asarray(cv2.resize(gray, (width, rows)), np.uint8)):
            assert min(box.x, box.y) >= 0
            assert box.x + box.width <= width
            assert box.y + box.height <= rows


def test_without_a_search_the_frame_is_the_face() -> None:
    detector, gray = open_detector("none"), np.zeros((40, 60), np.uint8)
    assert detector.detect(gray) == [Box(0, 0, 60, 40)]
    assert detector.follow(gray, Box(1, 2, 3, 4)) == Box(0, 0, 60, 40)


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [
        ("psychic", UsageError, "no detector is called 'psychic'; there are haar, none, yunet"),
        ("none:x", UsageError, "the detector none takes nothing: leave out 'x'"),
        ("yunet", UsageError, "the detector yunet needs its network: give yunet:face_detection_yunet_2023mar.onnx"),
        ("yunet:absent.onnx", FerError, "cannot read detector absent.onnx: No such file or directory"),
        ("yunet:{text}", FerError, "{text} is not a YuNet network that OpenCV "),
        ("haar:{text}", FerError, "{text} is not a cascade file (XML) that OpenCV "),
    ],
)
def test_what_is_no_detector_is_told(spec: str, error: type[FerError], reason: str, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no network")
    with pytest.raises(error) as raised:
        open_detector(spec.format(text=text))
    assert str(raised.value).startswith(reason.format(text=text))
    assert "\n" not in str(raised.value)


def test_an_opencv_that_reads_networks_from_files_alone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_arguments: object) -> None:
        raise TypeError("Can't convert object")

    monkeypatch.setattr(cv2, "FaceDetectorYN", SimpleNamespace(create=create))
    network = tmp_path / "network.onnx"
    network.write_bytes(b"network")
    with pytest.raises(FerError, match=r"OpenCV 4\.8 or newer$"):
        open_detector(f"yunet:{network}")
