"""How results get to outputs: order, queues, losses."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest
from msgspec.structs import replace

from fer_edge import sinks
from fer_edge.box import Box
from fer_edge.errors import FerError, UsageError
from fer_edge.settings.outputs import JsonlSettings, OutputSettings
from fer_edge.sinks import LostError, Outputs, open_sinks
from fer_edge.sinks._events import Event
from fer_edge.sinks._losses import Losses
from fer_edge.sinks._outputs import Direct, Queued
from fer_edge.types import Face, Frame, Result

LONG_S = 30.0
Make = Callable[..., Result]


class Recorder:
    """Keeps what it gets; each writing waits for the gate, and may fail."""

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = False
    interval_s: float = 0.0

    def __init__(self, fails: Callable[[int], Exception | None] = lambda frame: None) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Semaphore(0)
        self.results: list[Result] = []
        self.frames: list[Frame | None] = []
        self.threads: set[str] = set()
        self._fails = fails

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Keep one."""
        self.threads.add(threading.current_thread().name)
        self.began.release()
        assert self.gate.wait(LONG_S)
        if (error := self._fails(result.frame)) is not None:
            raise error
        self.results.append(result)
        self.frames.append(frame)

    @property
    def numbers(self) -> list[int]:
        return [result.frame for result in self.results]


