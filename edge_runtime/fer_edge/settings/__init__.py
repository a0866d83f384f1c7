"""Every setting of `fer-edge run`, with its bounds, its default and what it is: the one place where they are told.

The names are the keys of the configuration file; `docs/configuration.md` and `fer-edge config` are made of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from fer_edge.settings.cameras import Picamera2Settings, ReconnectSettings, V4l2Settings
from fer_edge.settings.detectors import DetectorSettings
from fer_edge.settings.heat import HeatSettings
from fer_edge.settings.loop import LoopSettings
from fer_edge.settings.outputs import OutputSettings
from fer_edge.settings.preview import PreviewSettings

RuntimeName = Literal["auto", "litert", "tensorflow", "tflite-runtime"]


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where frames come from."""

    uri: Annotated[
        str,
        Meta(
            min_length=1,
            description="auto (the Pi's camera, else the first video device that opens), demo, picamera2, a camera's "
            "number or v4l2:/dev/video0, an address (rtsp, http), or the path of an image, a folder or pattern of "
            "images, or a video.",
        ),
    ] = "auto"
    patience_s: Annotated[
        float,
        Meta(
            gt=0,
            le=3600,
            description="Seconds without a frame, or with the very same one, after which a camera or stream is lost. "
            "The service's watchdog has 30 s for that and the next attempt to open it.",
        ),
    ] = 10.0
    picamera2: Picamera2Settings = Picamera2Settings()
    v4l2: V4l2Settings = V4l2Settings()
    reconnect: ReconnectSettings = ReconnectSettings()


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What names the expressions."""

    file: Annotated[
        str, Meta(description="A .tflite that fer-convert wrote; empty for the shipped one.", extra={"file": True})
    ] = ""
    store: Annotated[
        str,
        Meta(
            description="Folder of models that 'fer-edge models install' filled; the current one is used where `file` "
            "is empty. Empty for none."
        ),
    ] = ""
    trial_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86_400,
            description="Seconds after which an installed model that works has proved itself. One that does not live "
            "to that three times in a row gives way to the last that did.",
        ),
    ] = 180.0
    threads: Annotated[int, Meta(ge=0, le=64, description="To compute with; 0 for all cores but one, at most 4.")] = 0
    runtime: Annotated[
        RuntimeName, Meta(description="The only interpreter to use; auto for the first that is installed.")
    ] = "auto"
    portable: Annotated[
        bool,
        Meta(description="Give the same numbers with every interpreter (on x86-64 bit for bit), several times slower."),
    ] = False


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    source: SourceSettings = SourceSettings()
    model: ModelSettings = ModelSettings()
    detector: DetectorSettings = DetectorSettings()
    loop: LoopSettings = LoopSettings()
    heat: HeatSettings = HeatSettings()
    output: OutputSettings = OutputSettings()
    preview: PreviewSettings = PreviewSettings()
