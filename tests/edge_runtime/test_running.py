from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from fer_edge import running
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.meanwhile import Meanwhile
from fer_edge.settings import ModelSettings, Settings, SourceSettings
from fer_edge.settings.outputs import JsonlSettings, OutputSettings

# How long a busy machine may take for anything.
LONG_S = 60.0


def test_a_model_that_was_replaced_is_freed(
    network_camera: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[Classifier]] = []
    load = Classifier.load

    def watched(path: Path, **options: Any) -> Classifier:
        classifier = load(path, **options)
        loaded.append(weakref.ref(classifier))
        return classifier

    alive: list[bool] = []

    def reload_then_end(listener: socket.socket) -> None:
        for awaited, number in (("READY=1\n", signal.SIGHUP), ("and model renewed", signal.SIGTERM)):
            with contextlib.suppress(TimeoutError):
                while awaited not in listener.recv(4096).decode():
                    pass
            if number == signal.SIGTERM:
                end = time.monotonic() + LONG_S / 4  # the thread that loaded it may be about to end
                while loaded[0]() is not None and time.monotonic() < end:
                    gc.collect()
                    time.sleep(0.02)
                alive.extend(one() is not None for one in loaded)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Classifier, "load", watched)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    settings = Settings(
        source=SourceSettings(uri=network_camera.address),
        model=ModelSettings(threads=1),
        output=OutputSettings(to=("jsonl",), jsonl=JsonlSettings(path=str(tmp_path / "results.jsonl"))),
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(os.environ["NOTIFY_SOCKET"])
        listener.settimeout(LONG_S)
        user = threading.Thread(target=reload_then_end, args=(listener,))
        user.start()
        running.run(settings, Meanwhile(lambda: open_detector("haar")), lambda: settings)
        user.join()
    assert alive == [False, True]
