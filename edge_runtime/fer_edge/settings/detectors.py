"""How faces are searched."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Literal["haar", "none", "yunet"]


class HaarSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Haar cascade."""

    cascade: Annotated[
        str, Meta(min_length=1, description="A path, or the name of a file in OpenCV's cascade folder.")
    ] = "haarcascade_frontalface_default.xml"
    scale_factor: Annotated[
        float,
        Meta(gt=1, le=2, description="Ratio between the sizes searched; larger is faster and misses more."),
    ] = 1.2
    neighbors: Annotated[
        int, Meta(ge=0, le=100, description="Hits that must agree on a face; larger misses more and invents less.")
    ] = 5
    smallest: Annotated[
        float, Meta(ge=0, le=1, description="Smallest face, as a fraction of the picture's shorter side.")
    ] = 0.12
    working_width: Annotated[
        int,
        Meta(ge=24, le=16384, description="A wider picture is reduced to this many pixels for the search."),
    ] = 400
    follow_size: Annotated[
        int,
        Meta(
            ge=24,
            le=1000,
            description="A followed face is reduced to this many pixels, where it is larger; the cascade's own size "
            "is 24.",
        ),
    ] = 40
    follow_window: Annotated[
        float,
        Meta(
            ge=1, le=10, description="Side of the square that is searched around a followed face, in units of the face."
        ),
    ] = 1.5
    follow_change: Annotated[
        float,
        Meta(ge=1, le=4, description="How much larger or smaller, as a factor, the face may have become."),
    ] = 1.25
    follow_scale_factor: Annotated[float, Meta(gt=1, le=2, description="Ratio between the sizes searched there.")] = 1.1
    follow_neighbors: Annotated[int, Meta(ge=0, le=100, description="Hits that must agree there.")] = 3


class YunetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network YuNet, from a file of the OpenCV zoo."""

    file: Annotated[
        str, Meta(description="The network, face_detection_yunet_2023mar.onnx of the OpenCV zoo.", extra={"file": True})
    ] = ""
    confidence: Annotated[float, Meta(ge=0, le=1, description="Least score of a face.")] = 0.7
    overlap: Annotated[float, Meta(ge=0, le=1, description="Of two faces that overlap more the surer one stays.")] = 0.3
    working_width: Annotated[
        int, Meta(ge=32, le=16384, description="A wider picture is reduced to this many pixels.")
    ] = 320
    follow_window: Annotated[
        float,
        Meta(
            ge=1, le=10, description="Side of the square that is searched around a followed face, in units of the face."
        ),
    ] = 2.0
    follow_size: Annotated[int, Meta(ge=32, le=4096, description="That square is brought to this many pixels.")] = 96


class DetectorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What finds faces."""

    name: Annotated[
        Name,
        Meta(
            description="haar, the cascade of Viola and Jones that comes with OpenCV; yunet, a network that also finds "
            "turned and small faces; none, where each frame is a face."
        ),
    ] = "haar"
    haar: HaarSettings = HaarSettings()
    yunet: YunetSettings = YunetSettings()
