from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.errors import CameraLostError, SourceError
from fer_edge.settings.cameras import ReconnectSettings
from fer_edge.sources._reconnecting import ReconnectingSource
from fer_edge.types import Frame

QUICK = ReconnectSettings(give_up_s=60, pause_s=0.01, max_pause_s=0.02)


class Camera:
    """Gives so many frames, then fails; or cannot be opened at all."""

    live = True

    def __init__(self, frames: int | None, name: str = "test", unseen: int = 0) -> None:
        self.name, self.unseen = name, unseen
        self.skipped: list[str] = []
        self.closed = False
        self._frames = frames

    def __enter__(self) -> Self:
        if self._frames is None:
            raise SourceError("no camera test")
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        if self.name == "stubborn":
            raise RuntimeError("cannot be closed")

    def __iter__(self) -> Iterator[Frame]:
        assert self._frames is not None
        for number in range(self._frames):
            # Of each pair of shots one is overwritten.
            index, dropped = 2 * number, number
            yield Frame(index, self.name, self._picture(number), 0, None, 0.0, dropped=dropped)  # type: ignore[arg-type]
        error = SourceError("test failed: it was unplugged")
        # So many were overwritten, or came too late, after the last one that was taken.
        error.dropped = self.unseen + max(0, self._frames - 1)
        raise error

    def _picture(self, number: int) -> npt.NDArray[np.uint8]:
        if self.name == "covered":
            return np.zeros((20, 20), np.uint8)
        return np.random.default_rng(0 if self.name == "frozen" else number).integers(0, 255, (20, 20), np.uint8)


class Witness:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.signs = 0

    def camera_lost(self, reason: str) -> None:
        self.told.append(f"lost: {reason}")

    def camera_found(self, seconds: float) -> None:
        self.told.append("found")

    def still_waiting(self) -> None:
        self.signs += 1


def reconnecting(
    cameras: Sequence[Camera], settings: ReconnectSettings = QUICK, stop: threading.Event | None = None
) -> tuple[ReconnectingSource, Witness]:
    witness, given = Witness(), iter(cameras)
    return ReconnectingSource(lambda: next(given), settings, stop or threading.Event(), witness), witness


def test_numbers_and_drops_go_on() -> None:
    cameras = [Camera(3), Camera(None), Camera(None), Camera(2), Camera(0), Camera(4)]
    source, witness = reconnecting(cameras)
    with source:
        frames = iter(source)
        seen = [next(frames) for _ in range(9)]
    assert [frame.index for frame in seen] == [0, 2, 4, 5, 7, 8, 10, 12, 14]
    assert [frame.dropped for frame in seen] == [0, 1, 2, 2, 3, 3, 4, 5, 6]
    # One that gave no frame was never there.
    assert witness.told == ["lost: test failed: it was unplugged", "found"] * 2
    assert witness.signs >= 5
    assert [camera.closed for camera in cameras] == [True, False, False, True, True, True]


def test_what_nobody_took_before_a_loss_is_counted() -> None:
    source, _ = reconnecting([Camera(2, unseen=3), Camera(0, unseen=1), Camera(1), Camera(1)])
    with source:
        frames = iter(source)
        seen = [next(frames) for _ in range(4)]
    # The number of a frame is that of all that there were before it.
    assert [(frame.index, frame.dropped) for frame in seen] == [(0, 0), (2, 1), (7, 5), (8, 5)]


@pytest.mark.parametrize(("name", "found"), [("test", True), ("frozen", False), ("covered", True)])
def test_only_a_picture_that_changes_is_a_camera(name: str, found: bool) -> None:
    source, witness = reconnecting([Camera(2), *[Camera(5, name) for _ in range(4)]])
    with source:
        frames = iter(source)
        numbers = [next(frames).index for _ in range(20)]
    assert numbers == [0, 2, *(start + 2 * n for start in (3, 12, 21) for n in range(5)), 30, 32, 34]
    told = ["lost: test failed: it was unplugged", "found"]
    assert witness.told == (told * 4 if found else told[:1])


def test_a_camera_that_cannot_be_closed_is_opened_again(capsys: pytest.CaptureFixture[str]) -> None:
    source, witness = reconnecting([Camera(1, "stubborn"), Camera(2, "other")])
    with source:
        frames = iter(source)
        assert [next(frames).source for _ in range(3)] == ["stubborn", "other", "other"]
    assert witness.told[1:] == ["found"]
    assert capsys.readouterr().err == "warning: stubborn could not be closed: cannot be closed\n"


def test_one_that_is_not_there_at_the_start() -> None:
    source, witness = reconnecting([Camera(None), Camera(None), Camera(1)])
    with pytest.raises(SourceError, match=r"^no camera test$") as caught, source:
        pass
    assert caught.value.exit_code == 1
    assert witness.told == []
    waiting = ReconnectSettings(give_up_s=60, at_start=True, pause_s=0.01)
    source, witness = reconnecting([Camera(None), Camera(None), Camera(2)], waiting)
    with source:
        frames = iter(source)
        assert [next(frames).index for _ in range(2)] == [0, 2]
    assert witness.told == ["lost: no camera test", "found"]


def test_it_gives_up_with_an_exit_code_of_its_own() -> None:
    settings = ReconnectSettings(give_up_s=0.3, pause_s=0.05, max_pause_s=0.1)
    source, witness = reconnecting([Camera(1), *[Camera(None)] * 1000], settings)
    with pytest.raises(CameraLostError) as caught, source:
        list(source)
    assert caught.value.exit_code == 69
    assert str(caught.value) == "test was away for 0.3 s (source.reconnect.give_up_s): no camera test"
    assert witness.told == ["lost: test failed: it was unplugged"]


def test_without_patience_a_loss_is_an_error() -> None:
    source, witness = reconnecting([Camera(2)], ReconnectSettings(give_up_s=0))
    with pytest.raises(SourceError, match=r"it was unplugged$") as caught, source:
        list(source)
    assert (caught.value.exit_code, witness.told) == (1, [])


def test_pauses_grow_to_a_limit_and_are_left_to_chance() -> None:
    pauses: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            pauses.append(timeout)
            return super().wait(0)

    # What is waited for is not seen to pass: each pause is asked for until its time is over.
    draws = iter([0.0, 1.0, 0.5, 0.0])
    witness = Witness()
    cameras = iter([Camera(0), Camera(None), Camera(None), Camera(None), Camera(1)])
    settings = ReconnectSettings(give_up_s=60, pause_s=0.04, max_pause_s=0.1)
    source = ReconnectingSource(lambda: next(cameras), settings, Stop(), witness, draw=lambda: next(draws))
    with source:
        next(iter(source))
    longest = [pause for before, pause in zip([0.0, *pauses], pauses, strict=False) if pause > before]
    assert longest == pytest.approx([0.04, 0.04, 0.075, 0.1], abs=0.01)


def test_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    source, _ = reconnecting([Camera(1), *[Camera(None)] * 3], ReconnectSettings(pause_s=3600), stop)
    threading.Timer(0.2, stop.set).start()
    with source:
        assert len(list(source)) == 1
