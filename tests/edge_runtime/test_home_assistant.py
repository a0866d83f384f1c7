"""What Home Assistant is told, against what its documentation allows.

The keys, their types and their rules are those of "Configuration Variables" in
https://www.home-assistant.io/integrations/sensor.mqtt/ (home-assistant/home-assistant.io at commit 9e4a69ab998700,
source/_integrations/sensor.mqtt.markdown), of
https://www.home-assistant.io/integrations/binary_sensor.mqtt/ and, for `origin` and the form of the topics, of
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. State classes:
https://developers.home-assistant.io/docs/core/entity/sensor.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from fer_edge.box import Box
from fer_edge.labels import EXPRESSIONS
from fer_edge.sinks._discovery import Device, messages
from fer_edge.sinks.mqtt import OFFLINE, ONLINE, state_of
from fer_edge.types import UNCERTAIN, Face, Result

DEVICE_KEYS = {
    **dict.fromkeys(("configuration_url", "hw_version", "manufacturer", "model", "model_id", "name"), str),
    **dict.fromkeys(("serial_number", "suggested_area", "sw_version", "via_device"), str),
    "connections": list,
    "identifiers": (str, list),
}
ORIGIN_KEYS = {"name": str, "sw_version": str, "support_url": str}
SENSOR_KEYS = {
    **dict.fromkeys(("availability", "options"), list),
    **dict.fromkeys(("availability_mode", "availability_template", "availability_topic", "encoding"), str),
    **dict.fromkeys(("entity_category", "entity_picture", "icon", "json_attributes_template"), str),
    **dict.fromkeys(("json_attributes_topic", "last_reset_value_template", "object_id", "payload_available"), str),
    **dict.fromkeys(("payload_not_available", "platform", "state_topic", "state_class", "unique_id"), str),
    "value_template": str,
    **dict.fromkeys(("device_class", "name", "unit_of_measurement"), (str, type(None))),
    **dict.fromkeys(("enabled_by_default", "force_update"), bool),
    **dict.fromkeys(("expire_after", "qos", "suggested_display_precision"), int),
    "device": dict,
    "origin": dict,
}
# Those of a binary sensor that a sensor does not have, and of a sensor that it does not have.
SENSOR_ONLY = {
    "last_reset_value_template",
    "options",
    "state_class",
    "suggested_display_precision",
    "unit_of_measurement",
}
BINARY_KEYS = {
    **{key: kind for key, kind in SENSOR_KEYS.items() if key not in SENSOR_ONLY},
    "payload_on": str,
    "payload_off": str,
    "off_delay": int,
}
BINARY_CLASSES = {"connectivity", "problem", None}
CATEGORIES = {"config", "diagnostic", None}
STATE_CLASSES = {"measurement", "measurement_angle", "total", "total_increasing"}
# Of the several dozen, those that could be meant here.
DEVICE_CLASSES = {"enum", None}

DEVICE = Device(
    "fer-edge-pi",
    "fer-edge pi",
    "Raspberry Pi 5",
    "0.1.0",
    "fer-edge/pi/state",
    "fer-edge/pi/availability",
    "fer-edge/pi/camera",
)


def check_keys(content: dict[str, Any], allowed: dict[str, Any]) -> None:
    for key, value in content.items():
        assert key in allowed, f"{key} is not documented"
        assert isinstance(value, allowed[key]), f"{key} is {value!r}"


def check_sensor(topic: str, sensor: dict[str, Any], prefix: str) -> None:
    # <discovery_prefix>/<component>/[<node_id>/]<object_id>/config
    form = re.fullmatch(rf"{prefix}/(sensor|binary_sensor)/([a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config", topic)
    assert form, topic
    binary = form[1] == "binary_sensor"
    check_keys(sensor, BINARY_KEYS if binary else SENSOR_KEYS)
    check_keys(sensor["device"], DEVICE_KEYS)
    check_keys(sensor["origin"], ORIGIN_KEYS)
    assert sensor["state_topic"], "required"
    assert sensor["origin"]["name"], "required"
    assert sensor["device"].get("identifiers") or sensor["device"].get("connections"), "one of them is required"
    assert sensor["unique_id"], "required where there is a device"
    assert not {"availability", "availability_topic"} <= set(sensor), "must not be used together"
    assert sensor.get("device_class") in (BINARY_CLASSES if binary else DEVICE_CLASSES)
    assert sensor.get("entity_category") in CATEGORIES
    assert sensor.get("state_class", "measurement") in STATE_CLASSES
    assert binary or sensor["icon"].startswith("mdi:")
    if "options" in sensor:
        assert sensor["options"], "an empty list is not allowed"
        assert sensor["device_class"] == "enum"
        assert not {"state_class", "unit_of_measurement"} & set(sensor), "cannot be used together with options"


@pytest.mark.parametrize("labels", [EXPRESSIONS, ()])
@pytest.mark.parametrize("prefix", ["homeassistant", "home/assistant"])
def test_the_sensors_are_as_documented(labels: tuple[str, ...], prefix: str) -> None:
    told = messages(DEVICE, labels, prefix)
    assert [sensor["name"] for sensor in told.values()] == ["Expression", "Confidence", "Faces", "Camera"]
    for topic, sensor in told.items():
        check_sensor(topic, sensor, prefix)
    # One device with four sensors of their own.
    assert len({str(sensor["device"]) for sensor in told.values()}) == 1
    assert len({sensor["unique_id"] for sensor in told.values()}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"status_topic": "x"},
        {"qos": "1"},
        {"options": []},
        {"state_class": "measurement"},
        {"availability": []},
        {"device": {"name": "no identifier"}},
        {"origin": {"sw": "1"}},
    ],
)
def test_the_check_finds_mistakes(changes: dict[str, Any]) -> None:
    topic, sensor = next(iter(messages(DEVICE, EXPRESSIONS, "homeassistant").items()))
    with pytest.raises((AssertionError, KeyError)):
        check_sensor(topic, {**sensor, **changes}, "homeassistant")


def test_the_templates_read_our_states(make_result: Any) -> None:
    jinja2 = pytest.importorskip("jinja2", reason="needs jinja2, Home Assistant's language of templates")
    sensors = {sensor["name"]: sensor for sensor in messages(DEVICE, EXPRESSIONS, "homeassistant").values()}
    # Its texts are those of the messages themselves.
    camera = sensors.pop("Camera")
    assert (camera["payload_on"], camera["payload_off"]) == (ONLINE, OFFLINE)

    def rendered(result: Result) -> dict[str, str]:
        state = state_of(result)
        return {
            name: jinja2.Template(sensor["value_template"]).render(value_json=state) for name, sensor in sensors.items()
        }

    happy = dict.fromkeys(EXPRESSIONS, 0.01) | {"happy": 0.94}
    nobody = rendered(make_result(0))
    # "None" is what makes a number unknown to Home Assistant; an enumeration has an option of its own.
    assert nobody == {"Expression": "none", "Confidence": "None", "Faces": "0"}
    one = rendered(make_result(0, Face(1, Box(0, 0, 9, 9), happy)))
    assert one == {"Expression": "happy", "Confidence": "94.0", "Faces": "1"}
    unsure = rendered(make_result(0, Face(1, Box(0, 0, 9, 9), happy, min_confidence=0.99)))
    assert unsure == {"Expression": UNCERTAIN, "Confidence": "94.0", "Faces": "1"}
    for shown in (nobody, one, unsure):
        assert shown["Expression"] in sensors["Expression"]["options"]
