"""The output mqtt with a real broker, mosquitto."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brokers import NAME, Mosquitto, Subscriber, faces, numbers, settings
from fer_edge.errors import FerError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.sinks import Context, open_sink, open_sinks
from fer_edge.types import Result
from waiting import wait_until

pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (extra mqtt)")

Subscribe = Callable[[int], Subscriber]
Make = Callable[..., Result]


def test_state_availability_and_discovery(broker: Mosquitto, subscribe: Subscribe, make_result: Make) -> None:
    told: list[str] = []
    early = subscribe(broker.port)
    with open_sinks(
        ["mqtt"], settings(broker.port), live=True, labels=lambda: EXPRESSIONS, tell=told.append
    ) as outputs:
        outputs.write(make_result(0))
        outputs.write(make_result(1, *faces("happy", "sad")))
        wait_until(lambda: len(early.of("test/door/state")) >= 2, "the states")
        late = subscribe(broker.port)
        wait_until(lambda: len(late.messages) >= 7, "what was retained")
    wait_until(lambda: early.texts("test/door/availability") == ["online", "offline"], "the goodbye")
    nobody, two = early.of("test/door/state")[:2]
    assert list(nobody)[:4] == ["count", "expression", "confidence", "frame"]
    assert (nobody["count"], nobody["expression"], nobody["confidence"]) == (0, None, None)
    assert (two["count"], two["expression"], two["confidence"], two["frame"]) == (2, "sad", 0.94, 1)
    assert [face["expression"] for face in two["faces"]] == ["happy", "sad"]
    # The newest state and the sensors are kept for those who come later.
    assert late.of("test/door/state") == [two]
    assert late.texts("test/door/availability")[0] == "online"
    kept = {topic for topic, _, retained in late.messages if retained}
    assert kept == {
        "test/door/state",
        "test/door/availability",
        "test/door/camera",
        f"homeassistant/binary_sensor/{NAME}/camera/config",
        *(f"homeassistant/sensor/{NAME}/{key}/config" for key in ("expression", "confidence", "faces")),
    }
    assert outputs.lost == {"mqtt": 0}
    assert told == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_burst_is_sent_whole(broker: Mosquitto, subscribe: Subscribe, make_result: Make, qos: int) -> None:
    told: list[str] = []
    subscriber = subscribe(broker.port)
    with open_sinks(["mqtt"], settings(broker.port, qos=qos), live=True, tell=told.append) as outputs:
        for number in range(100):
            outputs.write(make_result(number))
    wait_until(lambda: "offline" in subscriber.texts("test/door/availability"), "the goodbye")
    assert numbers(subscriber)[-100:] == list(range(100))
    assert (outputs.lost, told) == ({"mqtt": 0}, [])


def test_events(broker: Mosquitto, subscribe: Subscribe, make_result: Make) -> None:
    told: list[str] = []
    subscriber = subscribe(broker.port)
    chosen = settings(broker.port, events=True, interval_s=3600, retain=False, discovery=False)
    with open_sinks(["mqtt"], chosen, live=True, tell=told.append) as outputs:
        for number, shown in enumerate([(), ("happy",), ("happy",), ("sad",), ("sad",), ()]):
            outputs.write(make_result(number, *faces(*shown)))
    wait_until(lambda: "offline" in subscriber.texts("test/door/availability"), "the goodbye")
    events = subscriber.of("test/door/event")
    assert [(event["frame"], event["event"], event["was"]) for event in events] == [
        (1, "appeared", None),
        (3, "changed", "happy"),
        (5, "left", "sad"),
    ]
    assert [state["frame"] for state in subscriber.of("test/door/state")][-3:] == [1, 3, 5]
    late = subscribe(broker.port)
    time.sleep(0.2)
    assert {topic for topic, _, _ in late.messages} == {"test/door/availability", "test/door/camera"}
    assert told == []


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"password_file": "FOLDER/none"}, UsageError, "mqtt.password_file is set without mqtt.username"),
        ({"password_file": "FOLDER/none", "username": "x"}, FerError, "cannot read password file FOLDER/none: No such"),
        ({"password_file": "FOLDER/empty", "username": "x"}, FerError, "password file FOLDER/empty is empty"),
        ({"password_file": "FOLDER/bytes", "username": "x"}, FerError, "password file FOLDER/bytes is no UTF-8 text"),
        ({"ca_file": "FOLDER/none"}, UsageError, "mqtt.ca_file is set, but mqtt.tls is not"),
        ({"ca_file": "FOLDER/none", "tls": True}, FerError, "cannot read the authorities of mqtt.ca_file FOLDER/none"),
        ({"ca_file": "FOLDER/bytes", "tls": True}, FerError, "cannot read the authorities of mqtt.ca_file FOLDER/byt"),
    ],
)
def test_settings_that_cannot_be_meant(
    tmp_path: Path, changes: dict[str, Any], error: type[FerError], said: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"caf\xe9\n")
    given = {
        key: value.replace("FOLDER", str(tmp_path)) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    with pytest.raises(error) as caught, open_sinks(["mqtt"], settings(9, **given), live=True):
        pass
    assert str(caught.value).startswith(said.replace("FOLDER", str(tmp_path)))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FerError) as caught:
        open_sink("mqtt", settings(9), Context())
    assert str(caught.value) == "the output mqtt needs its extra: pip install 'fer-edge[mqtt]'"
