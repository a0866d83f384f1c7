"""Pages in a browser: what serves them, and what they show."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Self

import cv2
import numpy as np

from films import Picture
from waiting import LONG_S, wait_until

_ADDRESS = re.compile(r"the page is at (\S+)")
# Complaints that the page did not cause: the connection that a test breaks.
_BROKEN = re.compile(r"WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED|net::ERR_EMPTY_RESPONSE")


class Serving:
    """`fer-edge run --preview` or `fer-edge serve` in a process of its own.

    Attributes:
        url: Where the page is, with the token where one is needed.
        told: What it said on stderr.
    """

    def __init__(self, *arguments: str) -> None:
        """Take the arguments of `fer-edge`."""
        self.url, self.told = "", ""
        self._arguments = arguments

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fer_edge", *self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        wait_until(lambda: self.url or self._process.poll() is not None, "the address of the page")
        assert self.url, self.told
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def origin(self) -> str:
        return re.match(r"https?://[^/]+", self.url)[0]  # type: ignore[index]

    @property
    def port(self) -> int:
        return int(self.origin.rpartition(":")[2])

    def end(self) -> None:
        """End it as systemd does; it must not have failed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(LONG_S)
        self._reading.join(LONG_S)
        self._process.stderr.close()  # type: ignore[union-attr]
        assert self._process.returncode == 0, self.told
        assert "Traceback" not in self.told, self.told

    def _read(self) -> None:
        for line in self._process.stderr:  # type: ignore[union-attr]
            self.told += line
            if found := _ADDRESS.search(line):
                self.url = found[1]


def open_page(browser: Any, url: str, width: int = 1440, height: int = 900, scheme: str = "light", **more: Any) -> Any:
    """Open a page; the tab has what went wrong and what was asked for as `told` and `asked`."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **more)
    tab = context.new_page()
    tab.told, tab.asked = [], []
    tab.on("console", lambda message: tab.told.append(message.text))
    tab.on("pageerror", lambda error: tab.told.append(str(error)))
    tab.on("request", lambda one: tab.asked.append(one.url))
    tab.on("websocket", lambda one: tab.asked.append(one.url.replace("ws", "http", 1)))
    tab.goto(url)
    return tab


def complaints(tab: Any, *, broken: bool = False) -> list[str]:
    """Give what a browser complained of; `broken` leaves out what a broken connection brings."""
    return [one for one in tab.told if not (broken and _BROKEN.search(one))]


def picture_and_words(tab: Any) -> tuple[Picture, list[str]]:
    """Give the picture that is shown, BGR, and at the same moment the expressions beside it."""
    address, words = tab.evaluate(
        "() => [document.getElementById('picture').toDataURL(),"
        " [...document.querySelectorAll('.face .expression')].map(one => one.textContent)]"
    )
    content = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8), words


def drawn_box(tab: Any) -> tuple[float, float, float]:
    """Give left, right and lower edge of the box over the picture, as shares of its width and height."""
    left, right, bottom = tab.evaluate(
        """() => {
          const canvas = document.getElementById('boxes'), {width, height} = canvas;
          const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
          const drawn = (x, y) => data[4 * (y * width + x) + 3] > 200;
          const columns = y => [...Array(width).keys()].filter(x => drawn(x, y));
          let bottom = height - 1;
          while (bottom > 0 && columns(bottom).length === 0) bottom -= 1;
          // Above its round corners, and below the label, which may be wider.
          const side = columns(bottom - Math.round(height / 25));
          return [side[0] / width, side.at(-1) / width, bottom / height];
        }"""
    )
    return left, right, bottom


def wait_in(tab: Any, done: Any, what: str) -> None:
    """Wait as `wait_until` does, while the browser's events go on."""
    deadline = time.monotonic() + LONG_S
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        tab.wait_for_timeout(20)


# Notes in `shown` what the card of the face says, and in `heard` what the live region does, whenever that changes.
_LISTEN = """
() => {
  window.heard = [];
  window.shown = [];
  const region = document.getElementById('spoken');
  new MutationObserver(() => heard.push(region.textContent)).observe(region, {childList: true});
  setInterval(() => {
    const now = document.querySelector('.face .expression')?.textContent ?? '';
    if (now !== shown.at(-1)) shown.push(now);
  }, 20);
}
"""


def listen(tab: Any) -> None:
    """Note from now on what the page says, for `noted`."""
    tab.evaluate(_LISTEN)


def noted(tab: Any) -> tuple[list[str], list[str]]:
    """Give the expressions of the first face so far, and what a screen reader has heard."""
    shown, heard = tab.evaluate("[shown, heard]")
    return shown, heard


def serious_violations(tab: Any) -> list[str]:
    """Give what axe-core finds that keeps people out: rule and elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab).response
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
