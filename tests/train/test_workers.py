"""Training on several machines: two processes on the loopback device."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_train.cli import main
from fer_train.run_folder import RunFolder

# Plain descent, no normalization over a batch and no dropout: nothing but rounding is left to differ. The batch size
# divides the faces, so that every part of a batch weighs the same.
EVEN = [
    *("--arch", "gelu-cnn", "--input-size", "16", "--epochs", "2", "--batch-size", "28", "--augment", "none"),
    *("--optimizer", "sgd", "--learning-rate", "0.05"),
]


def free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(arguments: list[str], ports: list[int], index: int) -> subprocess.Popen[str]:
    config = {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    }
    command = [sys.executable, "-c", "from fer_train.cli import main; main()", "fit", *arguments]
    environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_workers_agree_with_one(mini_csv: Path, tmp_path: Path) -> None:
    shared = ["--data", str(mini_csv), *EVEN]
    alone = CliRunner().invoke(main, ["fit", *shared, "--out", str(tmp_path / "one")], catch_exceptions=False)
    assert alone.exit_code == 0, alone.output
    arguments, ports = [*shared, "--out", str(tmp_path / "two"), "--strategy", "multi-worker"], free_ports(2)
    workers = [start(arguments, ports, index) for index in range(2)]
    said = [worker.communicate(timeout=240) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    one, two = RunFolder(tmp_path / "one"), RunFolder(tmp_path / "two")
    for first, second in zip(one.info.epochs, two.info.epochs, strict=True):
        assert second == pytest.approx(first, abs=1e-4)
    for array, other in zip(one.model().get_weights(), two.model().get_weights(), strict=True):
        np.testing.assert_allclose(array, other, atol=1e-4)
    # The first tells how it goes and writes; the second works.
    assert "best epoch" in said[0][0]
    assert said[1][0] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@pytest.mark.parametrize(
    "config",
    [None, "{", "{}", '{"cluster": {"worker": ["127.0.0.1:1"]}, "task": {"type": "worker", "index": 1}}'],
)
def test_a_wrong_tf_config_is_told(
    config: str | None,
    mini_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_error: Callable[[Result], str],
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    arguments = ["fit", "--data", str(mini_csv), "--out", str(tmp_path / "run"), "--strategy", "multi-worker"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 2
    assert the_error(result).startswith("--strategy multi-worker needs TF_CONFIG")
    assert not list(tmp_path.iterdir())
