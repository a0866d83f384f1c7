"""Training on several machines: TensorFlow's `MultiWorkerMirroredStrategy`, told who is who by `TF_CONFIG`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from fer_edge.errors import UsageError
from fer_train.keras_setup import tf


class Team:
    """One process, working alone.

    Attributes:
        writes: Whether this process writes files and talks.
        size: Number of processes.
    """

    writes = True
    size = 1

    def scope(self) -> Any:
        """Give the context in which variables are made."""
        return contextlib.nullcontext()

    def share(self, batches: Callable[[tuple[int, int]], Any]) -> Any:
        """Give this process its part of every batch.

        Args:
            batches: From (number of this process, number of processes) to a `tf.data.Dataset`.
        """
        return batches((0, 1))


class MultiWorker(Team):
    """One of several processes, each of which has the whole data and takes its share of each batch."""

    def __init__(self) -> None:
        """Join the others; waits until all are there.

        Raises:
            UsageError: `TF_CONFIG` is missing or wrong.
        """
        try:
            config = json.loads(os.environ["TF_CONFIG"])
            self._number, self.size = int(config["task"]["index"]), len(config["cluster"]["worker"])
            if config["task"]["type"] != "worker" or not 0 <= self._number < self.size:
                raise ValueError(f"task {config['task']} is no worker of {self.size}")
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                f"--strategy multi-worker needs TF_CONFIG with the cluster's workers and this task ({error}): "
                '{"cluster": {"worker": ["host1:port", "host2:port"]}, "task": {"type": "worker", "index": 0}}'
            ) from error
        self.writes = self._number == 0
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def scope(self) -> Any:
        """Give the context in which variables are made, mirrored on all machines."""
        return self._strategy.scope()

    def share(self, batches: Callable[[tuple[int, int]], Any]) -> Any:
        """Give this process its part of every batch."""
        return self._strategy.distribute_datasets_from_function(lambda _context: batches((self._number, self.size)))
