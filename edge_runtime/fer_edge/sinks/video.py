"""An annotated video, or annotated pictures in a folder."""

from __future__ import annotations

import os
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import ClassVar, Self

import cv2

from fer_edge.errors import FerError, UsageError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.outputs import OutputSettings, VideoSettings
from fer_edge.sinks import Context, Sink
from fer_edge.sinks._drawing import annotate
from fer_edge.sinks._film import CODECS, Film, free_path, rate_of
from fer_edge.sinks._retrying import Retrying
from fer_edge.types import Frame, Result

# Gives seconds of a clock that does not jump.
Clock = Callable[[], float]

# So often it is looked whether the disk has room and the file is still there, seconds.
_LOOK_S = 1.0
# A camera's rate is that of its first frames.
_FIRST_FRAMES = 10


class _Room:
    """Looks now and then how much room a disk has."""

    def __init__(self, folder: Path, least_bytes: float, clock: Clock) -> None:
        self._clock = clock
        self._folder = folder
        self._least = least_bytes
        self._next_s = 0.0

    def look(self) -> bool:
        """Look, if it is time to, and make the folder; tell whether it was. Raises `OSError` where there is no room."""
        now = self._clock()
        if now < self._next_s:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if free < self._least:
            raise OSError(f"only {free / 1e6:.0f} MB are free, of video.min_free_mb {self._least / 1e6:.0f}")
        self._next_s = now + _LOOK_S
        return True


class _Drawing(ABC):
    """What both forms have in common."""

    pictures: ClassVar[bool] = True
    queued: ClassVar[bool] = False
    interval_s: ClassVar[float] = 0.0

    def __init__(self, path: Path, folder: Path, settings: VideoSettings, live: bool, clock: Clock) -> None:
        self._path = path
        self._folder = folder
        self._settings = settings
        self._live = live
        self._room = _Room(folder, 1e6 * settings.min_free_mb, clock)
        self._retrying = Retrying(clock)
        # OpenCV must not end a file while another thread writes to it.
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Make the folder. Raises `FerError` where that is impossible."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK | os.X_OK):
                raise PermissionError(f"{self._folder} may not be written")
        except OSError as error:
            raise FerError(self._cannot(error)) from error
        return self

    def __exit__(self, *raised: object) -> None:
        """End what was begun, unless a thread that hangs holds it.

        Raises:
            FerError: That fails, and nothing else was raised.
        """
        if not self._lock.acquire(timeout=1.0):
            return
        try:
            self._end()
        except (OSError, cv2.error) as error:
            if not any(raised):
                raise FerError(self._cannot(error)) from error
        finally:
            self._lock.release()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Draw the faces into a copy of the frame's picture, and write that.

        Raises:
            LostError: The disk has no room, or the file or folder cannot be written.
        """
        assert frame is not None
        self._retrying.check()
        try:
            with self._lock:
                self._put(annotate(frame.image, result), result, frame)
        except (OSError, cv2.error) as error:
            raise self._retrying.failed(self._cannot(error)) from error
        self._retrying.worked()

    def _cannot(self, error: Exception) -> str:
        why = getattr(error, "strerror", None) or str(error)
        return f"cannot write {self._path}: {' '.join(why.split())}"

    @abstractmethod
    def _put(self, picture: Pixels, result: Result, frame: Frame) -> None: ...

    @abstractmethod
    def _end(self) -> None: ...


class VideoSink(_Drawing):
    """Writes a video, with the source's rate. Pictures of another size begin a file of their own, NAME-2 and so on."""

    def __init__(self, settings: VideoSettings, live: bool, clock: Clock = time.monotonic) -> None:
        """Name the file. Nothing is written before the rate of the source is known."""
        path = Path(settings.path)
        super().__init__(path, path.parent, settings, live, clock)
        self._film: Film | None = None
        self._rate = settings.fps
        self._first: list[tuple[Pixels, Frame]] = []

    def _put(self, picture: Pixels, result: Result, frame: Frame) -> None:
        if self._room.look() and self._film is not None and not self._film.path.exists():
            self._film.close()
            self._film = None
        if not self._rate:
            self._first.append((picture, frame))
            wanted = 1 if frame.at_s is None else _FIRST_FRAMES if self._live else 2
            if len(self._first) >= wanted:
                self._put_first()
            return
        self._add(picture, frame)

    def _put_first(self) -> None:
        first, self._first = self._first, []
        self._rate = rate_of([(frame.index, frame.at_s) for _, frame in first])
        for picture, frame in first:
            self._add(picture, frame)

    def _add(self, picture: Pixels, frame: Frame) -> None:
        size = (picture.shape[1], picture.shape[0])
        if self._film is None or self._film.size != size:
            self._end_film()
            timed = self._live or self._settings.fps > 0
            self._film = Film(free_path(self._path), self._rate, size, timed)
        self._film.add(picture, frame.at_s)

    def _end_film(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film.close()

    def _end(self) -> None:
        try:
            if self._first:
                self._put_first()
        finally:
            self._end_film()


class PicturesSink(_Drawing):
    """Writes a JPEG a frame, each whole or not there."""

    def __init__(self, settings: VideoSettings, live: bool, clock: Clock = time.monotonic) -> None:
        """Name the folder."""
        super().__init__(Path(settings.path), Path(settings.path), settings, live, clock)

    def _put(self, picture: Pixels, result: Result, frame: Frame) -> None:
        self._room.look()
        good, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
        if not good:
            raise OSError(f"OpenCV cannot encode a picture of {picture.shape[1]}x{picture.shape[0]}")
        path = self._folder / f"{self._name(result, frame)}.jpg"
        temporary = path.with_name(f".{path.stem}.part.jpg")
        try:
            temporary.write_bytes(content.tobytes())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _end(self) -> None:
        """Nothing to end."""

    def _name(self, result: Result, frame: Frame) -> str:
        """Name a picture: so that a camera's never replace those of an earlier run, and another source's always do."""
        number = f"{frame.index:08}"
        if self._live:
            at = result.time.astimezone(UTC)
            return f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03}Z-{number}"
        return number if frame.at_s is not None else f"{number}-{Path(frame.source).stem}"


def create(settings: OutputSettings, context: Context) -> Sink:
    """Make what the path's ending says.

    Raises:
        UsageError: It is neither a video's nor that of a folder.
    """
    path = Path(settings.video.path)
    if path.suffix.lower() in CODECS and not path.is_dir():
        return VideoSink(settings.video, context.live)
    if path.suffix and not path.is_dir() and not settings.video.path.endswith("/"):
        raise UsageError(
            f"video.path {settings.video.path} ends in {path.suffix}: give {', '.join(CODECS)}, or a folder (a name "
            "with a slash at its end is one)"
        )
    return PicturesSink(settings.video, context.live)
