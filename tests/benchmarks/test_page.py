from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import msgspec
import numpy as np
import pytest

from fer_bench import choosing, page, results, statistics
from fer_bench.results import Cost, Estimate, Latency, Operator, Profile, Result, Row, Start, State
from fer_edge import evaluation
from fer_edge.labels import EXPRESSIONS

# A page of everything has these drawings: two fronts and the ratios; two of latencies; recalls and, 3 and 4 being the
# same file, five confusion matrices; start and memory; a graph for each variant with one thread; two of loops.
DRAWINGS = 3 + 2 + 6 + 2 + 5 + 2
WIDTHS, SCHEMES = (390, 1440), ("light", "dark")

FACES = 3589
SHARES = (0.13, 0.016, 0.138, 0.249, 0.182, 0.116, 0.169)
ROUNDS, A_ROUND = 32, 33
# A name of a file may be anything.
NASTY = "<b>mine</b> & $x_1$ \x1b[31m 幸せ 'x' \"y\""


def answers(truth: Any, right: float, seed: int) -> Any:
    """Give answers that are right so often; the wrong ones lean towards the expression before."""
    random = np.random.default_rng(seed)
    wrong = np.where(random.random(len(truth)) < 0.4, (truth - 1) % 7, random.integers(0, 7, len(truth)))
    return np.where(random.random(len(truth)) < right, truth, wrong)


def latency(median: float, reference: Latency | None, title: str, seed: int) -> Latency:
    random = np.random.default_rng(seed)
    # A drift that hits all alike, and now and then a sample that something else delays.
    drift = 1 + 0.05 * np.sin(np.arange(ROUNDS))[:, None]
    samples = median * drift * (1 + random.gamma(1.5, 0.03, (ROUNDS, A_ROUND)))
    samples *= np.where(random.random(samples.shape) < 0.004, random.uniform(2, 20, samples.shape), 1)
    rounds = tuple(map(tuple, samples.tolist()))
    p50, p90, p99 = statistics.percentiles(rounds, (50, 90, 99), 1)
    ratio = None
    if reference is not None:
        theirs = np.array([np.median(one) for one in reference.rounds_ms])
        ratio = statistics.ratio(np.median(samples, axis=1), theirs, title, 1)
    return Latency(
        rounds_ms=rounds,
        p50=p50,
        p90=p90,
        p99=p99,
        maximum=float(samples.max()),
        faces_per_second=statistics.per_second(rounds, 1),
        ratio=ratio,
    )


