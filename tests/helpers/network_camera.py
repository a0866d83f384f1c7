from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt


class NetworkCamera:
    """A camera on the network, MJPEG over HTTP: serves a picture with some noise as long as it is switched on.

    Given several pictures, it shows them in turn, there and back again, as they are.

    Attributes:
        mood: "frames", "stalled", "same" for the very same picture, or "garbage".
    """

    def __init__(self, *pictures: npt.NDArray[np.uint8], rate: float = 30) -> None:
        """Take pictures, [H, W, 3] BGR, and how many of them pass in a second."""
        self.mood = "frames"
        # Back again without the two ends, which are there already.
        self._rate, self._pictures = rate, [*pictures, *pictures[-2:0:-1]]
        self._draw = np.random.default_rng(0)
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._connections: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream.mjpg"

    def __enter__(self) -> Self:
        self.switch_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.switch_off()

    def switch_on(self) -> None:
        """Serve, at the same port as before."""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._connections.append(self.connection)
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                with contextlib.suppress(OSError):  # the reader left, or the camera was switched off
                    while True:
                        if camera.mood != "stalled":
                            content = camera._content()
                            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                            self.wfile.write(head.encode() + content + b"\r\n")
                        time.sleep(0.03)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def switch_off(self) -> None:
        """Break off all connections and take no new one."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _content(self) -> bytes:
        if self.mood == "garbage":
            return self._draw.bytes(5000)
        picture = self._pictures[0]
        if self.mood == "frames":
            picture = self._pictures[int(time.monotonic() * self._rate) % len(self._pictures)]
            if len(self._pictures) > 1:
                return encoded(picture)
            picture = np.asarray(cv2.add(picture, self._draw.integers(0, 5, picture.shape, np.uint8)), np.uint8)
        return encoded(picture)


def encoded(picture: npt.NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())
