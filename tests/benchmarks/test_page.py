from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import matplotlib
import msgspec
import pytest

from example_result import A_ROUND, DRAWINGS, FACES, NASTY, ROUNDS, example
from fer_bench import choosing, page
from fer_bench.results import Estimate, Result, Row


class Reader(HTMLParser):
    """Collects elements, their attributes, and texts."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip().replace("\N{NO-BREAK SPACE}", " "))

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def result() -> Result:
    return example()


@pytest.fixture(scope="module")
def content(result: Result) -> bytes:
    return page.write(result)


@pytest.fixture(scope="module")
def read(content: bytes) -> Reader:
    return Reader(content)


def test_what_is_given_stays_text(read: Reader) -> None:
    texts = "|".join(read.texts)
    for text in ("<script>alert(1)</script>", "<script>alert(2)</script>", NASTY, "&amp;"[:1]):
        assert text in texts
    assert {"script", "b", "link", "iframe", "object", "base", "a", "img", "image"}.isdisjoint(
        name for name, _ in read.elements
    )


def test_the_page_asks_for_nothing(read: Reader) -> None:
    policy = next(one["content"] for one in read.all("meta") if one.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    attributes = [(name, value) for _, given in read.elements for name, value in given.items()]
    assert [value for name, value in attributes if name in ("src", "href") and not value.startswith("#")] == []
    assert not re.search(r"url\((?!#)|@import", " ".join([*read.texts, *(value or "" for _, value in attributes)]))


def test_the_parts_come_in_this_order(read: Reader, content: bytes) -> None:
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", content.decode())
    assert headings == [
        "Do not trust these figures",
        "Results",
        "What could not be measured",
        "Which to take",
        "Latency",
        "Accuracy",
        "Flips between happy and angry",
        "Robustness",
        "By corruption",
        "Start and memory",
        "Operators",
        "Whole loops",
        "Conditions",
    ]
    assert read.texts.count("fer-bench: 7 variants on Raspberry Pi 5 Model B Rev 1.0") == 2  # title and heading
    assert len(read.all("svg")) == DRAWINGS


def tables(content: bytes) -> list[list[list[str]]]:
    """Give the cells of all tables by row, the lines of each joined by a space."""
    found = []
    for table in re.findall(r"<table>(.*?)</table>", content.decode(), re.DOTALL):
        lines = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL) for line in lines]
        found.append([[" ".join(Reader(cell.encode()).texts) for cell in line] for line in cells])
    return found


def test_the_main_table_tells_what_was_measured(content: bytes, result: Result) -> None:
    header, *lines = tables(content)[0]
    assert header == [
        "variant",
        "bytes",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "ratio of times",
        "faces/s",
        "memory for the model",
        "CPU s per 1,000",
        "J per 1,000",
        "accuracy",
        "macro F1",
        "calibration error",
        "flips",
    ]
    assert [line[0] for line in lines[:4]] == [
        "1 mobilenetv2-96-fp32 litert 2.3.0, 1 thread",
        "2 mobilenetv2-96-fp16 litert 2.3.0, 1 thread",
        "3 mobilenetv2-96-int8 litert 2.3.0, 1 thread",
        "4 mobilenetv2-96-int8, 2 threads litert 2.3.0, 2 threads",
    ]
    row = result.rows[2]
    assert row.latency is not None
    assert row.latency.ratio is not None
    assert row.judgement is not None
    assert row.agreement is not None
    p50, ratio, accuracy = row.latency.p50, row.latency.ratio.time, row.judgement.accuracy
    mine = dict(zip(header, lines[2], strict=True))
    assert mine["bytes"] == "2,643,754 gzip 2,379,379"
    assert mine["p50 ms"] == f"{p50.value:.3f} {p50.low:.3f} to {p50.high:.3f}"
    assert mine["ratio of times"] == f"{ratio.value:.3f} {ratio.low:.3f} to {ratio.high:.3f} faster"
    # 48,100,000 and twice the file at its peak, 45,100,000 without a model, both in the middle of three.
    assert mine["memory for the model"] == "8.29 MB peak 53.4 MB"
    assert mine["J per 1,000"] == "3.32"
    assert mine["accuracy"] == f"{100 * accuracy.value:.1f} % {100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}"
    assert mine["flips"] == f"{row.agreement.flips} {100 * row.agreement.flips / FACES:.1f} %"
    assert dict(zip(header, lines[0], strict=True))["ratio of times"] == "1 reference"
    assert lines[6] == ["7 <script>alert(1)</script>", *["-"] * 13]


def test_the_page_warns(content: bytes, read: Reader) -> None:
    assert content.count(b'class="warning"') == 2
    assert "the firmware ran the processor slower (soft limit): cool the board" in read.texts
    failures = tables(content)[1]
    assert failures[1:] == [
        [f"6 {NASTY}", "its float parent is not among the models: name the fp32 file as well"],
        [
            "7 <script>alert(1)</script>",
            "models/broken.tflite holds no model: it begins with <script>alert(2)</script>",
        ],
    ]


def test_the_conditions_are_all_there(content: bytes, read: Reader) -> None:
    facts = dict(tables(content)[-1])
    assert facts["temperature"] == "before: 51.2 °C; after: 83.9 °C"
    assert facts["throttled"] == "before: no; after: soft limit now"
    assert facts["frequency"] == "before: 2400 MHz; after: 1500 MHz"
    assert facts["governor"] == "ondemand"
    assert facts["versions"] == "fer-edge 0.1.0, python 3.13.2, numpy 2.4.6, opencv 4.14.0"
    assert facts["other processes"] == "kept 0.71 processors busy"
    assert facts["models/mobilenetv2-96-fp32.tflite"] == f"SHA-256 {'0' * 64}"
    assert facts["models/broken.tflite"] == "could not be read"
    assert any("temperature before: 51.2 °C; after: 83.9 °C" in text for text in read.texts)


def test_it_names_the_front_and_fills_its_dots(read: Reader, content: bytes, result: Result) -> None:
    *first, last = choosing.front(result.rows)
    assert len(first) >= 2
    assert len(first) + 1 < 6
    told = f"On the front of accuracy, median latency and size: {', '.join(first)} and {last}."
    assert any(text.startswith(told) and "Each of the others is beaten" in text for text in read.texts)
    for drawing in re.findall(r"<svg.*?</svg>", content.decode(), re.DOTALL)[:2]:
        dots = re.findall(r"<use [^>]*style=\"fill: var\(--(accent|card),", drawing)
        assert (dots.count("accent"), dots.count("card")) == (len(first) + 1, 6 - len(first) - 1)


def test_figures_have_words_and_numbers(content: bytes, read: Reader, result: Result) -> None:
    words = [one["aria-label"] for one in read.all("div") if one.get("role") == "img"]
    assert len(words) == DRAWINGS
    assert all(one.endswith(".") for one in words)
    assert sum(NASTY in one for one in words) == 2 + 1 + 2 + 2 + 2 + 1
    latency = result.rows[0].latency
    assert latency is not None
    p50, p90, p99 = (f"{one.value:.2f}" for one in (latency.p50, latency.p90, latency.p99))
    assert f"p50 {p50}, p90 {p90}, p99 {p99}, longest" in words[3].replace("\N{NO-BREAK SPACE}", " ")
    confusion = next(table for table in tables(content) if table[0][0] == "true, answered")
    assert result.rows[0].judgement is not None
    assert [[int(cell.replace(",", "")) for cell in line[1:]] for line in confusion[1:]] == [
        list(line) for line in result.rows[0].judgement.confusion
    ]
    samples = next(table for table in tables(content) if table[0][:2] == ["variant", "samples"])
    assert [line[1] for line in samples[1:]] == [f"{ROUNDS * A_ROUND:,}"] * 6


def test_no_two_drawings_share_an_identifier(read: Reader) -> None:
    given = [one["id"] for _, one in read.elements if "id" in one]
    assert len(given) == len(set(given))
    used = [
        found
        for _, one in read.elements
        for value in one.values()
        for found in re.findall(r"(?:^|url\()#([\w-]+)", value or "")
    ]
    assert used
    assert set(used) <= set(given)


def test_drawings_have_the_colours_of_the_page(read: Reader, content: bytes) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", content.decode(), re.DOTALL)[:2]
    inside = [value for name, one in read.elements for key, value in one.items() if key == "style"]
    used = set(re.findall(r"var\(--(\w+), #\w{6}\)", " ".join(inside)))
    assert used >= {"ink", "soft", "line", "accent", "heat", "second", "good", "bad"}
    for theme in (light, dark):
        assert used <= set(re.findall(r"--(\w+):", theme))
    values = dict(re.findall(r"--(\w+): (#\w{6})", light))
    assert set(re.findall(r"var\(--(\w+), (#\w{6})\)", " ".join(inside))) <= set(values.items())
    assert not re.search(r"#[0-9a-f]{6}", re.sub(r"var\(.*?\)", "", " ".join(inside)))


def test_the_same_result_gives_the_same_page_whatever_matplotlibrc_says(result: Result) -> None:
    small = msgspec.structs.replace(result, rows=result.rows[:1])
    content = page.write(small)
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red", "font.size": 40}):
        assert page.write(small) == content
        assert matplotlib.rcParams["font.size"] == 40


def without(row: Row, *parts: str) -> Row:
    return msgspec.structs.replace(row, **dict.fromkeys(parts))


JUDGED = ("judgement", "agreement", "robustness")
PARTS = ("latency", "start", "cost", "profile", *JUDGED)


@pytest.mark.parametrize(
    ("change", "drawings", "present", "absent"),
    [
        (
            lambda one: {"data": None, "rows": tuple(without(row, *JUDGED) for row in one.rows)},
            3 + 2 + 2 + 5 - 2 + 2,
            ("Which is faster", "accuracy, for want of labelled data (--data)"),
            ("Which to take", "Accuracy", "macro F1"),
        ),
        (
            lambda one: {"rows": one.rows[:1], "loops": None, "energy_meter": None},
            2 + 2 + 2 + 2 + 1,
            ("Not measured: the whole loop, for want of a source (--loop); energy",),
            ("Whole loops",),
        ),
        (
            lambda one: {"rows": tuple(without(row, "profile", "start") for row in one.rows)},
            DRAWINGS - 7,
            (),
            ("Operators", "Start and memory", "for the model"),
        ),
        (
            lambda one: {"rows": tuple(without(row, *PARTS) for row in one.rows), "loops": None},
            0,
            ("What could not be measured", "Conditions"),
            ("Latency", "Accuracy", "Which"),
        ),
        (lambda one: {"rows": one.rows[:1]}, 2 + 2 + 2 + 2 + 1 + 2, ("1 variant on", "Which to take"), ("beaten",)),
        (lambda one: {"rows": ()}, 2, ("No variant was measured.", "0 variants on"), ("Latency",)),
        (
            lambda one: {
                "conditions": msgspec.structs.replace(one.conditions, problems=(), board=""),
                "settings": msgspec.structs.replace(one.settings, quick=True),
                "rows": one.rows[-2:],
            },
            2 + 1 + 2 + 2 + 2 + 1 + 2,
            ("2 variants on Cortex-A76, aarch64", "Cut short by --quick"),
            ("Do not trust",),
        ),
        (
            lambda one: {"rows": (*(msgspec.structs.replace(row, title="a") for row in one.rows[:2]),)},
            3 + 2 + 3 + 2 + 2 + 2,
            ("On the front",),
            (),
        ),
    ],
    ids=("no data", "no loops", "no profile", "all failed", "one row", "no row", "quick", "alike"),
)
def test_what_a_result_lacks_is_left_out(
    change: Callable[[Result], dict[str, Any]],
    drawings: int,
    present: tuple[str, ...],
    absent: tuple[str, ...],
    result: Result,
) -> None:
    written = page.write(msgspec.structs.replace(result, **change(result)))
    read = Reader(written[written.index(b"<main>") :])
    assert len(read.all("svg")) == drawings
    texts = "|".join(read.texts)
    assert [text for text in present if text not in texts] == []
    assert [text for text in absent if text in texts] == []


def test_odd_figures_are_drawn(result: Result) -> None:
    row = result.rows[1]
    assert row.latency is not None
    assert row.start is not None
    assert row.profile is not None
    assert row.judgement is not None
    same = Estimate(value=1.0, low=1.0, high=1.0)
    odd = msgspec.structs.replace(
        row,
        title="$" * 300,
        latency=msgspec.structs.replace(
            row.latency, rounds_ms=((1.0, 1.0), (1.0,)), p50=same, p90=same, p99=same, maximum=1.0
        ),
        start=msgspec.structs.replace(row.start, peak_bytes=(10,), empty_bytes=(20,)),
        profile=msgspec.structs.replace(
            row.profile, operators=tuple(msgspec.structs.replace(one, ms=-0.1) for one in row.profile.operators[:3])
        ),
        judgement=msgspec.structs.replace(
            row.judgement,
            recalls={**row.judgement.recalls, "disgust": None},
            confusion=tuple((0,) * 7 if number == 1 else line for number, line in enumerate(row.judgement.confusion)),
        ),
    )
    assert result.data is not None
    data = msgspec.structs.replace(result.data, truth=tuple(label for label in result.data.truth if label != 1))
    read = Reader(page.write(msgspec.structs.replace(result, rows=(odd,), data=data)))
    assert "The data has no face that is disgust." in read.texts
    assert len(read.all("svg")) == 12


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.strip()


def test_importing_the_page_loads_nothing_that_a_device_lacks() -> None:
    loaded = (
        "print({name.partition('.')[0] for name in sys.modules} & {'tensorflow', 'sklearn', 'matplotlib', 'jinja2'})"
    )
    assert run(f"import sys; from fer_bench import page; page.check(); {loaded}") == "set()"
    loaded = loaded.replace(", 'jinja2'", "")
    assert run(f"import sys; import fer_train.judging.page; {loaded}") == "set()"
    assert run(f"import sys; import fer_bench.page_sections; {loaded}") == "{'matplotlib'}"


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_without_the_extra_it_says_what_to_install(package: str, result: Result, monkeypatch: Any) -> None:
    from fer_edge.errors import FerError

    monkeypatch.setitem(sys.modules, package, None)
    for attempt in (page.check, lambda: page.write(result)):
        with pytest.raises(FerError, match=r"^--html needs the report extra: pip install 'fer-edge\[report\]'$"):
            attempt()
