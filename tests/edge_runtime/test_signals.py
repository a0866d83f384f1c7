from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

from fer_edge.supervision.signals import Signals


def test_the_first_stops_and_handlers_are_given_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    told, reload = threading.Event(), threading.Event()
    with Signals(stopping=told.set, reload=reload, end=_never) as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert reload.wait(5)
        assert not signals.stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.stop.wait(5)
        assert told.wait(5)
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_loop_that_hangs_is_ended_in_time() -> None:
    # A lock of the C library that is taken twice: no signal handler of Python's ever runs again.
    code = (
        "import ctypes, time\n"
        "from fer_edge.supervision.signals import Signals\n"
        "flush = lambda seconds: print('flushed', round(seconds, 3), flush=True)\n"
        "with Signals(stopping=lambda: print('stopping', flush=True), flush=flush, flush_s=0.5, end_s=1.0):\n"
        "    library, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\n"
        "    print('ready', flush=True)\n"
        "    library.pthread_mutex_lock(lock)\n"
        "    library.pthread_mutex_lock(lock)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "stopping\nflushed 0.5\n")


def test_the_second_ends_a_program_that_takes_its_time() -> None:
    code = (
        "import time\n"
        "from fer_edge.supervision.signals import Signals\n"
        "with Signals() as signals:\n"
        "    print('ready', flush=True)\n"
        "    signals.stop.wait()\n"
        "    print('stopped', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.stdout.readline() == "stopped\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


def _never(code: int) -> None:
    raise AssertionError(f"ended with {code}")
