"""The cameras, each with a thread for its sensor."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from . import controls
from ._configuration import CameraConfiguration, Stream, StreamConfiguration, StreamRole
from ._libcamera import ControlId, ControlInfo, FrameBuffer, Orientation

EXPOSURE_US = 5_000
PADDING, CHROMA = 255, 254


def picture(width: int, height: int, number: int) -> npt.NDArray[np.uint8]:
    """Give the luma, [height, width], of the frame of that number: no row, column or frame is like the next."""
    rows, columns = np.mgrid[:height, :width]
    return ((rows * 3 + columns + number) % 251).astype(np.uint8)


class Request:
    Status = Enum("Status", ["Pending", "Complete", "Cancelled"])

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.status = self.Status.Pending
        self.buffers: dict[Stream, FrameBuffer] = {}
        self.metadata: dict[ControlId, Any] = {}
        self.controls: dict[ControlId, Any] = {}

    def add_buffer(self, stream: Stream, buffer: FrameBuffer) -> None:
        self.buffers[stream] = buffer

    def set_control(self, control: ControlId, value: Any) -> None:
        self.controls[control] = value

    def reuse(self) -> None:
        self.status = self.Status.Pending
        self.metadata, self.controls = {}, {}


class CameraManager:
    _only: ClassVar[CameraManager | None] = None

    def __init__(self) -> None:
        self.cameras: list[Camera] = []
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready: deque[Request] = deque()

    @classmethod
    def singleton(cls) -> CameraManager:
        if cls._only is None:
            cls._only = cls()
            # What a program finds that sets nothing up.
            cls._only.cameras = [Camera()]
        return cls._only

    def get_ready_requests(self) -> list[Request]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        ready = []
        while self._ready:
            ready.append(self._ready.popleft())
        return ready

    def complete(self, request: Request, status: Request.Status) -> None:
        request.status = status
        self._ready.append(request)
        os.eventfd_write(self.event_fd, 1)


class Camera:
    """A camera.

    What a test sets:
        adjusted: Fields of the first stream's configuration that the camera changes.
        clock: Stamps the frames, nanoseconds.
        stalled: Whether it stops to deliver, as with the cable out.
        refusal: What starting it raises.
        controls: A test may take some away.

    What a test looks at:
        configured: The configuration in force.
        given: The controls by name that it was started with, or that came with a request.
        queued: Requests that wait to be filled.
        made: Requests that there are.
    """

    def __init__(self, number: int = 0) -> None:
        self.id = f"/base/soc/i2c0mux/i2c@{number}/imx708@1a"
        self.properties = {ControlId("Model"): "imx708", ControlId("ColorFilterArrangement"): 0}
        self.controls = {
            controls.AfMode: ControlInfo(0, 2, 0),
            controls.AnalogueGain: ControlInfo(1.0, 16.0, 1.0),
            controls.ExposureTime: ControlInfo(1, 66_666, 20_000),
            controls.FrameDurationLimits: ControlInfo(5_000, 200_000, 33_333),
            controls.NoiseReductionMode: ControlInfo(0, 4, 0),
        }
        self.adjusted: dict[str, object] = {}
        self.clock: Callable[[], int] = time.monotonic_ns
        self.stalled = False
        self.refusal: Exception | None = None
        self.configured: CameraConfiguration | None = None
        self.given: dict[str, Any] = {}
        self.queued: deque[Request] = deque()
        self.made = 0
        self.acquired = False
        self._running = threading.Event()
        self._sensor: threading.Thread | None = None

    def acquire(self) -> None:
        if self.acquired:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.acquired = True

    def release(self) -> None:
        if self._running.is_set():
            raise RuntimeError("Failed to release camera: Device or resource busy")
        self.acquired = False

    def generate_configuration(self, roles: list[StreamRole]) -> CameraConfiguration:
        return CameraConfiguration(len(roles), self.adjusted)

    def configure(self, configuration: CameraConfiguration) -> None:
        assert self.acquired
        self.configured = configuration

    def create_request(self, cookie: int) -> Request:
        self.made += 1
        return Request(cookie)

    def start(self, given: dict[ControlId, Any]) -> None:
        assert self.configured is not None
        if self.refusal is not None:
            raise self.refusal
        self._note(given)
        self._running.set()
        self._sensor = threading.Thread(target=self._expose, name=f"sensor {self.id}", daemon=True)
        self._sensor.start()

    def stop(self) -> None:
        self._running.clear()
        assert self._sensor is not None
        self._sensor.join()
        while self.queued:
            CameraManager.singleton().complete(self.queued.popleft(), Request.Status.Cancelled)

    def queue_request(self, request: Request) -> None:
        assert self._running.is_set()
        assert request.status is Request.Status.Pending
        assert request not in self.queued
        self._note(request.controls)
        self.queued.append(request)

    def _note(self, given: dict[ControlId, Any]) -> None:
        self.given |= {control.name: value for control, value in given.items()}

    def _expose(self) -> None:
        number = 0
        while self._running.is_set():
            time.sleep(self.given.get("FrameDurationLimits", (33_333,))[0] / 1e6)
            if self.stalled or not self.queued:
                continue
            request = self.queued.popleft()
            assert self.configured is not None
            for stream in self.configured:
                if str(stream.pixel_format) in ("YUV420", "RGB888"):
                    self._write(request.buffers[stream.stream].planes[0].fd, stream, number)
            request.metadata = {controls.SensorTimestamp: self.clock(), controls.ExposureTime: EXPOSURE_US}
            CameraManager.singleton().complete(request, Request.Status.Complete)
            number += 1

    def _write(self, fd: int, stream: StreamConfiguration, number: int) -> None:
        assert self.configured is not None
        image = picture(stream.size.width, stream.size.height, number)
        if self.configured.orientation in (Orientation.Rotate0Mirror, Orientation.Rotate180):
            image = image[:, ::-1]
        if self.configured.orientation in (Orientation.Rotate180Mirror, Orientation.Rotate180):
            image = image[::-1]
        memory = np.full((stream.frame_size // stream.stride, stream.stride), CHROMA, np.uint8)
        rows = memory[: stream.size.height]
        rows[:] = PADDING
        if str(stream.pixel_format) == "RGB888":
            # Blue, green and red, in this order.
            image = np.dstack((image, image // 2, image // 3)).reshape(len(image), -1)
        rows[:, : image.shape[1]] = image
        os.pwrite(fd, memory.tobytes(), 0)
