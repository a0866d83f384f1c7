from __future__ import annotations

import gc
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from fer_edge.box import Box
from fer_edge.errors import UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.settings.outputs import ConsoleSettings, OutputSettings
from fer_edge.sinks import REGISTRY, open_sink
from fer_edge.sinks._events import Follower
from fer_edge.sinks._lines import Stream
from fer_edge.sinks._objects import round_distribution
from fer_edge.sinks.console import ConsoleSink
from fer_edge.sinks.csv import CsvSink, head_of_events, head_of_faces
from fer_edge.sinks.jsonl import JsonlSink
from fer_edge.types import Face, Result, StageTimes

PROBABILITIES = dict(zip(EXPRESSIONS, (0.0, 0.01, 0.005, 0.97, 0.005, 0.0, 0.01), strict=True))
TWO_FACES = Result(
    frame=12,
    time=datetime(2026, 11, 21, 20, 15, 2, 113_900, UTC),
    source="demo",
    age_ms=3.14159,
    dropped=0,
    faces=(
        Face(track=1, box=Box(120, 80, 200, 210), probabilities=PROBABILITIES),
        Face(track=3, box=Box(0, 5, 60, 60), probabilities=PROBABILITIES | {"happy": 0.0, "sad": 0.975}),
    ),
    ms=StageTimes(capture=0.4, detect=6.1239, classify=0.3, total=6.8761),
)
NOBODY = Result(
    frame=0,
    # Another time zone is brought to UTC.
    time=datetime(2026, 11, 21, 22, 15, 2, tzinfo=timezone(timedelta(hours=2))),
    source="Käse.jpg",
    age_ms=1.0,
    dropped=7,
    faces=(),
    ms=StageTimes(capture=1.0, detect=2.0, classify=0.0, total=3.0),
)


