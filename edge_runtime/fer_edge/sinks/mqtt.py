"""State and events to an MQTT broker, for Home Assistant and others."""

from __future__ import annotations

import importlib.util
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec

from fer_edge import files
from fer_edge.board import Board
from fer_edge.errors import FerError, UsageError
from fer_edge.settings.outputs import MqttSettings, OutputSettings
from fer_edge.sinks import Context
from fer_edge.sinks._broker import Broker
from fer_edge.sinks._discovery import Device, messages
from fer_edge.sinks._events import Event
from fer_edge.sinks._objects import of_event, of_result
from fer_edge.types import Frame, Result
from fer_edge.version import version

if TYPE_CHECKING:
    from paho.mqtt.client import Client

ONLINE, OFFLINE = "online", "offline"


class MqttSink:
    """Publishes below a prefix `state`, `availability` and `camera`, retained, and `event`; see `docs/output.md`."""

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = True

    def __init__(self, settings: MqttSettings, context: Context) -> None:
        """Name the broker.

        Raises:
            FerError: The password's file cannot be read.
            UsageError: Settings do not go together.
        """
        host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())
        client_id = settings.client_id or f"fer-edge-{host}"
        prefix = settings.topic or f"fer-edge/{host}"
        self.interval_s = settings.interval_s
        self._settings = settings
        self._labels = context.labels
        self._event_topic = f"{prefix}/event"
        self._device = Device(
            client_id,
            settings.device_name or f"fer-edge {host}",
            Board().model() or "fer-edge",
            version(),
            f"{prefix}/state",
            f"{prefix}/availability",
            f"{prefix}/camera",
        )
        self._broker = Broker(
            settings,
            client_id,
            _password(settings),
            (self._device.availability_topic, OFFLINE),
            self._greet,
            context.losses,
        )
        self._encoder = msgspec.json.Encoder()
        self._latest: Result | None = None
        self._camera = ONLINE

    def __enter__(self) -> Self:
        """Start to connect, and wait for nothing. Raises `FerError` where the certificates cannot be read."""
        self._broker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell that this device is offline, and leave."""
        self._broker.__exit__()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Publish the state. Raises `LostError` where the broker cannot be reached."""
        self._publish_state(result)

    def tell(self, event: Event) -> None:
        """Publish an event, and the state that it has led to. Raises what `write` does."""
        try:
            self._broker.publish(self._event_topic, self._encoder.encode(of_event(event)), retain=False)
        finally:
            self._publish_state(event.result)

    def camera(self, there: bool) -> None:
        """Publish whether the camera is there. Raises what `write` does."""
        self._camera = ONLINE if there else OFFLINE
        self._broker.publish(self._device.camera_topic, self._camera.encode(), retain=True)

    def _publish_state(self, result: Result) -> None:
        content = self._encoder.encode(state_of(result))
        try:
            self._broker.publish(self._device.state_topic, content, retain=self._settings.retain)
        finally:
            self._latest = result

    def _greet(self, client: Client) -> None:
        """Publish what comes first on each connection: the newest state among it, in place of all that was missed."""
        client.publish(self._device.availability_topic, ONLINE, 1, retain=True)
        client.publish(self._device.camera_topic, self._camera, 1, retain=True)
        if self._settings.discovery:
            told = messages(self._device, self._labels(), self._settings.discovery_prefix)
            for topic, content in told.items():
                client.publish(topic, self._encoder.encode(content), 1, retain=True)
        if self._latest is not None:
            content = state_of(self._latest)
            client.publish(self._device.state_topic, self._encoder.encode(content), 1, self._settings.retain)


def state_of(result: Result) -> dict[str, Any]:
    """Give a result as an object, ahead of all what simple readers want: number of faces, and the largest one's."""
    largest = max(result.faces, key=lambda face: face.box.width * face.box.height, default=None)
    return {
        "count": len(result.faces),
        "expression": None if largest is None else largest.expression,
        "confidence": None if largest is None else round(largest.confidence, 4),
        **of_result(result),
    }


def _password(settings: MqttSettings) -> str | None:
    if not settings.password_file:
        return None
    if not settings.username:
        raise UsageError("mqtt.password_file is set without mqtt.username: MQTT knows no password without a user")
    content = files.read_bytes(Path(settings.password_file), "password file")
    try:
        return content.decode().splitlines()[0]
    except UnicodeDecodeError as error:
        raise FerError(f"password file {settings.password_file} is no UTF-8 text") from error


def create(settings: OutputSettings, context: Context) -> MqttSink:
    """Make the sink.

    Raises:
        FerError: paho-mqtt is not installed, or see `MqttSink`.
    """
    if importlib.util.find_spec("paho") is None:
        raise FerError("the output mqtt needs its extra: pip install 'fer-edge[mqtt]'")
    if settings.mqtt.ca_file and not settings.mqtt.tls:
        raise UsageError("mqtt.ca_file is set, but mqtt.tls is not: the connection would not be encrypted")
    return MqttSink(settings.mqtt, context)
