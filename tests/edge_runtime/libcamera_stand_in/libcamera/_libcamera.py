"""The values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


@dataclass(frozen=True)
class Size:
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Rectangle:
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


class Transform:
    def __init__(
        self,
        other: Transform | None = None,
        *,
        hflip: bool = False,
        vflip: bool = False,
        transpose: bool = False,
    ) -> None:
        self.hflip = bool(other.hflip if other else hflip)
        self.vflip = bool(other.vflip if other else vflip)
        self.transpose = bool(other.transpose if other else transpose)

    def __str__(self) -> str:
        return f"hflip {self.hflip}, vflip {self.vflip}, transpose {self.transpose}"


Orientation = Enum(
    "Orientation",
    "Rotate0 Rotate0Mirror Rotate180 Rotate180Mirror Rotate90Mirror Rotate270 Rotate270Mirror Rotate90",
)


class ColorSpace:
    YcbcrEncoding = Enum("YcbcrEncoding", ["Null", "Rec601", "Rec709"])
    Range = Enum("Range", ["Full", "Limited"])

    def __init__(self, other: ColorSpace | str) -> None:
        self.primaries = self.transferFunction = other if isinstance(other, str) else other.primaries
        self.ycbcrEncoding = self.YcbcrEncoding.Rec601
        self.range = self.Range.Full

    def __str__(self) -> str:
        return self.primaries

    @classmethod
    def Raw(cls) -> ColorSpace:  # noqa: N802
        return cls("raw")

    @classmethod
    def Sycc(cls) -> ColorSpace:  # noqa: N802
        return cls("sycc")

    @classmethod
    def Smpte170m(cls) -> ColorSpace:  # noqa: N802
        return cls("smpte170m")

    @classmethod
    def Rec709(cls) -> ColorSpace:  # noqa: N802
        return cls("rec709")


class ControlType(Enum):
    Integer = auto()
    Float = auto()
    Rectangle = auto()
    Size = auto()


class FrameMetadata:
    Status = Enum("Status", ["Success", "Error", "Cancelled"])

    def __init__(self) -> None:
        self.status = self.Status.Success


class FrameBuffer:
    @dataclass
    class Plane:
        fd: int = -1
        offset: int = 0
        length: int = 0

    def __init__(self, planes: list[Plane]) -> None:
        self.planes = planes
        self.metadata = FrameMetadata()


@dataclass(frozen=True)
class ControlId:
    name: str
    type: ControlType = ControlType.Integer


@dataclass(frozen=True)
class ControlInfo:
    min: object
    max: object
    default: object = field(default=None)
