"""Pictures from files: one, or with `folder` many."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from fer_edge import images
from fer_edge.errors import FerError, SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources._moment import Moment
from fer_edge.types import Frame


class ImageSource:
    """Yields one frame a picture; `Frame.source` is the file's name."""

    live = False

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        """Name the pictures.

        Args:
            name: For messages.
            paths: Files, in order. With more than one, those that do not decode are skipped.
        """
        self.name = name
        self.skipped: list[str] = []
        self._paths = paths

    def __enter__(self) -> Self:
        """Nothing is open between pictures."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to release."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures.

        Raises:
            FerError: The only picture cannot be read.
            SourceError: It, or each of many, does not decode.
        """
        index = 0
        for path in self._paths:
            moment = Moment()
            try:
                image = images.read_color(path)
            except FerError as error:
                if len(self._paths) == 1:
                    raise
                self.skipped.append(str(error))
                continue
            yield moment.frame(index, path.name, image)
            index += 1
        if not index:
            raise SourceError(f"none of the {len(self._paths)} images in {self.name} can be decoded")


def create(place: str, _stop: threading.Event, _settings: SourceSettings) -> ImageSource:
    """Make a source of one picture."""
    return ImageSource(place, (Path(place),))
