"""What Home Assistant is told, so that a device and its sensors appear there by themselves.

The messages are those of its documentation: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and
https://www.home-assistant.io/integrations/sensor.mqtt/ (and binary_sensor.mqtt/), one a sensor, which every version
understands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge.types import UNCERTAIN

# What the sensor of the expression says where nobody is seen: an enumeration cannot be unknown.
NOBODY = "none"


@dataclass(frozen=True)
class Device:
    """What this device is called.

    Attributes:
        identifier: By programs; of no other device.
        name: By people.
        model: What board it is.
        version: Of fer-edge.
        state_topic: Where its state is published.
        availability_topic: Where "online" and "offline" are.
        camera_topic: Where the same is told of the camera.
    """

    identifier: str
    name: str
    model: str
    version: str
    state_topic: str
    availability_topic: str
    camera_topic: str


def messages(device: Device, labels: Sequence[str], prefix: str) -> dict[str, dict[str, Any]]:
    """Give what to publish, retained: topic to object.

    Args:
        device: This device.
        labels: What expressions the model knows; where they are not known, the sensor takes any.
        prefix: Of Home Assistant's discovery topics.
    """
    options = {"device_class": "enum", "options": [*labels, UNCERTAIN, NOBODY]} if labels else {}
    sensors: dict[str, dict[str, Any]] = {
        "expression": {
            "name": "Expression",
            "icon": "mdi:emoticon-outline",
            "value_template": f"{{{{ value_json.expression or '{NOBODY}' }}}}",
            **options,
        },
        "confidence": {
            "name": "Confidence",
            "icon": "mdi:percent-outline",
            # "None", which it becomes where nobody is seen, makes the sensor unknown.
            "value_template": "{{ (100 * value_json.confidence) | round(1) if value_json.expression else none }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "suggested_display_precision": 0,
        },
        "faces": {
            "name": "Faces",
            "icon": "mdi:account-multiple-outline",
            "value_template": "{{ value_json.count }}",
            "state_class": "measurement",
        },
    }
    camera = {
        "name": "Camera",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": device.camera_topic,
        "payload_on": "online",
        "payload_off": "offline",
    }
    shared = {
        "availability_topic": device.availability_topic,
        "device": {
            "identifiers": [device.identifier],
            "name": device.name,
            "manufacturer": "fer-edge",
            "model": device.model,
            "sw_version": device.version,
        },
        "origin": {"name": "fer-edge", "sw_version": device.version},
    }
    entities = {("sensor", key): {**sensor, "state_topic": device.state_topic} for key, sensor in sensors.items()}
    entities["binary_sensor", "camera"] = camera
    return {
        f"{prefix}/{kind}/{device.identifier}/{key}/config": {
            **entity,
            "unique_id": f"{device.identifier}_{key}",
            **shared,
        }
        for (kind, key), entity in entities.items()
    }