class EventRecorder(Recorder):
    """Keeps events as well."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        """Keep one."""
        self.events.append(event)


class PictureRecorder(Recorder):
    """Needs the frame."""

    pictures: ClassVar[bool] = True


class Told(list[str]):
    """What was told, and a clock that the test sets."""

    now = 0.0

    def losses(self, quiet_s: float = 5.0) -> Losses:
        return Losses("file", self.append, quiet_s, lambda: self.now)


def test_a_loss_is_told_when_it_begins_and_when_it_has_ended() -> None:
    told = Told()
    losses = told.losses()
    losses.written()
    for second in range(100):
        told.now = float(second)
        losses.add("the disk is full")
        losses.written()
    assert told == ["the output file loses results: the disk is full"]
    told.now = 103.9
    losses.written()
    assert len(told) == 1
    told.now = 104.0
    losses.written()
    losses.written()
    assert told[1:] == ["the output file works again, 100 results were lost: the disk is full"]
    losses.add("it is full again", 7)
    losses.close()
    losses.close()
    assert told[2:] == [
        "the output file loses results: it is full again",
        "the output file lost 7 results: it is full again",
    ]
    assert losses.count == 107


def test_a_source_that_waits_is_written_in_the_loop(make_result: Make) -> None:
    told, recorder, outputs = Told(), Recorder(), Outputs()
    with Direct(recorder, told.losses()) as direct:
        outputs.add(direct)
        for number in range(1000):
            outputs.write(make_result(number))
            assert recorder.numbers[-1] == number
    assert recorder.threads == {threading.current_thread().name}
    assert outputs.lost == {"file": 0}
    assert told == []


def test_what_a_source_that_waits_has_lost_is_an_error_at_the_end(make_result: Make) -> None:
    told, outputs = Told(), Outputs()
    recorder = Recorder(lambda frame: LostError("no space") if 2 <= frame < 5 else None)
    with pytest.raises(FerError, match=r"^the output file lacks 3 results: no space$"):  # noqa: SIM117, PT012
        with Direct(recorder, told.losses()) as direct:
            outputs.add(direct)
            for number in range(10):
                outputs.write(make_result(number))
    assert recorder.numbers == [0, 1, 5, 6, 7, 8, 9]
    assert told == ["the output file loses results: no space", "the output file lost 3 results: no space"]


def test_a_queue_keeps_the_order(make_result: Make) -> None:
    told, recorder, outputs = Told(), Recorder(), Outputs()
    with Queued(recorder, told.losses(), 1000) as queued:
        outputs.add(queued)
        for number in range(1000):
            outputs.write(make_result(number))
    # All that waited was written before the end.
    assert recorder.numbers == list(range(1000))
    assert recorder.threads == {"output file"}
    assert outputs.lost == {"file": 0}


def test_a_slow_output_loses_the_oldest_and_stops_nobody(make_result: Make) -> None:
    told, recorder, outputs = Told(), Recorder(), Outputs()
    recorder.gate.clear()
    with Queued(recorder, told.losses(), 10) as queued:
        outputs.add(queued)
        outputs.write(make_result(0))
        assert recorder.began.acquire(timeout=LONG_S)
        # The first is being written; of the others the last ten stay.
        for number in range(1, 101):
            outputs.write(make_result(number))
        assert outputs.lost == {"file": 90}
        assert told == ["the output file loses results: it is too slow, 10 wait"]
        recorder.gate.set()
    assert recorder.numbers == [0, *range(91, 101)]
    assert told[1:] == ["the output file lost 90 results: it is too slow, 10 wait"]


def test_an_output_that_wants_a_result_now_and_then(make_result: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    told, recorder, outputs = Told(), EventRecorder(), Outputs()
    recorder.interval_s = 10.0
    monkeypatch.setattr("fer_edge.sinks._outputs.time.monotonic", lambda: told.now)
    with Queued(recorder, told.losses(), 100) as queued:
        outputs.add(queued)
        for number in range(40):
            told.now = 1000.0 + number
            outputs.write(make_result(number))
    assert recorder.numbers == [0, 10, 20, 30]
    # The others are not lost: nobody wanted them.
    assert outputs.lost == {"file": 0}


def test_an_output_that_hangs_does_not_keep_the_program(make_result: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_edge.sinks._outputs._DRAIN_S", 0.1)
    told, recorder, outputs = Told(), Recorder(), Outputs()
    recorder.gate.clear()
    with Queued(recorder, told.losses(), 10) as queued:
        outputs.add(queued)
        for number in range(5):
            outputs.write(make_result(number))
        assert recorder.began.acquire(timeout=LONG_S)
    assert outputs.lost == {"file": 5}
    recorder.gate.set()


def test_handing_over_costs_microseconds(make_result: Make, make_frame: Callable[..., Frame]) -> None:
    picture = np.zeros((1080, 1920, 3), np.uint8)
    told, recorder, outputs = Told(), PictureRecorder(), Outputs()
    recorder.gate.clear()
    result, frame = make_result(0), make_frame(0, image=picture)
    with Queued(recorder, told.losses(), 10) as queued:
        outputs.add(queued)
        spent = []
        for _ in range(1000):
            began = time.thread_time()
            outputs.write(result, frame)
            spent.append(time.thread_time() - began)
        recorder.gate.set()
    # A copy of such a picture takes a millisecond; processor time, since the machine may be busy.
    assert float(np.median(spent)) < 2e-4
    assert all(kept is frame for kept in recorder.frames)


def test_only_who_needs_the_picture_gets_the_frame(make_result: Make, make_frame: Callable[..., Frame]) -> None:
    told, plain, drawing, outputs = Told(), Recorder(), PictureRecorder(), Outputs()
    outputs.add(Direct(plain, told.losses()))
    outputs.add(Direct(drawing, told.losses()))
    frame = make_frame(0)
    outputs.write(make_result(0), frame)
    assert (plain.frames, drawing.frames) == ([None], [frame])


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), ZeroDivisionError("a defect")])
def test_an_error_in_the_thread_ends_the_loop(make_result: Make, error: Exception) -> None:
    told, outputs = Told(), Outputs()
    recorder = Recorder(lambda frame: error if frame == 3 else None)
    with pytest.raises(type(error)) as caught, Queued(recorder, told.losses(), 100) as queued:  # noqa: PT012
        outputs.add(queued)
        for number in range(4):
            outputs.write(make_result(number))
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline:
            outputs.write(make_result(4))
            time.sleep(0.001)
    assert caught.value is error
    assert recorder.numbers == [0, 1, 2]


def test_a_reader_that_leaves_is_no_loss(make_result: Make) -> None:
    told, outputs = Told(), Outputs()
    recorder = Recorder(lambda frame: BrokenPipeError(32, "Broken pipe"))
    recorder.gate.clear()
    with pytest.raises(BrokenPipeError), Queued(recorder, told.losses(), 100) as queued:  # noqa: PT012
        outputs.add(queued)
        for number in range(10):
            outputs.write(make_result(number))
        recorder.gate.set()
    assert told == []


def test_an_error_with_the_last_frame_is_not_swallowed(make_result: Make) -> None:
    told, outputs = Told(), Outputs()
    recorder = Recorder(lambda frame: BrokenPipeError(32, "Broken pipe"))
    with pytest.raises(BrokenPipeError), Queued(recorder, told.losses(), 100) as queued:  # noqa: PT012
        outputs.add(queued)
        outputs.write(make_result(0))


def test_no_output_asks_the_wall_clock() -> None:
    # It jumps where a Raspberry Pi, which has no battery for one, gets the time from the network.
    modules = Path(sinks.__file__).parent.glob("*.py")
    asked = {
        f"{path.name}: {node.attr}"
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("time", "now", "utcnow", "today", "localtime", "gmtime")
        # The time of a result is a value that was given.
        and not (isinstance(node.value, ast.Name) and node.value.id == "result")
    }
    assert asked == set()


def test_events_go_to_those_who_can_tell_them(make_result: Make) -> None:
    told, plain, telling, outputs = Told(), Recorder(), EventRecorder(), Outputs(events=True)
    outputs.add(Direct(plain, told.losses()))
    outputs.add(Direct(telling, told.losses()))
    face = Face(1, Box(1, 2, 3, 4), {"happy": 0.9, "sad": 0.1})
    for number, faces in enumerate([(), (face,), (face,), (replace(face, probabilities={"happy": 0.1, "sad": 0.9}),)]):
        outputs.write(make_result(number, *faces))
    assert plain.numbers == [0, 1, 2, 3]
    assert telling.numbers == []
    assert [(event.result.frame, event.kind, event.was) for event in telling.events] == [
        (1, "appeared", None),
        (3, "changed", "happy"),
    ]


@pytest.mark.parametrize("live", [False, True])
def test_several_at_once(make_result: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], live: bool) -> None:
    settings = OutputSettings(jsonl=JsonlSettings(path=str(tmp_path / "logs/results.jsonl")))
    with open_sinks(["console", "jsonl", "csv"], settings, live=live, labels=lambda: ["happy", "sad"]) as outputs:
        for number in range(20):
            outputs.write(make_result(number, Face(1, Box(1, 2, 3, 4), {"happy": 0.9, "sad": 0.1})))
    assert outputs.lost == {"console": 0, "jsonl": 0, "csv": 0}
    assert len((tmp_path / "logs/results.jsonl").read_text().splitlines()) == 20
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 41
    assert sum(line.startswith("frame ") for line in out) == 20
    assert out[0].endswith(",happy,sad")


def test_a_log_folder_that_vanishes_under_a_camera(make_result: Make, tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "logs"
    settings = OutputSettings(jsonl=JsonlSettings(path=str(folder / "results.jsonl")))

    def lines() -> int:
        return len((folder / "results.jsonl").read_text().splitlines()) if folder.is_dir() else 0

    def write_until(done: Callable[[], bool], number: int) -> int:
        deadline = time.monotonic() + LONG_S
        while not done():
            assert time.monotonic() < deadline
            outputs.write(make_result(number))
            number += 1
            time.sleep(0.01)
        return number

    with open_sinks(["jsonl"], settings, live=True, tell=told.append) as outputs:
        number = write_until(lambda: lines() >= 5, 0)
        folder.rename(tmp_path / "moved")
        folder.write_text("in the way")
        number = write_until(lambda: outputs.lost["jsonl"] >= 20, number)
        folder.unlink()
        # It is tried again by itself, within seconds.
        number = write_until(lambda: lines() >= 5, number)
    kept = sum(len(path.read_text().splitlines()) for path in tmp_path.glob("*/results.jsonl"))
    assert kept + outputs.lost["jsonl"] == number
    assert told == [
        f"the output jsonl loses results: cannot write {folder}/results.jsonl: File exists",
        f"the output jsonl lost {outputs.lost['jsonl']} results: cannot write {folder}/results.jsonl: File exists",
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["jsonl", "console", "jsonl"], "the output jsonl is given twice: each can be there once"),
        (["telegram"], "no output is called 'telegram'; there are "),
    ],
)
def test_outputs_that_cannot_be_meant(names: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught, open_sinks(names, OutputSettings(), live=False):
        pass
    assert str(caught.value).startswith(said)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = OutputSettings(jsonl=JsonlSettings(path=str(tmp_path / "file" / "results.jsonl")))
    with pytest.raises(FerError) as caught, open_sinks(["jsonl"], settings, live=True):
        pass
    assert str(caught.value) == f"cannot write {tmp_path}/file/results.jsonl: File exists"