class CountingText(io.StringIO):
    """Counts the flushes."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1
        super().flush()


class CountingBytes(io.BytesIO):
    """Counts the writes."""

    written = 0

    def write(self, content: object) -> int:
        self.written += 1
        return super().write(content)  # type: ignore[arg-type]


def test_console() -> None:
    stream = CountingText()
    sink = ConsoleSink(stream)
    sink.write(TWO_FACES)
    assert stream.flushed == 1
    sink.write(NOBODY)
    assert stream.flushed == 2
    assert stream.getvalue() == (
        "frame 12: #1 happy 97 % at 120,80 200x210, #3 sad 98 % at 0,5 60x60 | "
        "detect 6.1, classify 0.3, total 6.9 ms\n"
        "frame 0: no face | detect 2.0, classify 0.0, total 3.0 ms\n"
    )


def later(result: Result, *faces: Face) -> Result:
    return replace(result, frame=result.frame + 1, faces=faces)


# Face 3 leaves, face 1 becomes sad, and face 4 comes.
AFTERWARDS = later(
    TWO_FACES,
    replace(TWO_FACES.faces[1], track=1, box=Box(121, 80, 200, 210)),
    replace(TWO_FACES.faces[0], track=4, min_confidence=0.99),
)


def test_events_of_a_console() -> None:
    stream, follower = io.StringIO(), Follower()
    sink = ConsoleSink(stream)
    for result in (TWO_FACES, AFTERWARDS):
        for event in follower.events(result):
            sink.tell(event)
    assert stream.getvalue() == (
        "frame 12: #1 appeared: happy 97 %, at 120,80 200x210\n"
        "frame 12: #3 appeared: sad 98 %, at 0,5 60x60\n"
        "frame 13: #3 left, was sad, at 0,5 60x60\n"
        "frame 13: #1 changed: sad 98 %, was happy, at 121,80 200x210\n"
        "frame 13: #4 appeared: uncertain 97 %, at 120,80 200x210\n"
    )


def test_events_of_jsonl_and_csv() -> None:
    lines, rows, follower = CountingBytes(), CountingBytes(), Follower()
    jsonl, csv = JsonlSink(Stream(lines)), CsvSink(Stream(rows, head_of_events()))
    with jsonl, csv:
        for result in (TWO_FACES, AFTERWARDS):
            for event in follower.events(result):
                jsonl.tell(event)
                csv.tell(event)
    assert (lines.written, rows.written) == (5, 6)
    assert lines.getvalue().decode().splitlines()[1:4] == [
        '{"event":"appeared","frame":12,"time":"2026-11-21T20:15:02.113Z","source":"demo","track":3,"box":[0,5,60,60],'
        '"expression":"sad","was":null,"confidence":0.975}',
        '{"event":"left","frame":13,"time":"2026-11-21T20:15:02.113Z","source":"demo","track":3,"box":[0,5,60,60],'
        '"expression":null,"was":"sad","confidence":null}',
        '{"event":"changed","frame":13,"time":"2026-11-21T20:15:02.113Z","source":"demo","track":1,'
        '"box":[121,80,200,210],"expression":"sad","was":"happy","confidence":0.975}',
    ]
    assert rows.getvalue().decode().splitlines()[:4] == [
        "frame,time,source,event,track,x,y,width,height,expression,confidence,was",
        "12,2026-11-21T20:15:02.113Z,demo,appeared,1,120,80,200,210,happy,0.97,",
        "12,2026-11-21T20:15:02.113Z,demo,appeared,3,0,5,60,60,sad,0.975,",
        "13,2026-11-21T20:15:02.113Z,demo,left,3,0,5,60,60,,,sad",
    ]


def test_nothing_new_is_no_event() -> None:
    follower = Follower()
    assert follower.events(NOBODY) == []
    assert len(follower.events(TWO_FACES)) == 2
    assert follower.events(later(TWO_FACES, *TWO_FACES.faces)) == []
    assert [event.kind for event in follower.events(NOBODY)] == ["left", "left"]
    # Whoever comes back is another track, or appears again.
    assert [event.kind for event in follower.events(TWO_FACES)] == ["appeared", "appeared"]


def test_csv() -> None:
    stream = CountingBytes()
    with CsvSink(Stream(stream, head_of_faces(EXPRESSIONS))) as sink:
        sink.write(TWO_FACES)
        assert stream.written == 2
        sink.write(NOBODY)
        assert stream.written == 2
        sink.write(replace(TWO_FACES, source='a "b",c'))
    assert stream.getvalue().decode() == (
        "frame,time,source,age_ms,dropped,track,x,y,width,height,expression,confidence,"
        "angry,disgust,fear,happy,sad,surprise,neutral\n"
        "12,2026-11-21T20:15:02.113Z,demo,3.142,0,1,120,80,200,210,happy,0.97,0.0,0.01,0.005,0.97,0.005,0.0,0.01\n"
        "12,2026-11-21T20:15:02.113Z,demo,3.142,0,3,0,5,60,60,sad,0.975,0.0,0.01,0.005,0.0,0.975,0.0,0.01\n"
        '12,2026-11-21T20:15:02.113Z,"a ""b"",c",3.142,0,1,120,80,200,210,happy,0.97,'
        "0.0,0.01,0.005,0.97,0.005,0.0,0.01\n"
        '12,2026-11-21T20:15:02.113Z,"a ""b"",c",3.142,0,3,0,5,60,60,sad,0.975,0.0,0.01,0.005,0.0,0.975,0.0,0.01\n'
    )


def test_a_console_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with open_sink("console", OutputSettings(console=ConsoleSettings(stream="stderr"))) as sink:
        sink.write(NOBODY)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("frame 0: no face")


def test_jsonl() -> None:
    stream = CountingBytes()
    sink = JsonlSink(Stream(stream))
    sink.write(TWO_FACES)
    assert stream.written == 1
    sink.write(NOBODY)
    assert stream.written == 2
    assert stream.getvalue().decode() == (
        '{"frame":12,"time":"2026-11-21T20:15:02.113Z","source":"demo","age_ms":3.142,"dropped":0,"faces":['
        '{"track":1,"box":[120,80,200,210],"expression":"happy","confidence":0.97,"probabilities":{"angry":0.0,'
        '"disgust":0.01,"fear":0.005,"happy":0.97,"sad":0.005,"surprise":0.0,"neutral":0.01}},'
        '{"track":3,"box":[0,5,60,60],"expression":"sad","confidence":0.975,"probabilities":{"angry":0.0,'
        '"disgust":0.01,"fear":0.005,"happy":0.0,"sad":0.975,"surprise":0.0,"neutral":0.01}}],'
        '"ms":{"capture":0.4,"detect":6.124,"classify":0.3,"total":6.876}}\n'
        '{"frame":0,"time":"2026-11-21T20:15:02.000Z","source":"Käse.jpg","age_ms":1.0,"dropped":7,"faces":[],'
        '"ms":{"capture":1.0,"detect":2.0,"classify":0.0,"total":3.0}}\n'
    )
    assert [json.loads(line)["frame"] for line in stream.getvalue().splitlines()] == [12, 0]


def test_a_file_name_that_is_no_utf8() -> None:
    # Names in a Linux folder are bytes; Python gives the others as lone surrogates.
    stream = io.BytesIO()
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    JsonlSink(Stream(stream)).write(
        Result(
            frame=0, time=NOBODY.time, source=name, age_ms=1.0, dropped=0, faces=(), ms=StageTimes(1.0, 1.0, 1.0, 3.0)
        )
    )
    assert json.loads(stream.getvalue())["source"].startswith("caf")


@pytest.mark.parametrize(
    ("values", "rounded"),
    [
        ((1 / 3, 1 / 3, 1 / 3), (0.3334, 0.3333, 0.3333)),
        ((0.99996, 0.00002, 0.00002), (1.0, 0.0, 0.0)),
        ((0.00004, 0.99993, 0.00003), (0.0001, 0.9999, 0.0)),
        ((0.00003, 0.99993, 0.00004), (0.0, 0.9999, 0.0001)),
        ((1.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
        ((0.5, 0.25, 0.25), (0.5, 0.25, 0.25)),
    ],
)
def test_rounding_a_distribution(values: tuple[float, ...], rounded: tuple[float, ...]) -> None:
    assert tuple(round_distribution(dict(zip("abc", values, strict=True))).values()) == rounded


@pytest.mark.parametrize("seed", range(5))
def test_rounded_distributions_sum_to_one_and_stay_close(seed: int) -> None:
    chance = np.random.default_rng(seed)
    for _ in range(200):
        # As the classifier gives them: float32, from even to nearly certain.
        values = chance.dirichlet(np.full(7, chance.choice([0.02, 0.3, 5.0]))).astype(np.float32)
        values /= values.sum()
        exact = dict(zip(EXPRESSIONS, values.tolist(), strict=True))
        rounded = round_distribution(exact)
        assert list(rounded) == list(exact)
        assert sum(round(value * 10_000) for value in rounded.values()) == 10_000
        assert sum(rounded.values()) == pytest.approx(1, abs=1e-12)
        assert all(abs(rounded[label] - exact[label]) < 1.01e-4 for label in exact)
        assert all(value == round(value, 4) and 0 <= value <= 1 for value in rounded.values())
        assert rounded[max(exact, key=exact.__getitem__)] == max(rounded.values())


def test_sinks_by_name() -> None:
    assert REGISTRY.names() == ("console", "csv", "jsonl", "metrics", "mqtt", "video")
    assert isinstance(open_sink("console"), ConsoleSink)
    with pytest.raises(UsageError) as caught:
        open_sink("telegram")
    assert str(caught.value) == "no output is called 'telegram'; there are " + ", ".join(REGISTRY.names())


def test_the_first_of_equal_labels_is_the_expression() -> None:
    face = Face(track=1, box=Box(0, 0, 1, 1), probabilities={"angry": 0.2, "sad": 0.4, "happy": 0.4})
    assert (face.expression, face.confidence) == ("sad", 0.4)


def test_a_stream_that_nobody_else_keeps_stays_open(tmp_path: Path) -> None:
    stream = Stream((tmp_path / "lines").open("wb"))
    gc.collect()
    stream.write(b"a line\n")
    assert (tmp_path / "lines").read_bytes() == b"a line\n"
    stream._stream.close()
