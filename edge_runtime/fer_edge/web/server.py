"""The server: a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from fer_edge.errors import FerError, UsageError
from fer_edge.settings.preview import PreviewSettings
from fer_edge.web.address import Address
from fer_edge.web.application import Site

# How long a client may take to say what he wants, or be silent after it was answered, seconds.
_IDLE_S = 20.0
_HANDSHAKE_S = 10.0
# Bytes that wait in the kernel for a client; it takes twice as much for itself.
_SENDING = 1 << 17
# That answers in the making may take at the end, all of them and all who watch, and each of two workers, seconds.
_SHUTDOWN_S, _END_S, _WORK_S = 0.2, 0.6, 0.5


class Server:
    """Answers from `__enter__` on; a context manager. What it does never holds up the thread that made it."""

    def __init__(
        self,
        app: web.Application,
        site: Site,
        address: Address,
        tell: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Take what is to be answered.

        Args:
            app: The paths.
            site: Of these: what it makes is made in the event loop.
            address: Where to listen.
            tell: Takes the port, when it listens.
        """
        self._app, self._site, self._address, self._settings = app, site, address, site.settings
        self._tell = tell
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            FerError: The port is taken, the address is none of this machine's, or the certificate cannot be used.
        """
        self._context = _context(self._settings)
        self._thread.start()
        self._ready.wait()
        if isinstance(self._failure, OSError):
            error, place = self._failure, f"{self._address.host}:{self._address.port}"
            raise FerError(f"cannot serve the page at {place}: {_told(error)}; choose another HOST:PORT") from error
        if self._failure is not None:
            raise self._failure
        self._tell(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave all who watch, within a second or two."""
        self.end()
        self._thread.join(2 * _END_S)
        self._site.shots.join(_WORK_S)
        self._site.inference.join(_WORK_S)

    def end(self) -> None:
        """Begin to end, without waiting."""
        if self._loop is not None:
            with suppress(RuntimeError):  # has ended already
                self._loop.call_soon_threadsafe(self._ended.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._ready.is_set():
                raise  # a defect: the loop goes on without the page, and the thread's traceback tells
            self._failure = error  # handed to who starts it
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=_IDLE_S,
            logger=_logger(),
            shutdown_timeout=_SHUTDOWN_S,
        )
        await runner.setup()
        assert runner.server is not None
        self._door = door = _Door(runner.server, self._settings.connections)
        more: dict[str, Any] = {} if self._context is None else {"ssl_handshake_timeout": _HANDSHAKE_S}
        listening = await self._loop.create_server(
            door, self._address.host, self._address.port, ssl=self._context, **more
        )
        for one in listening.sockets:
            # Inherited by each connection: else the kernel keeps megabytes for one who asks and does not read.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENDING)
        self.port = listening.sockets[0].getsockname()[1]
        making = [asyncio.create_task(work()) for work in (self._site.shots.make, self._site.shots.count)]
        self._ready.set()
        ended = asyncio.create_task(self._ended.wait())
        done, going = await asyncio.wait([ended, *making], return_when=asyncio.FIRST_COMPLETED)
        listening.close()
        for task in going:
            task.cancel()
        self._site.shots.end()
        self._site.inference.end()
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), _END_S)
        for task in done:
            task.result()


def _told(error: OSError) -> str:
    """Tell why in the system's words: asyncio puts its own around them. Names that are not known have other numbers."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error.strerror or error)


class _Door:
    """Lets so many connections in and closes the others at once: each takes memory and a file descriptor."""

    def __init__(self, server: web.Server, most: int) -> None:
        self._server, self._most = server, most

    def __call__(self) -> asyncio.Protocol:
        full = len(self._server.connections) >= self._most
        return _Full() if full else self._server()


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        transport.close()


class _OnlyOurs(logging.Filter):
    """Leaves out what clients do wrong: it would fill the journal."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _logger() -> logging.Logger:
    logger = logging.getLogger("fer_edge.web")
    if not logger.filters:
        logger.addFilter(_OnlyOurs())
    return logger


def _context(settings: PreviewSettings) -> ssl.SSLContext | None:
    """Load the certificate. Raises `UsageError` where that cannot be done."""
    if not settings.tls_cert:
        if settings.tls_key:
            raise UsageError("a TLS key without a certificate: give preview.tls_cert as well")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None, password=_no_password)
    except (OSError, ValueError) as error:  # `SSLError` is an OSError
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise UsageError(
            f"cannot use the certificate {settings.tls_cert} with the key "
            f"{settings.tls_key or settings.tls_cert}: {why}"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password: give one without")
