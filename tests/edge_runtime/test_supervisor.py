from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.errors import ModelError
from fer_edge.loop import Loop
from fer_edge.notify import Notifier
from fer_edge.settings import ModelSettings, Settings
from fer_edge.settings.heat import HeatSettings
from fer_edge.sinks import Outputs
from fer_edge.supervision.choosing import Chosen, choose
from fer_edge.supervision.reloading import Reloader
from fer_edge.supervision.supervisor import Supervisor
from fer_edge.types import BoardState, Face

FACE = Face(1, Box(0, 0, 9, 9), {"happy": 0.9, "sad": 0.1})


class Trial:
    """Keeps what becomes of an installed model."""

    notice = None

    def __init__(self) -> None:
        self.told: list[str] = []

    def proved(self) -> None:
        self.told.append("proved")

    def ended(self) -> None:
        self.told.append("ended")


class Stop(threading.Event):
    """Keeps for how long it was waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return False


class Outside:
    """All that a supervisor has to do with."""

    def __init__(self, listener: socket.socket, classifier: Classifier, settings: Settings) -> None:
        self.now = 100.0
        self.told: list[str] = []
        self.stop, self.trial, self.outputs = Stop(), Trial(), Outputs()
        self.board: BoardState | None = None
        self.listener = listener
        notifier = Notifier(listener.getsockname(), 4.0, clock=lambda: self.now)
        self.loop = Loop(open_detector("none"), classifier)
        self.supervisor = Supervisor(
            settings,
            notifier,
            self.stop,
            board=lambda: self.board,
            reloader=Reloader(lambda: settings),
            tell=self.told.append,
            clock=lambda: self.now,
        )
        self.supervisor.model = Chosen(classifier, self.trial)  # type: ignore[arg-type]
        self.supervisor.attach(self.loop, self.outputs)

    def heard(self) -> list[str]:
        said = []
        self.listener.setblocking(False)
        while True:
            try:
                said.append(self.listener.recv(4096).decode())
            except BlockingIOError:
                return said


@pytest.fixture
def outside(tmp_path: Path, classifier: Classifier) -> Iterator[Callable[..., Outside]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        yield lambda settings=None: Outside(listener, classifier, settings or Settings())


def test_the_status_tells_what_people_want_to_know(outside: Callable[..., Outside], make_result: Any) -> None:
    it = outside()
    it.supervisor.between(make_result(0))
    assert it.heard() == ["WATCHDOG=1", "READY=1\nSTATUS=nobody in view"]
    it.board = BoardState(61.5, ())
    for number in range(1, 81):
        it.now += 1 / 16
        it.supervisor.between(msgspec.structs.replace(make_result(number, FACE), dropped=number, board=it.loop.board))
    assert [said for said in it.heard() if said != "WATCHDOG=1"] == [
        "STATUS=16.0 frames/s, 1 in view, happy 0.90, dropped 80, 62 C"
    ]


def test_a_model_proves_itself_once(outside: Callable[..., Outside], make_result: Any) -> None:
    it = outside(Settings(model=ModelSettings(trial_s=60)))
    for _ in range(100):
        it.supervisor.between(make_result(0))
        it.now += 1
    assert it.trial.told == ["proved"]
    it.supervisor.ended()
    assert it.trial.told == ["proved", "ended"]


def test_a_hot_board_gets_fewer_frames(outside: Callable[..., Outside], make_result: Any) -> None:
    it = outside(Settings(heat=HeatSettings(above_c=70, below_c=65, rates=(4.0,))))
    it.board = BoardState(80.0, ("throttled now",))
    for number in range(5):
        it.supervisor.between(make_result(number))
        it.now += it.stop.waited[-1] + 0.01
    # A frame that took 10 ms leaves so much less to wait.
    assert it.stop.waited == pytest.approx([0.0, 0.24, 0.24, 0.24, 0.24])
    assert it.loop.process(_frame()).board == BoardState(80.0, ("throttled now",), 4.0)
    assert it.told == ["the processor is at 80 C: 4 frames/s at most"]
    it.board, it.now = BoardState(50.0, ()), it.now + 60
    it.supervisor.between(make_result(9))
    assert it.told[1:] == ["the processor is at 50 C: all frames again"]
    assert len(it.stop.waited) == 5


def test_an_output_that_hangs_is_a_loop_that_hangs(outside: Callable[..., Outside], make_result: Any) -> None:
    it = outside()
    hangs = [0.0]

    class Hanging(Outputs):
        def hanging_s(self) -> float:
            return hangs[0]

    it.supervisor.attach(it.loop, Hanging())
    signs = []
    for hangs[0] in (0.0, 3.9, 4.1, 9.0, 0.0):
        it.now += 10
        it.supervisor.between(make_result(0))
        signs.append(it.heard().count("WATCHDOG=1"))
    assert signs == [1, 1, 0, 0, 1]


class Installed:
    """An installed model, and what is left where it fails."""

    notice: str | None = None

    def __init__(self, path: Path, following: Installed | None = None, notice: str | None = None) -> None:
        self.path, self.notice, self.following = path, notice, following
        self.reasons: list[str] = []

    def failed(self, reason: str) -> Installed | None:
        self.reasons.append(reason)
        return self.following


@pytest.mark.parametrize("good", [True, False])
def test_a_model_that_cannot_be_used_gives_way(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(model_path.read_bytes()[:5000])
    last = Installed(model_path, notice="rolled back") if good else None
    first = Installed(damaged, last)

    class Store:
        def __init__(self, folder: Path) -> None:
            assert folder == tmp_path

        def begin(self) -> Installed:
            return first

    monkeypatch.setattr("fer_edge.store.Store", Store)
    told: list[str] = []
    settings = ModelSettings(store=str(tmp_path), threads=1)
    if good:
        chosen = choose(settings, self_test=True, tell=told.append)
        assert (chosen.trial, told) == (last, ["rolled back"])
    else:
        with pytest.raises(ModelError):
            choose(settings, self_test=True, tell=told.append)
    assert len(first.reasons) == 1


def _frame() -> Any:
    from fer_edge.sources._moment import Moment

    return Moment().frame(0, "test", np.zeros((96, 96), np.uint8), 0.0)
