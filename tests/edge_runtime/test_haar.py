from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.detectors import haar, open_detector
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import FerError
from fer_edge.images import read_gray
from fer_edge.settings.detectors import HaarSettings

# Where the astronaut's face is, by eye.
ASTRONAUT = Box(170, 70, 110, 130)


def test_the_astronaut_is_found(shared_data: Callable[[str], Path]) -> None:
    boxes = open_detector("haar").detect(read_gray(shared_data("photos/skimage_astronaut.png")))
    assert len(boxes) == 1
    assert boxes[0].overlap(ASTRONAUT) > 0.5
    assert all(isinstance(value, int) for value in boxes[0])


def test_a_large_picture_is_reduced_and_its_boxes_are_scaled_back(shared_data: Callable[[str], Path]) -> None:
    gray = read_gray(shared_data("photos/skimage_astronaut.png"))
    large = np.asarray(cv2.resize(gray, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    boxes = open_detector("haar").detect(large)
    assert len(boxes) == 1
    assert boxes[0].overlap(Box(*(4 * value for value in ASTRONAUT))) > 0.5


def test_the_people_of_a_photograph(shared_data: Callable[[str], Path]) -> None:
    gray = read_gray(shared_data("photos/pyfeat_multi_face.jpg"))
    boxes = open_detector("haar").detect(gray)
    assert 4 <= len(boxes) <= 5
    assert all(one.overlap(other) < 0.3 for one in boxes for other in boxes if one is not other)


def test_a_cat_is_nobody(shared_data: Callable[[str], Path]) -> None:
    assert open_detector("haar").detect(read_gray(shared_data("photos/no_face_cat.jpg"))) == []


@pytest.mark.parametrize("width", [37, 101, 333, 641, 999])
@pytest.mark.parametrize("corner", [(60, 160), (70, 170), (75, 175)])
def test_boxes_stay_within_the_picture(shared_data: Callable[[str], Path], width: int, corner: tuple[int, int]) -> None:
    # Cut close to the face and odd in size, so that rounding has something to push over the border.
    face = read_gray(shared_data("photos/skimage_astronaut.png"))[corner[0] : 205, corner[1] : 290]
    gray = np.asarray(cv2.resize(face, (width, round(width * 1.15))), np.uint8)
    detector = HaarDetector(HaarSettings(working_width=100, neighbors=0, smallest=0.5))
    boxes = detector.detect(gray)
    assert boxes
    rows, columns = gray.shape
    for box in boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.width > 0
        assert box.height > 0
        assert box.x + box.width <= columns
        assert box.y + box.height <= rows


def test_rounding_does_not_push_a_box_over_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        def load(self, _path: str) -> bool:
            return True

        def detectMultiScale(self, gray: npt.NDArray[np.uint8], **_: object) -> list[list[int]]:  # noqa: N802
            assert gray.shape == (31, 100)
            return [[10, 5, 90, 26]]

    # Reduced by 3.35, its right and lower borders would come back as 336 and 104.
    monkeypatch.setattr(cv2, "CascadeClassifier", Fake)
    detector = HaarDetector(HaarSettings(working_width=100))
    assert detector.detect(np.zeros((103, 335), np.uint8)) == [Box(34, 17, 301, 86)]


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (23, 23), (1, 2000), (3000, 4), (2, 100_000)])
def test_pictures_too_small_for_a_face(shape: tuple[int, int]) -> None:
    assert open_detector("haar").detect(np.full(shape, 128, np.uint8)) == []


@pytest.mark.parametrize(
    "content", ["", "hello", "{}", "<?xml version='1.0'?><opencv_storage></opencv_storage>", "<?xml"]
)
def test_a_file_that_is_no_cascade(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cascade.xml"
    path.write_text(content)
    with pytest.raises(FerError) as caught:
        HaarDetector(HaarSettings(cascade=str(path)))
    assert str(caught.value).startswith(f"{path} is not a cascade file (XML) that OpenCV {cv2.__version__} reads")
    assert "\n" not in str(caught.value)


def test_a_cascade_that_is_not_there() -> None:
    told = (
        r"^no cascade mine\.xml, nor .*mine\.xml; OpenCV has cascades up to version 4, "
        r"Debian's are in the package opencv-data$"
    )
    with pytest.raises(FerError, match=told):
        HaarDetector(HaarSettings(cascade="mine.xml"))


def test_debians_opencv_has_no_cascades_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(haar.cascade_folder() / HaarSettings().cascade, tmp_path)
    monkeypatch.setattr(haar, "_DEBIAN", tmp_path)
    monkeypatch.delattr(cv2, "data", raising=False)
    assert haar.cascade_folder() == tmp_path
    assert open_detector("haar").detect(np.zeros((100, 100), np.uint8)) == []
    (tmp_path / HaarSettings().cascade).unlink()
    with pytest.raises(FerError, match=r"package opencv-data$"):
        open_detector("haar")


def test_a_cascade_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "haarcascade_frontalface_alt2.xml"
    (tmp_path / "mine.xml").write_bytes((haar.cascade_folder() / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert open_detector("haar:mine.xml").detect(np.zeros((100, 100), np.uint8)) == []


def test_another_cascade_of_opencv() -> None:
    assert HaarDetector(HaarSettings(cascade="haarcascade_eye.xml")).detect(np.zeros((100, 100), np.uint8)) == []
