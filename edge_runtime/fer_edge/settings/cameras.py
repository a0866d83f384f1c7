"""How cameras are run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Pixels = Annotated[int, Meta(ge=0, le=16384)]


class Picamera2Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera of the Raspberry Pi, by picamera2."""

    size: Annotated[
        tuple[Pixels, Pixels],
        Meta(
            description="Width and height of the picture, pixels. Odd ones are made even; what the camera makes of it "
            "counts."
        ),
    ] = (640, 480)
    color: Annotated[
        bool,
        Meta(
            description="Whether frames have a colour picture, [H, W, 3] BGR, beside the luma; else they are the luma."
        ),
    ] = False
    luma_size: Annotated[
        tuple[Pixels, Pixels],
        Meta(
            description="Width and height of the luma beside a colour picture, pixels, at most `size`; 0, 0 for "
            "`size`. Faces are found in the luma, and their boxes are in its pixels."
        ),
    ] = (0, 0)
    frame_rate: Annotated[
        float, Meta(gt=0, le=1000, description="Frames a second, where the camera lets it be set.")
    ] = 30.0
    horizontal_flip: Annotated[bool, Meta(description="Mirror the picture.")] = False
    vertical_flip: Annotated[
        bool,
        Meta(description="Turn it upside down; with `horizontal_flip` as well it is turned by 180 degrees."),
    ] = False
    exposure_us: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Time of exposure, microseconds; 0 for automatic.")
    ] = 0
    analogue_gain: Annotated[
        float, Meta(ge=0, le=1000, description="Amplification at the sensor, from 1; 0 for automatic.")
    ] = 0.0
    autofocus: Annotated[
        Literal["continuous", "manual"],
        Meta(description='"manual" for the lens to stay where it is; nothing to cameras of fixed focus.'),
    ] = "continuous"
    fresh: Annotated[
        bool,
        Meta(
            description="Whether only frames count whose exposure began after they were asked for. Age falls, and the "
            "rate too."
        ),
    ] = False
    buffer_count: Annotated[
        int,
        Meta(ge=1, le=64, description="Frames in memory: one is copied, one waits, and the camera writes the others."),
    ] = 4


class V4l2Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera that the kernel shows as a video device, by Video4Linux. What the driver does not offer is an error."""

    pixel_format: Annotated[
        str,
        Meta(
            pattern="^([ -~]{4})?$",
            description="Four characters by which Video4Linux names a format, such as MJPG or YUYV; empty for the "
            "driver's choice. `v4l2-ctl --list-formats-ext` lists what a camera offers. USB 2 carries large pictures "
            "at full rate only as MJPG; YUYV needs no decoding.",
        ),
    ] = ""
    size: Annotated[
        tuple[Pixels, Pixels],
        Meta(description="Width and height of the picture, pixels; 0, 0 for the driver's choice."),
    ] = (0, 0)
    frame_rate: Annotated[float, Meta(ge=0, le=1000, description="Frames a second; 0 for the driver's choice.")] = 0.0


class ReconnectSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens where a camera or stream is lost."""

    give_up_s: Annotated[
        float,
        Meta(
            ge=0,
            le=1e9,
            description="Seconds for which it is opened again and again, before the program ends with exit code 69; 0 "
            "to end at once.",
        ),
    ] = 300.0
    at_start: Annotated[
        bool,
        Meta(description="Whether one that is not there at the start is waited for as well; else that is an error."),
    ] = False
    pause_s: Annotated[
        float,
        Meta(ge=0.01, le=3600, description="Seconds before the second attempt; each further pause is twice as long."),
    ] = 0.5
    max_pause_s: Annotated[
        float, Meta(ge=0.01, le=3600, description="Seconds that a pause takes at most; up to half is left to chance.")
    ] = 30.0
