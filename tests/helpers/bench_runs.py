"""`fer-bench` as a user runs it, but for little."""

from __future__ import annotations

from pathlib import Path

import msgspec
from click.testing import CliRunner, Result

from fer_bench import results
from fer_bench.cli import main

# As little as shows that everything is there.
FEW = ("--quick", "--runs", 40, "--seconds", 0, "--processes", 0)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def read(path: Path) -> results.Result:
    return msgspec.json.decode(path.read_bytes(), type=results.Result)
