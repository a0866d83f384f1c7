"""`POST predict`: a picture in, what is seen in it out."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import BodyPartReader

from fer_edge.errors import FerError, SourceError
from fer_edge.settings.preview import PreviewSettings
from fer_edge.sinks._objects import of_result
from fer_edge.web.guard import problem
from fer_edge.web.inference import Inference
from fer_edge.web.pictures import TYPES, TooLargeError
from fer_edge.web.rates import Rates
from fer_edge.web.state import encode
from fer_edge.web.worker import BusyError

# For a body to arrive, and for the answer to it, seconds.
_BODY_S, _ANSWER_S = 30.0, 60.0
_FIELD = "image"
# What a form adds to its picture at most, bytes.
_FORM = 1 << 16
_AT_ONCE = 20


class Uploads:
    """Answers them."""

    def __init__(self, inference: Inference, settings: PreviewSettings) -> None:
        """Know no client yet."""
        self._inference = inference
        self._largest = int(1e6 * settings.upload_mb)
        per_minute = settings.predictions_per_minute
        self._rates = Rates(min(_AT_ONCE, per_minute), per_minute / 60)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Look at the picture of a request."""
        if not self._rates.take(request.remote or ""):
            return problem(429, "too many pictures: send fewer a minute", **{"Retry-After": "1"})
        try:
            async with asyncio.timeout(_BODY_S):
                content = await self._content(request)
        except TimeoutError:
            return problem(408, f"the picture did not arrive within {_BODY_S:.0f} s", Connection="close")
        try:
            async with asyncio.timeout(_ANSWER_S):
                looked = await self._inference.one(content)
        except TooLargeError as error:
            return problem(413, str(error))
        except SourceError as error:
            return problem(400, str(error))
        except FerError as error:
            return problem(503, str(error), **{"Retry-After": "1"})
        except (BusyError, TimeoutError):
            return problem(503, "other pictures are being looked at: try again", **{"Retry-After": "1"})
        return web.Response(body=encode({"results": [of_result(looked.result)]}), content_type="application/json")

    async def _content(self, request: web.Request) -> bytes:
        """Read the picture. Raises an error of HTTP where there is none."""
        if request.content_length is None:
            raise web.HTTPLengthRequired(text="give the length of the picture: Content-Length")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise web.HTTPUnsupportedMediaType(text="the picture is compressed once more: send it as it is")
        kind = request.content_type
        form = kind == "multipart/form-data"
        if not form and kind not in TYPES:
            raise web.HTTPUnsupportedMediaType(text=f"send {' or '.join(TYPES)}, or a form with the field {_FIELD}")
        if request.content_length > self._largest + (_FORM if form else 0):
            raise self._too_large(request.content_length)
        content = await _field(request) if form else await request.read()
        if len(content) > self._largest:
            raise self._too_large(len(content))
        if not content:
            raise web.HTTPBadRequest(text="the picture is empty")
        return content

    def _too_large(self, size: int) -> web.HTTPException:
        return web.HTTPRequestEntityTooLarge(
            self._largest, size, text=f"the picture has {size:,} bytes, more than {self._largest:,}"
        )


async def _field(request: web.Request) -> bytes:
    """Read the picture of a form; its Content-Length has been looked at."""
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == _FIELD:
                return bytes(await part.read())
    except (AssertionError, HttpProcessingError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # All that aiohttp's reader raises.
        raise web.HTTPBadRequest(text=f"the form cannot be read: {error}") from error
    raise web.HTTPBadRequest(text=f"the form has no field {_FIELD}")
