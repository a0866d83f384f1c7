"""Kills a process that writes results, in the middle, looks at the file, and again.

kill_while_writing.py FOLDER MAX_BYTES KILLS
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from fer_edge.box import Box
from fer_edge.labels import EXPRESSIONS
from fer_edge.sinks._lines import LineFile
from fer_edge.sinks.jsonl import JsonlSink
from fer_edge.types import Face, Result, StageTimes

folder, max_bytes, kills = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
probabilities = dict.fromkeys(EXPRESSIONS, 1 / 7)
# So many faces that a line is two pages of memory: the kernel can be stopped between two of them.
faces = tuple(Face(track, Box(track, 0, 10, 10), probabilities) for track in range(40))


def write_for_ever(first: int) -> None:
    with JsonlSink(LineFile(folder / "lines", max_bytes=max_bytes, keep=999, sync_s=0.01)) as sink:
        number = first
        while True:
            sink.write(Result(number, datetime.now(UTC), "kill", 1.0, 0, faces, StageTimes(1.0, 1.0, 1.0, 3.0)))
            number += 1


def is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def files() -> list[Path]:
    return sorted(folder.glob("lines*"), key=lambda path: -int(path.suffix[1:] or 0))


def total_size() -> int:
    try:
        return sum(path.stat().st_size for path in files())
    except FileNotFoundError:  # renamed just now: the process writes
        return -1


random.seed(1)
# Joined, the files only ever grow: what was seen is not looked at again.
seen, rest, torn = 0, b"nothing", 0
numbers: list[int] = []
for kill in range(kills):
    size = total_size()
    child = os.fork()
    if not child:
        try:
            write_for_ever(1_000_000 * kill)
        finally:
            os._exit(1)
    # A busy machine takes its time to start the process: it is killed once it writes.
    while total_size() == size:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    content = b"".join(path.read_bytes() for path in files())
    *whole, last = content[seen:].split(b"\n")
    seen = len(content) - len(last)
    for place, line in enumerate(whole):
        # What the kill before had torn was ended by this process.
        if place or not line.startswith(rest) or is_whole(line):
            numbers.append(json.loads(line)["frame"])
        else:
            torn += 1
    rest = last or b"nothing"
assert numbers == sorted(set(numbers)), "lines are lost in between or doubled"
print(json.dumps({"lines": len(numbers), "torn": torn, "files": len(files())}))
