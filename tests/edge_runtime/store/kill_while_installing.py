"""Kills installations at random moments, looks at the store after each, and again.

kill_while_installing.py STORE KILLS DENSE_KILLS MODEL MODEL

The first KILLS end the command as a user runs it, DENSE_KILLS only the part that writes. Prints what was seen.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from fer_edge.store import Store, installing
from fer_edge.store.durable import digest
from fer_edge.store.listing import LISTING_NAME, is_file_name
from fer_edge.store.trying import try_model

store, kills, dense_kills, models = (
    Path(sys.argv[1]),
    int(sys.argv[2]),
    int(sys.argv[3]),
    [Path(a) for a in sys.argv[4:]],
)
random.seed(1)
sums = {digest(model, 1 << 30): model.name for model in models}
seen: Counter[str] = Counter()


def check(what: str) -> None:
    """Raise where the store is not usable, whatever the process was at when it was killed."""
    trial = Store(store).begin()
    if trial is None:
        assert not (store / LISTING_NAME).exists()
        seen[f"{what}: none"] += 1
        return
    assert trial.notice is None, trial.notice
    seen[f"{what}: {sums[digest(trial.path, 1 << 30)]}"] += 1
    trial.ended()
    files = [path.name for path in store.iterdir() if is_file_name(path.name)]
    assert len(files) <= 3, files


def parts() -> list[Path]:
    return list(store.glob(".*.part")) if store.is_dir() else []


for number in range(kills):
    command = [sys.executable, "-m", "fer_edge", "models", "install", str(models[number % 2]), "--store", str(store)]
    left = set(parts())
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if number % 4:
        # Most of its time it only tries the model: it is killed once it writes.
        while set(parts()) <= left and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(random.uniform(0, 0.03))
    else:
        time.sleep(random.uniform(0, 2))
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    seen["killed"] += process.returncode != 0
    check("command")

reports = {model: try_model(model, threads=1) for model in models}
installing.try_model = lambda path, **_options: reports[path]  # type: ignore[assignment]


def install_in_child(model: Path) -> int:
    child = os.fork()
    if not child:
        try:
            installing.install(model, store)
        finally:
            os._exit(1)
    return child


# How long it takes on this machine, now.
began = time.perf_counter()
for number in range(4):
    os.waitpid(install_in_child(models[number % 2]), 0)
usual_s = (time.perf_counter() - began) / 4
for number in range(dense_kills):
    child = install_in_child(models[number % 2])
    time.sleep(random.uniform(0, 1.5 * usual_s))
    os.kill(child, signal.SIGKILL)
    seen["killed"] += os.waitpid(child, 0)[1] == signal.SIGKILL
    check("writing")
print(json.dumps(seen))
