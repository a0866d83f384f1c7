"""All pictures of a folder, or of a pattern such as `faces/*.jpg`, sorted by name."""

from __future__ import annotations

import threading
from pathlib import Path

from fer_edge import images
from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources.image import ImageSource


def create(place: str, _stop: threading.Event, _settings: SourceSettings) -> ImageSource:
    """Make a source of a folder's pictures, or of a pattern's; files of other kinds are left alone.

    Raises:
        SourceError: The folder cannot be read, or there is no picture.
    """
    try:
        folder = Path(place)
        # What is no folder is a pattern, from the root where it begins there.
        anchor = Path(folder.anchor)
        there = folder.iterdir() if folder.is_dir() else anchor.glob(str(folder.relative_to(anchor)))
        paths = sorted(path for path in there if path.suffix.lower() in images.SUFFIXES)
    except OSError as error:
        raise SourceError(f"cannot read the folder {place}: {error.strerror or error}") from error
    except (ValueError, NotImplementedError) as error:  # such as "**" beside other characters
        raise SourceError(f"{place!r} is no folder and no pattern of files: {error}") from error
    if not paths:
        raise SourceError(f"no image in {place}: looked for files ending in {', '.join(images.SUFFIXES)}")
    return ImageSource(place, paths)