def profile(whole_ms: float, own: int, seed: int) -> Profile:
    """Give a network of 64 layers; every so-many-th runs in the interpreter's own kernel."""
    random = np.random.default_rng(seed)
    times = random.dirichlet(np.full(64, 0.6)) * whole_ms
    times[-1] = -0.002
    operators = tuple(
        Operator(
            index=number,
            name="DEPTHWISE_CONV_2D" if number % 3 == 1 else "CONV_2D",
            output=f"block_{number // 3}/expand_relu/Relu6;block_{number // 3}/expand_bn",
            shape=(1, 48 >> (number // 13), 48 >> (number // 13), 16 << (number // 13)),
            delegated=not own or number % own != 0,
            ms=float(ms),
            multiply_accumulates=int(1e6 * random.random()),
        )
        for number, ms in enumerate(times)
    )
    return Profile(operators=operators, delegated=sum(one.delegated for one in operators), whole_ms=whole_ms)


def judgement(truth: Any, predicted: Any) -> results.Judgement:
    recalls = evaluation.recalls(predicted, truth, EXPRESSIONS)
    confusion = evaluation.confusion(predicted, truth, 7)
    return results.Judgement(
        accuracy=evaluation.accuracy("public", predicted, truth),
        balanced_accuracy=float(np.mean([one for one in recalls.values() if one is not None])),
        macro_f1=evaluation.macro_f1(confusion),
        recalls=recalls,
        calibration_error=0.043,
        confusion=confusion,
        predicted=tuple(predicted.tolist()),
    )


def agreement(truth: Any, parent: Any, mine: Any, title: str) -> results.Agreement:
    flips = np.flatnonzero(parent != mine).tolist()
    low, high = evaluation.wilson_interval(len(flips), len(truth))
    felt = tuple(
        results.Flip(
            image=at, parent=EXPRESSIONS[parent[at]], variant=EXPRESSIONS[mine[at]], truth=EXPRESSIONS[truth[at]]
        )
        for at in flips
        if {int(parent[at]), int(mine[at])} == {0, 3}
    )
    paired = evaluation.paired(parent == truth, mine == truth)
    return results.Agreement(
        parent=title, flips=len(flips), total=len(truth), low=low, high=high, paired=paired, felt=felt
    )


def rows(truth: Any) -> tuple[Row, ...]:
    """Give six variants that were measured and one that was not; two threads answer as one does."""
    variants = [
        ("mobilenetv2-96-fp32", "fp32", 1, 1.75, 9_554_135, 0.0),
        ("mobilenetv2-96-fp16", "fp16", 1, 1.76, 4_813_702, 0.001),
        ("mobilenetv2-96-int8", "int8", 1, 0.81, 2_643_754, 0.02),
        ("mobilenetv2-96-int8, 2 threads", "int8", 2, 0.52, 2_643_754, 0.02),
        ("mobilenetv2-96-qat-int8-pruned-2of4, tflite-runtime", "int8", 1, 6.4, 2_643_754, 0.03),
        (NASTY, "", 1, 0.33, 1_200_000, 0.2),
    ]
    parent = answers(truth, 0.64, 1)
    reference: Latency | None = None
    made = []
    for number, (title, recipe, threads, median, size, changed) in enumerate(variants):
        random = np.random.default_rng(size + round(1e4 * changed))
        mine = np.where(random.random(FACES) < changed, answers(truth, 0.55, size), parent)
        steady = latency(median, reference, variants[0][0], number)
        reference = reference or steady
        start = Start(
            load_ms=(12 * size / 1e6, 12.8 * size / 1e6, 11.7 * size / 1e6),
            first_ms=(median * 3, median * 3.3, median * 3.1),
            peak_bytes=(48_000_000 + 2 * size, 48_400_000 + 2 * size, 48_100_000 + 2 * size),
            empty_bytes=(45_100_000, 45_000_000, 45_200_000),
        )
        cost = Cost(
            bytes=size,
            gzip_bytes=round(0.9 * size),
            parameters=2_430_663,
            multiply_accumulates=56_000_000,
            arena_bytes=800_000,
            cpu_seconds=median * threads * 1.02,
            joules=median * 4.1,
        )
        made.append(
            Row(
                title=title,
                file=f"models/{title.partition(',')[0]}.tflite",
                sha256=f"{number}" * 64,
                model=title.partition(",")[0],
                recipe=recipe,
                runtime="tflite-runtime 2.14.0" if "tflite-runtime" in title else "litert 2.3.0",
                threads=threads,
                failures=() if recipe else ("its float parent is not among the models: name the fp32 file as well",),
                latency=steady,
                start=start,
                cost=cost,
                profile=profile(0.9 * median, {4: 1, 2: 9}.get(number, 0), number) if threads == 1 else None,
                judgement=judgement(truth, mine),
                agreement=agreement(truth, parent, mine, variants[0][0]) if recipe and number else None,
            )
        )
    failed = Row(
        title="<script>alert(1)</script>",
        file="models/broken.tflite",
        sha256="",
        model="broken",
        recipe="",
        runtime="",
        threads=1,
        failures=("models/broken.tflite holds no model: it begins with <script>alert(2)</script>",),
    )
    return (*made, failed)


def loops(title: str) -> results.Loops:
    def stage(p50: float) -> results.Stage:
        return results.Stage(p50=p50, p90=1.3 * p50, p99=2.1 * p50, maximum=4 * p50)

    made = []
    for name, what, detect in (
        ("fer-edge", "what fer-edge run does", 2.1),
        ("full-frame", "the whole picture searched in every frame, with the same settings", 6.3),
        ("naive", "the whole picture searched in every frame, full size, scale factor 1.1", 36.0),
    ):
        ratio = results.Ratio(
            reference="fer-edge",
            time=Estimate(value=detect / 2.1, low=detect / 2.2, high=detect / 2.0),
            verdict="slower",
        )
        made.append(
            results.Loop(
                name=name,
                what=what,
                frames=300,
                faces=298,
                dropped=0,
                frames_per_second=1000 / (detect + 1.9),
                stages={
                    "capture": stage(0.9),
                    "detect": stage(detect),
                    "classify": stage(0.84),
                    "total": stage(detect + 1.9),
                    "age": stage(detect + 2.0),
                },
                of_search=results.Shares(p50=(detect + 1) / 36, mean=(detect + 1.2) / 36, p99=(detect + 9) / 36),
                ratio=ratio if made else None,
            )
        )
    return results.Loops(source="video:street.mp4", model=title, size=(640, 480), search_ms=36.0, loops=tuple(made))


def example() -> Result:
    """Give a result with everything in it."""
    truth = np.random.default_rng(7).choice(7, FACES, p=SHARES)
    found = rows(truth)
    return Result(
        format_version=results.FORMAT_VERSION,
        time="2026-11-22T07:50:11+00:00",
        settings=results.Settings(runs=1024, seconds=5.0, rounds=ROUNDS, processes=3, seed=1, quick=False),
        conditions=results.Conditions(
            board="Raspberry Pi 5 Model B Rev 1.0",
            processor="Cortex-A76, aarch64",
            processors=4,
            pinned=False,
            system="Linux-6.12.20+rpt-rpi-2712-aarch64",
            versions={"fer-edge": "0.1.0", "python": "3.13.2", "numpy": "2.4.6", "opencv": "4.14.0"},
            before=State(temperature=51.2, throttled=(), megahertz=(2400.0,) * 4, governor="ondemand"),
            after=State(temperature=83.9, throttled=("soft limit now",), megahertz=(1500.0,) * 4, governor="ondemand"),
            others=0.71,
            problems=("the firmware ran the processor slower (soft limit): cool the board",),
        ),
        energy_meter="the board's PMIC rails",
        data=results.Data(
            name="FER2013",
            split="public",
            sha256="ab" * 32,
            images=FACES,
            labels=EXPRESSIONS,
            truth=tuple(truth.tolist()),
        ),
        rows=found,
        loops=loops(found[2].title),
    )


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


PARTS = ("latency", "start", "cost", "profile", "judgement", "agreement")


@pytest.mark.parametrize(
    ("change", "drawings", "present", "absent"),
    [
        (
            lambda one: {"data": None, "rows": tuple(without(row, "judgement", "agreement") for row in one.rows)},
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Give a browser: the system's Chromium, driven by Playwright."""
    path = os.environ.get("FER_TEST_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("needs Chromium: scripts/system-packages --browser; FER_TEST_CHROMIUM names another one")
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the dev extra")
    with api.sync_playwright() as playwright:
        # Root has no sandbox.
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_bytes(content)
    return file.as_uri()


@pytest.fixture(scope="module", params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=str)
def opened(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """Give the page in a browser, with what went wrong and what was asked for as `told` and `asked`."""
    width, scheme = request.param
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.told, tab.asked = [], []
    tab.on("console", lambda message: tab.told.append(message.text))
    tab.on("pageerror", lambda error: tab.told.append(str(error)))
    tab.on("request", lambda one: tab.asked.append(one.url))
    tab.goto(address)
    yield tab
    tab.close()


def test_a_browser_has_nothing_to_complain_of(opened: Any, address: str) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    assert opened.told == []
    assert opened.asked == [address]


def test_nothing_is_wider_than_the_screen(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lefts = opened.evaluate("[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().right)")
    assert max(lefts) <= opened.viewport_size["width"]
    assert opened.evaluate(MAIN_TABLE_FITS) is (opened.viewport_size["width"] == 1440)


MAIN_TABLE_FITS = "(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.wide'))"


# For each drawing its size, and for each of its texts: size on the screen, whether it is within the drawing, its place
# unless it is turned, and its contrast with what is painted below it (WCAG 2.2).
LOOK = """
() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const painted = (x, y, base) => document.elementsFromPoint(x, y).reverse().reduce((below, one) => {
    const style = getComputedStyle(one);
    if (!(one instanceof SVGGeometryElement) || style.fill === 'none') return below;
    const alpha = Number(style.opacity) * Number(style.fillOpacity);
    return numbers(style.fill).slice(0, 3).map((value, at) => alpha * value + (1 - alpha) * below[at]);
  }, base);
  return [...document.querySelectorAll('figure svg')].map(svg => {
    svg.scrollIntoView({block: 'center'});
    const card = numbers(getComputedStyle(svg.closest('section')).backgroundColor).slice(0, 3);
    const whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(text => {
      const box = text.getBoundingClientRect(), matrix = text.getScreenCTM(), style = getComputedStyle(text);
      const turned = Math.abs(matrix.b) > 1e-3;
      return {
        text: text.textContent,
        size: parseFloat(style.fontSize) * Math.hypot(matrix.a, matrix.b),
        outside: Math.max(whole.left - box.left, box.right - whole.right, whole.top - box.top,
                          box.bottom - whole.bottom),
        place: turned ? null : [box.left, box.top, box.right, box.bottom],
        contrast: contrast(numbers(style.fill).slice(0, 3),
                           painted((box.left + box.right) / 2, (box.top + box.bottom) / 2, card)),
      };
    });
    return {width: whole.width, height: whole.height, texts};
  });
}
"""


def overlap(one: list[float], other: list[float]) -> float:
    """Give by how many pixels two boxes overlap in the direction in which they do so less."""
    return min(min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1]))


def test_the_text_of_figures_can_be_read(opened: Any) -> None:
    figures = opened.evaluate(LOOK)
    assert len(figures) == DRAWINGS
    for figure in figures:
        assert figure["width"] >= 300
        assert figure["height"] >= 80
        assert figure["texts"]
        for text in figure["texts"]:
            assert text["size"] >= 9, text
            assert text["outside"] <= 1, text
            assert text["contrast"] >= 4.5, text
        level = [text for text in figure["texts"] if text["place"]]
        for number, text in enumerate(level):
            for other in level[number + 1 :]:
                # Boxes of letters are as high as a line, the letters are not.
                assert overlap(text["place"], other["place"]) < 3, (text, other)


def test_figures_are_drawn(opened: Any) -> None:
    hidden = opened.add_style_tag(content="svg text { visibility: hidden; }")
    for number, element in enumerate(opened.query_selector_all("figure svg")):
        picture = cv2.imdecode(np.frombuffer(element.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        background = np.median(picture.reshape(-1, 3), axis=0)
        marks = np.abs(picture.astype(np.int16) - background).max(axis=2) > 60
        colored = np.ptp(picture.astype(np.int16), axis=2) > 40
        assert marks.mean() > 0.002, number
        # The ratios are dots, and the operators of the variant without XNNPACK outlines.
        assert colored.mean() > (0.0003 if number in (2, 16) else 0.005), number
    hidden.evaluate("one => one.remove()")


def test_dark_is_dark(opened: Any) -> None:
    shot = cv2.imdecode(np.frombuffer(opened.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    dark = opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (np.median(shot) < 60) if dark else (np.median(shot) > 200)


def test_names_stay_in_sight_while_a_table_is_scrolled(opened: Any) -> None:
    place = "document.querySelector('.wide tbody th').getBoundingClientRect().left"
    before = opened.evaluate(place)
    opened.evaluate("document.querySelector('.wide').scrollLeft = 300")
    assert opened.evaluate(place) == pytest.approx(before, abs=1)


def test_it_can_be_printed(chromium: Any, address: str, tmp_path: Path) -> None:
    # The width of the paper's long side without margins.
    tab = chromium.new_page(viewport={"width": 1031, "height": 700}, color_scheme="dark")
    tab.goto(address)
    tab.emulate_media(media="print", color_scheme="dark")
    # Whoever reads in the dark prints in black on white.
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(28, 30, 33)"
    assert tab.evaluate("getComputedStyle(document.querySelector('svg text')).fill") == "rgb(90, 96, 104)"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(MAIN_TABLE_FITS)
    printed = tab.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 14
    tab.close()
