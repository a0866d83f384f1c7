"""What only shows after a while: memory that grows, frames that get old."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from fer_edge.sources._latest import Shot, newest_frames

FRAME_S = 1 / 30


@pytest.mark.slow
def test_a_slow_loop_gets_new_frames_and_counts_the_others() -> None:
    shots = [0]

    def shoot() -> Shot:
        time.sleep(FRAME_S)
        shots[0] += 1
        return Shot(np.full((48, 64), shots[0] % 256, np.uint8), time.monotonic_ns(), 0.0)

    taken, ages = [], []
    with closing(newest_frames("camera", shoot, threading.Event(), 10.0)) as frames:
        for frame in islice(frames, 200):
            ages.append((time.monotonic_ns() - frame.captured_ns) / 1e9)
            taken.append(frame)
            time.sleep(0.1)
    assert float(np.percentile(ages, 99)) < 2 * FRAME_S
    # Each picture is either taken or counted, and its number is that of the shot.
    for number, frame in enumerate(taken, start=1):
        assert frame.index + 1 == number + frame.dropped
        assert int(frame.image[0, 0]) == (frame.index + 1) % 256
    assert taken[-1].dropped > 300


@pytest.mark.slow
def test_a_hundred_thousand_frames_take_no_more_memory_than_a_thousand(model_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    code = (
        "import gc, itertools, re\n"
        "from pathlib import Path\n"
        "from fer_edge import Classifier, Loop, open_detector, open_source\n"
        "from fer_edge.sinks._lines import Stream\n"
        "from fer_edge.sinks.jsonl import JsonlSink\n"
        "from fer_edge.summary import Summary\n"
        "import sys\n"
        "def resident():\n"
        "    return int(re.search(r'VmRSS:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        f"loop = Loop(open_detector('haar'), Classifier.load(Path({str(model_path)!r}), threads=1))\n"
        "summary, sink, seen = Summary(), JsonlSink(Stream(open('/dev/null', 'wb'))), []\n"
        "with open_source('demo') as source, summary:\n"
        "    for number, frame in enumerate(source, start=1):\n"
        "        result = loop.process(frame)\n"
        "        summary.add(result)\n"
        "        sink.write(result)\n"
        "        if number in (1000, 100_000):\n"
        "            seen.append(resident())\n"
        "        if number == 100_000:\n"
        "            break\n"
        "print(*seen)\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=3600, check=True, env=environment
    )
    first, last = map(int, done.stdout.split())
    assert last - first < 2000
