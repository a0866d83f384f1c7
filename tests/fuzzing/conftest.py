"""A fuzzer of bounded length over every reader of what others may have written; `docs/security.md` tells the bounds.

FER_FUZZ_SECONDS: how long each test goes on looking with new cases; without it each runs the same few cases.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

CPU_S = 5.0
MEMORY = 512 << 20
SECONDS = float(os.environ.get("FER_FUZZ_SECONDS") or 0)
ROUND = 40
TALLY = pytest.StashKey[dict[str, Counter[str]]]()

Verdict = dict[str, str | float]
Check = Callable[[str, bytes], Verdict]


class Readers:
    """The process in which `reading.py` runs, and what came of its cases."""

    def __init__(self, folder: Path, tally: dict[str, Counter[str]]) -> None:
        self._folder = folder
        self._tally = tally
        script = Path(__file__).parents[1] / "helpers" / "reading.py"
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def judge(self, reader: str, content: bytes, name: str = "case.bin") -> Verdict:
        """Let a reader read some bytes, and hold it to what every reader promises."""
        path = self._folder / name
        path.write_bytes(content)
        return self.judge_file(reader, path)

    def judge_file(self, reader: str, path: Path) -> Verdict:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"reader": reader, "path": str(path)}) + "\n")
        self._process.stdin.flush()
        verdict: Verdict = json.loads(self._process.stdout.readline())
        told = str(verdict["told"])
        tally = self._tally.setdefault(reader, Counter())
        tally["cases"] += 1
        tally["read" if told == "ok" else "refused" if told.startswith("told: ") else "FAILED"] += 1
        tally["slowest ms"] = max(tally["slowest ms"], round(1000 * float(verdict["cpu_s"])))
        tally["largest MiB"] = max(tally["largest MiB"], int(verdict["bytes"]) >> 20)
        # Neither a crash, nor an exception that is no FerError, nor a hang.
        assert told == "ok" or told.startswith("told: "), told
        assert float(verdict["cpu_s"]) < CPU_S, verdict
        assert int(verdict["bytes"]) < MEMORY, verdict
        return verdict

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Readers]:
    found = Readers(tmp_path_factory.mktemp("fuzzing"), request.config.stash.setdefault(TALLY, {}))
    yield found
    found.close()


@pytest.fixture
def search() -> Callable[[st.SearchStrategy[bytes], Callable[[bytes], object], int], None]:
    """Give a function that runs a check on drawn cases: the same few, or with FER_FUZZ_SECONDS ever new ones."""

    def run(cases: st.SearchStrategy[bytes], check: Callable[[bytes], object], examples: int) -> None:
        until, number = time.monotonic() + SECONDS, os.getpid()
        while True:
            chosen = settings(
                max_examples=ROUND if SECONDS else examples,
                derandomize=not SECONDS,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                print_blob=False,
            )

            def one(case: bytes) -> None:
                check(case)

            test = chosen(given(cases)(one))
            (seed(number)(test) if SECONDS else test)()
            number += 1
            if time.monotonic() >= until:
                return

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for reader, tally in sorted(config.stash.get(TALLY, {}).items()):
        terminalreporter.write_line(f"{reader}: {', '.join(f'{name} {count:,}' for name, count in tally.items())}")
