"""The controls and what they take."""

from enum import IntEnum
from types import SimpleNamespace

from ._libcamera import ControlId, ControlType

AfMode = ControlId("AfMode")
AnalogueGain = ControlId("AnalogueGain", ControlType.Float)
AnalogueGainMode = ControlId("AnalogueGainMode")
ExposureTime = ControlId("ExposureTime")
ExposureTimeMode = ControlId("ExposureTimeMode")
FrameDurationLimits = ControlId("FrameDurationLimits")
NoiseReductionMode = ControlId("NoiseReductionMode")
SensorTimestamp = ControlId("SensorTimestamp")

AfModeEnum = IntEnum("AfModeEnum", ["Manual", "Auto", "Continuous"], start=0)
draft = SimpleNamespace(
    NoiseReductionModeEnum=IntEnum("NoiseReductionModeEnum", ["Off", "Fast", "HighQuality", "Minimal"], start=0)
)
