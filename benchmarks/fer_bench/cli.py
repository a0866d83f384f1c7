"""The command `fer-bench`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from fer_bench import baseline, choosing, latency, measuring, page, tables, variants
from fer_bench.plan import NO_PARENT, Plan
from fer_bench.results import Result
from fer_edge import files
from fer_edge.command import Command, FiniteRange, unwinding_on_sigterm, warn
from fer_edge.errors import UsageError
from fer_edge.models import shipped_models
from fer_edge.quiet import silence_opencv
from fer_edge.runtimes import RUNTIMES

_FAILED, _NOT_VALID = 1, 3
_RUNTIMES = [runtime.name for runtime in RUNTIMES]


def _threads(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        threads = tuple(dict.fromkeys(int(word) for word in value.split(",")))
    except ValueError:
        threads = (0,)
    if any(not 1 <= number <= 64 for number in threads):
        raise click.BadParameter(f"{value!r} is no list of thread counts such as 1,2")
    return threads


def _runtimes(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str | None, ...]:
    if value is None:
        return (None,)
    runtimes = tuple(dict.fromkeys(value.split(",")))
    if unknown := [runtime for runtime in runtimes if runtime not in _RUNTIMES]:
        raise click.BadParameter(f"{unknown[0]!r} is no runtime; there are {', '.join(_RUNTIMES)}")
    return runtimes


def _share(_context: click.Context, _option: click.Parameter, value: str) -> float:
    number, _, rest = value.partition("%")
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if rest or "%" not in value or not 0 <= share <= 10:
        raise click.BadParameter(f"{value!r} is no percentage such as 5%")
    return share


def _budget(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[choosing.Limit, ...] | None:
    return None if value is None else choosing.parse_budget(value)


def _print_schema(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        click.echo(msgspec.json.format(msgspec.json.encode(msgspec.json.schema(Result)), indent=2))
        context.exit()


def _file(name: str, text: str) -> Callable[..., Any]:
    return click.option(
        f"--{name}", f"{name}_file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help=text
    )


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="fer2013.csv or image folders, to measure accuracy on.")
@click.option("--split", help="Split of the data.  [default: public, else test]")
@click.option("--robustness", is_flag=True, help="Measure accuracy on faces corrupted as cheap cameras do it, too.")
@click.option("--parent", metavar="FILE|none", help="Float parent of the models.  [default: the fp32 file among them]")
@click.option(
    "--threads", default="1", show_default=True, callback=_threads, metavar="N,N", help="Threads of the interpreter."
)
@click.option("--runtime", callback=_runtimes, metavar="NAME,NAME", help=f"Interpreters: {', '.join(_RUNTIMES)}.")
@click.option("--loop", metavar="SOURCE", help="Measure whole loops as well, on a source of 'fer-edge run'.")
@click.option(
    "--naive-model", metavar="FILE", type=click.Path(path_type=Path), help="Of the naive loop.  [default: the same]"
)
@click.option(
    "--runs", type=click.IntRange(1), help=f"Timed runs of each variant, at least.  [default: {latency.RUNS}]"
)
@click.option(
    "--seconds",
    type=FiniteRange(0, 3600),
    help=f"Timed seconds of each, at least.  [default: {latency.Effort.seconds:g}]",
)
@click.option(
    "--processes",
    type=click.IntRange(0, 100),
    help="Fresh processes of each, for load time and memory; 0 for none.  [default: 5]",
)
@click.option("--quick", is_flag=True, help="Answer in 20 s: fewer runs, one process, no operators.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of all that is drawn.")
@click.option("--operators", is_flag=True, help="List the operators that take longest.")
@_file("json", "Write everything here, each sample included.")
@_file("markdown", "Write the tables here.")
@_file("html", "Write a page with plots here.")
@click.option("--budget", callback=_budget, metavar="LIMITS", help='Name the best within "p90<=15ms,size<=3MB".')
@click.option(
    "--baseline", "baseline_file", metavar="FILE", type=click.Path(path_type=Path), help="Compare with an earlier JSON."
)
@click.option(
    "--max-regression", default="5%", show_default=True, callback=_share, metavar="PERCENT", help="Worse is a failure."
)
@click.option("--any-conditions", is_flag=True, help="Compare with a baseline of another machine or a disturbed one.")
@click.option("--strict", is_flag=True, help="Exit 3 where the conditions make the figures not valid.")
@click.option("--schema", is_flag=True, expose_value=False, is_eager=True, callback=_print_schema, help="Of the JSON.")
@click.version_option(package_name="fer-edge")
def main(models: tuple[Path, ...], **given: Any) -> int:
    """Measure model files: speed, memory, cost, accuracy, agreement with the float model.

    MODELS are .tflite files or folders of them; without any, the shipped ones. The first is the reference of the
    others. Latency is that of the device's own code for one face: cut, resize, quantise, infer. The variants take
    turns in random order; nothing is left out of the samples.

    Exit code 1: something could not be measured, got worse than the baseline, or nothing fits the budget.
    """
    silence_opencv()
    if given["split"] is not None and given["data"] is None:
        raise UsageError("--split needs --data")
    if given["robustness"] and given["data"] is None:
        raise UsageError("--robustness needs --data")
    if given["parent"] is not None and given["data"] is None:
        raise UsageError("--parent needs --data")
    if given["naive_model"] is not None and given["loop"] is None:
        raise UsageError("--naive-model needs --loop")
    paths = variants.find(models or shipped_models())
    if not paths:
        raise UsageError("no model to measure: this installation ships none, name one")
    if given["html_file"] is not None:
        page.check()
    for name in ("json_file", "markdown_file", "html_file"):
        if given[name] is not None:
            files.check_writable(given[name])
    earlier = None if given["baseline_file"] is None else baseline.load(given["baseline_file"])
    with unwinding_on_sigterm():
        result, failures = measuring.measure(_plan(tuple(paths), shipped=not models, **given), _progress, warn)
    click.echo(tables.text(result, top=given["operators"]))
    _write(result, given["json_file"], given["markdown_file"], given["html_file"])
    for problem in result.conditions.problems:
        warn(f"not valid: {problem}")
    bad = bool(failures)
    if given["budget"] is not None:
        chosen, sentence = choosing.best(result.rows, given["budget"])
        click.echo(sentence)
        bad |= chosen is None
    if earlier is not None:
        bad |= _regressed(result, earlier, given["max_regression"], any_conditions=given["any_conditions"])
    if given["strict"] and result.conditions.problems:
        return _NOT_VALID
    return _FAILED if bad else 0


def _plan(paths: tuple[Path, ...], *, shipped: bool, **given: Any) -> Plan:
    quick = given["quick"]
    effort = latency.QUICK if quick else latency.Effort()
    changes = {name: given[name] for name in ("runs", "seconds") if given[name] is not None}
    return Plan(
        paths=paths,
        runtimes=given["runtime"],
        threads=given["threads"],
        data=given["data"],
        split=given["split"],
        # The float parents of the shipped models do not ship.
        parent=NO_PARENT if shipped and given["parent"] is None else given["parent"],
        loop=given["loop"],
        naive_model=given["naive_model"],
        effort=latency.fitted(effort, **changes),
        processes=_processes(given["processes"], quick=quick),
        profile_seconds=0.0 if quick else 8.0,
        loop_frames=20 if quick else 200,
        energy_seconds=0.0 if quick else 3.0,
        seed=given["seed"],
        quick=quick,
        robustness=given["robustness"],
    )


def _processes(given: int | None, *, quick: bool) -> int:
    if given is not None:
        return given
    return 1 if quick else 5


@contextmanager
def _progress(label: str, steps: int) -> Iterator[Callable[[int], object]]:
    with click.progressbar(length=steps, label=f"{label:9}", file=sys.stderr) as bar:
        yield bar.update


def _write(result: Result, json_file: Path | None, markdown_file: Path | None, html_file: Path | None) -> None:
    if json_file is not None:
        files.write_bytes(json_file, msgspec.json.encode(result) + b"\n")
    if markdown_file is not None:
        command = " ".join(["fer-bench", *sys.argv[1:]])
        files.write_bytes(markdown_file, tables.markdown(result, command).encode())
    if html_file is not None:
        files.write_bytes(html_file, page.write(result))


def _regressed(now: Result, then: Result, limit: float, *, any_conditions: bool) -> bool:
    reasons = baseline.differing(now, then)
    if reasons and not any_conditions:
        warn(f"no comparison with the baseline: {'; '.join(reasons)} (--any-conditions compares all the same)")
        return True
    worse = baseline.worse(now, then, limit)
    for what in worse:
        click.echo(f"worse than the baseline: {what}")
    if not worse:
        click.echo(f"not worse than the baseline of {then.time} by more than {100 * limit:g} %")
    return bool(worse)
