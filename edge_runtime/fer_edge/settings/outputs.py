"""Settings of the outputs, each field with its description, bounds and default."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Literal["console", "csv", "jsonl", "metrics", "mqtt", "video"]


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readable lines."""

    stream: Annotated[
        Literal["stdout", "stderr"],
        Meta(description="Where the lines go: stderr leaves stdout to another output."),
    ] = "stdout"


class _LinesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What outputs of lines have in common."""

    path: Annotated[
        str, Meta(description="File to append to; its folder is made where it is missing; empty for stdout.")
    ] = ""
    max_mb: Annotated[
        float,
        Meta(ge=0, le=1_000_000, description="Size in MB (10^6 bytes) that the file does not exceed; 0 for no limit."),
    ] = 100.0
    keep: Annotated[
        int,
        Meta(ge=0, le=999, description="Full files to keep, the newest as PATH.1, the next as PATH.2 and so on."),
    ] = 3
    sync_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Seconds after which the next line forces all up to itself to the disk, against power cuts; 0 "
            "for each line.",
        ),
    ] = 5.0


class JsonlSettings(_LinesSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One JSON object a line."""


class CsvSettings(_LinesSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row a face."""


class VideoSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An annotated video, or annotated pictures."""

    path: Annotated[
        str,
        Meta(
            min_length=1, description="A file ending in .mp4, .mkv or .avi, or a folder that takes a picture a frame."
        ),
    ] = "annotated.mkv"
    fps: Annotated[
        float, Meta(ge=0, le=240, description="Frames a second of the video; 0 for the rate of the source.")
    ] = 0.0
    quality: Annotated[int, Meta(ge=1, le=100, description="Quality of the pictures in a folder (JPEG).")] = 90
    min_free_mb: Annotated[
        float,
        Meta(ge=1, le=1e9, description="Free space on the disk, MB (10^6 bytes), below which nothing is written."),
    ] = 200.0
    queue_frames: Annotated[
        int,
        Meta(
            ge=1, le=1000, description="Frames of a camera that wait at most for being written; each holds a picture."
        ),
    ] = 10


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An MQTT broker, and Home Assistant behind it."""

    host: Annotated[str, Meta(min_length=1, description="Name or address of the broker.")] = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of the broker: mostly 1883, and 8883 with TLS.")] = 1883
    username: Annotated[str, Meta(description="User at the broker; empty for none.")] = ""
    password_file: Annotated[
        str, Meta(description="File whose first line is the password; empty for none.", extra={"file": True})
    ] = ""
    client_id: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9_-]*$",
            max_length=64,
            description="Name of this device at the broker and in Home Assistant, of no other; empty for "
            "fer-edge-HOSTNAME.",
        ),
    ] = ""
    topic: Annotated[
        str,
        Meta(
            pattern="^([^+#/\\x00][^+#\\x00]*)?$",
            max_length=200,
            description="Prefix of the topics, of no other device; empty for fer-edge/HOSTNAME.",
        ),
    ] = ""
    qos: Annotated[
        int,
        Meta(
            ge=0,
            le=2,
            description="Quality of service: 0 for sent at most once, 1 for confirmed, 2 for exactly once.",
        ),
    ] = 1
    retain: Annotated[bool, Meta(description="Whether the broker keeps the last state for those who come later.")] = (
        True
    )
    interval_s: Annotated[
        float,
        Meta(ge=0, le=86_400, description="Seconds between two states at least; 0 for one a frame."),
    ] = 1.0
    keepalive_s: Annotated[
        int, Meta(ge=5, le=3600, description="Seconds after which a silent broker counts as lost.")
    ] = 30
    retry_s: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="Seconds between two attempts to connect at most; the first follow in shorter order.",
        ),
    ] = 30.0
    tls: Annotated[bool, Meta(description="Whether the connection is encrypted and the broker proves who it is.")] = (
        False
    )
    ca_file: Annotated[
        str,
        Meta(
            description="File of the authorities (PEM) that may vouch for the broker; empty for the system's.",
            extra={"file": True},
        ),
    ] = ""
    discovery: Annotated[bool, Meta(description="Whether Home Assistant is told what there is.")] = True
    discovery_prefix: Annotated[
        str,
        Meta(
            pattern="^[^+#/\\x00][^+#\\x00]*$",
            max_length=200,
            description="Prefix of the topics under which Home Assistant looks for devices.",
        ),
    ] = "homeassistant"
    device_name: Annotated[
        str, Meta(max_length=200, description="Name of the device in Home Assistant; empty for fer-edge HOSTNAME.")
    ] = ""


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Figures for Prometheus, by HTTP at /metrics."""

    host: Annotated[
        str, Meta(min_length=1, description="Address to listen at: 0.0.0.0 for all that this device has.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen at.")] = 9617


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go."""

    to: Annotated[
        tuple[Name, ...],
        Meta(
            min_length=1,
            description="Outputs, each once. console: a readable line a frame; jsonl: one JSON object a line; csv: one "
            "row a face; video: an annotated video or pictures; mqtt: a broker; metrics: figures for Prometheus.",
        ),
    ] = ("console",)
    events: Annotated[
        bool,
        Meta(
            description="Whether console, jsonl, csv and mqtt tell only of faces that appear, change their expression "
            "or leave."
        ),
    ] = False
    queue_frames: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="Results that wait for an output at most, where it has a queue; the oldest give way.",
        ),
    ] = 100
    console: ConsoleSettings = ConsoleSettings()
    jsonl: JsonlSettings = JsonlSettings()
    csv: CsvSettings = CsvSettings()
    video: VideoSettings = VideoSettings()
    mqtt: MqttSettings = MqttSettings()
    metrics: MetricsSettings = MetricsSettings()
