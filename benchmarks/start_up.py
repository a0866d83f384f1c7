"""How long until the first answer, beside what importing the libraries costs alone; and the largest memory.

    python benchmarks/start_up.py portrait.png

Fresh processes take turns. The first answer is the first line that `fer-edge run --output jsonl` writes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

import click
from tabulate import tabulate

_IMPORTS = "import numpy, cv2; from {interpreter} import Interpreter; print()"


def first_line(command: Sequence[str]) -> tuple[float, float]:
    """Run a command.

    Returns:
        Seconds until its first line is there, and its largest resident memory, MB.

    Raises:
        ClickException: It fails, or says nothing.
    """
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not line:
        raise click.ClickException(f"{' '.join(command)} failed: {errors.strip()}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False))
@click.option("--runs", default=15, show_default=True, type=click.IntRange(1), help="Of each, taking turns.")
@click.option("--interpreter", default="ai_edge_litert.interpreter", show_default=True, help="Module to import.")
def main(picture: str, runs: int, interpreter: str) -> None:
    """Compare `fer-edge run --source PICTURE` with importing its libraries."""
    imports = [sys.executable, "-c", _IMPORTS.format(interpreter=interpreter)]
    whole = [sys.executable, "-m", "fer_edge", "run", "--source", picture, "--output", "jsonl"]
    first_line(imports)
    first_line(whole)  # what is read from the disk is in memory now
    pairs = [(first_line(imports), first_line(whole)) for _ in range(runs)]
    rows = [
        (name, statistics.median(one[0] for one in found), max(one[1] for one in found))
        for name, found in zip(("imports", "first answer"), zip(*pairs, strict=True), strict=True)
    ]
    click.echo(tabulate(rows, headers=["", "median s", "most MB"], floatfmt=("", ".3f", ".1f")))
    click.echo(f"median ratio {statistics.median(answer[0] / alone[0] for alone, answer in pairs):.2f}")


if __name__ == "__main__":
    main()
