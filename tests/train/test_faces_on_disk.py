from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.box import Box
from fer_edge.errors import DataError
from fer_train import datasets
from fer_train.datasets import Dataset, Split, defects, faces_on_disk
from fer_train.datasets.faces_on_disk import FacesOnDisk, Gathering, Look, Place

SIDE = 300
PIXELS = SIDE * SIDE


def picture(number: int, shape: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    small = np.random.default_rng(number).integers(0, 256, (6, 6), np.uint8)
    return np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give folders of two classes with 60 pictures of 90,000 pixels, some twice, one leaked, one blank."""
    path = tmp_path_factory.mktemp("large") / "faces"
    for split, first, number in (("train", 0, 20), ("test", 100, 10)):
        for offset, label in ((0, "happy"), (1000, "sad")):
            folder = path / split / label
            folder.mkdir(parents=True)
            for index in range(number):
                cv2.imwrite(str(folder / f"{index:02}.png"), picture(first + offset + index))
    shutil.copy(path / "train/happy/03.png", path / "train/happy/07.png")
    shutil.copy(path / "train/happy/03.png", path / "train/sad/08.png")
    shutil.copy(path / "train/sad/05.png", path / "test/sad/05.png")
    cv2.imwrite(str(path / "train/sad/19.png"), np.zeros((250, SIDE), np.uint8))
    return path


BOTH = ("happy", "sad")


@pytest.fixture(scope="module")
def in_memory(large: Path) -> Dataset:
    return datasets.load(large, labels=BOTH)


@pytest.fixture(scope="module")
def on_disk(large: Path) -> Dataset:
    return datasets.load(large, labels=BOTH, memory=10 * PIXELS)


def test_what_does_not_fit_stays_on_disk(large: Path, in_memory: Dataset, on_disk: Dataset) -> None:
    assert [split.on_disk for split in in_memory.splits.values()] == [False, False]
    assert [split.on_disk for split in on_disk.splits.values()] == [True, True]
    # 59 pictures of 300 x 300 and one of 250 x 300.
    fits = 59 * PIXELS + 250 * SIDE
    assert not datasets.load(large, labels=BOTH, memory=fits).splits["train"].on_disk
    assert datasets.load(large, labels=BOTH, memory=fits - 1).splits["train"].on_disk


def test_both_are_the_same_data(in_memory: Dataset, on_disk: Dataset) -> None:
    assert on_disk.fingerprint() == in_memory.fingerprint()
    assert on_disk.counts() == in_memory.counts()
    assert on_disk.face_size() == in_memory.face_size() == SIDE
    found = defects.find(on_disk)
    assert found == defects.find(in_memory)
    assert (found.duplicate_images, found.conflicting_images, found.blank, found.leaked) == (5, 3, 1, {"test": 1})
    assert np.flatnonzero(defects.leaked(on_disk, "test")).tolist() == [15]
    clean = defects.without_leaks(on_disk)
    assert clean.splits["train"].on_disk
    assert clean.fingerprint() == defects.without_leaks(in_memory).fingerprint()
    swapped = on_disk.subset(("sad", "happy"))
    assert swapped.splits["test"].on_disk
    assert swapped.fingerprint() == in_memory.subset(("sad", "happy")).fingerprint()


def test_a_split_is_made_on_disk_as_in_memory(large: Path) -> None:
    few, all_of_it = (datasets.load(large / "train", labels=BOTH, memory=memory) for memory in (0, datasets.MEMORY))
    assert [split.on_disk for split in few.splits.values()] == [True, True]
    assert few.fingerprint() == all_of_it.fingerprint()


def test_memory_stays_bounded(large: Path) -> None:
    def peak(memory: int) -> int:
        tracemalloc.start()
        data = datasets.load(large, labels=BOTH, drop_duplicates=True, memory=memory)
        data.fingerprint()
        defects.find(data)
        data.face_size()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(datasets.MEMORY) > 59 * PIXELS
    # What is kept at first, and what one picture takes while it is decoded, hashed and compared.
    assert peak(10 * PIXELS) < 18 * PIXELS
    assert peak(0) < 8 * PIXELS


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the files that are decoded after reading."""
    names: list[str] = []
    read = faces_on_disk.read_gray

    def counting(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        names.append(path.name)
        return np.asarray(read(path), np.uint8)

    monkeypatch.setattr(faces_on_disk, "read_gray", counting)
    return names


def test_nothing_is_decoded_without_need(large: Path, decoded: list[str]) -> None:
    data = datasets.load(large, labels=BOTH, drop_duplicates=True, memory=0)
    defects.find(data)
    defects.leaked(data, "test")
    data.face_size()
    part = data.splits["train"].take(np.array([4, 2])).faces[:1]
    assert (decoded, len(part)) == ([], 1)
    assert part[0].shape == (SIDE, SIDE)
    assert decoded == ["04.png"]
    decoded.clear()
    data.fingerprint()
    assert len(decoded) == sum(map(len, data.splits.values())) == 59


def faces(path: Path, *places: Place) -> FacesOnDisk:
    cv2.imwrite(str(path), picture(1, (60, 90)))
    return FacesOnDisk(places, (Look.at(place.cut(picture(1, (60, 90)))) for place in places))


def test_a_photo_is_decoded_once_for_all_its_faces(tmp_path: Path, decoded: list[str]) -> None:
    path = tmp_path / "photo.png"
    boxes = [Box(0, 0, 20, 30), Box(50, 20, 40, 40), Box(10, 10, 30, 30)]
    found = faces(path, *(Place(path, box, 0.1) for box in boxes))
    photo = picture(1, (60, 90))
    for face, wanted in zip(found, (photo[0:33, 0:22], photo[16:60, 46:90], photo[7:43, 7:43]), strict=True):
        np.testing.assert_array_equal(face, wanted)
        # No view on the photo, which would keep all of it.
        assert face.base is None
    assert decoded == ["photo.png"]


def test_it_is_a_sequence(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    found = faces(path, Place(path), Place(path, Box(5, 5, 10, 10)), Place(path, Box(9, 9, 30, 20)))
    assert [face.shape for face in found] == [(60, 90), (10, 10), (20, 30)]
    assert found[-1].shape == (20, 30)
    assert [face.shape for face in found[1:]] == [(10, 10), (20, 30)]
    assert [face.shape for face in found.take(np.array([2, 0]))] == [(20, 30), (60, 90)]
    assert [face.shape for face in reversed(found)] == [(20, 30), (10, 10), (60, 90)]
    with pytest.raises(IndexError):
        found[3]
    split = Split(found, np.array([0, 1, 2]))
    assert split.on_disk
    assert [look.shape for look in split.looks] == [(60, 90), (10, 10), (20, 30)]


def gone(path: Path) -> None:
    path.unlink()


def broken(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def another(path: Path) -> None:
    cv2.imwrite(str(path), picture(2, (60, 90)))


def smaller(path: Path) -> None:
    cv2.imwrite(str(path), picture(1, (20, 30)))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (gone, "cannot read image {}: No such file or directory"),
        (broken, "{} is not an image that can be decoded, or is cut off"),
        (another, "{} has changed since it was read: start again"),
        (smaller, "{} has changed since it was read: Box(x=50, y=20, width=40, height=40) lies outside the picture of"),
    ],
)
def test_files_that_changed_since_are_told(damage: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    found = faces(path, Place(path, Box(50, 20, 40, 40)))
    damage(path)
    with pytest.raises(DataError) as caught:
        found[0]
    assert str(caught.value).startswith(reason.format(path))


@pytest.mark.parametrize("memory", [0, 5, 12, 24])
def test_gathering_loses_nothing(memory: int, tmp_path: Path) -> None:
    gathered = Gathering(memory)
    pictures = [picture(number, (2, 3)) for number in range(4)]
    for number, face in enumerate(pictures):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), face)
        gathered.add(Place(path), face)
    found = gathered.faces()
    assert isinstance(found, FacesOnDisk) == (memory < 24)
    assert len(found) == len(gathered) == 4
    for face, want in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(face, want)
