"""The page of `fer-edge run --preview` as a browser shows it, beside a camera that films a man who smiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import (
    Serving,
    complaints,
    listen,
    noted,
    open_page,
    picture_and_words,
    serious_violations,
    wait_in,
)
from filmed import Film
from films import nearest
from network_camera import NetworkCamera

pytest.importorskip("aiohttp", reason="needs the extra web")

PARAMS = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]


# Frames a second of the film: he smiles for half a second only, and what is shorter than that is not read out.
_RATE = 15


@pytest.fixture(scope="module")
def film(shared_data: Callable[[str], Path], shipped_model_path: Path) -> Film:
    return Film.read(shared_data("video/single_face.mp4"), shipped_model_path, _RATE)


@pytest.fixture(scope="module")
def camera(film: Film) -> Iterator[NetworkCamera]:
    with NetworkCamera(*film.frames, rate=_RATE) as camera:
        yield camera


def serving(camera: NetworkCamera, port: int = 0) -> Serving:
    where = f"127.0.0.1:{port}"
    return Serving("run", "--source", camera.address, "--output", "csv", "--preview", where)


@pytest.fixture(scope="module")
def served(camera: NetworkCamera, chromium: Any) -> Iterator[Serving]:
    with serving(camera) as running:
        yield running


@pytest.fixture
def opened(served: Serving, chromium: Any) -> Iterator[Any]:
    tab = open_page(chromium, served.url)
    tab.wait_for_selector(".face")
    yield tab
    tab.context.close()


def status(tab: Any) -> str:
    return str(tab.inner_text("#status-text"))


@pytest.fixture(scope="module", params=PARAMS, ids=str)
def looked_at(request: pytest.FixtureRequest, served: Serving, chromium: Any) -> Iterator[Any]:
    width, scheme = request.param
    tab = open_page(chromium, served.url, width=width, height=844 if width == 390 else 900, scheme=scheme)
    tab.wait_for_selector(".face")
    yield tab
    tab.context.close()


def test_it_shows_picture_box_and_smile(looked_at: Any, film: Film) -> None:
    film.check_expression(looked_at, "neutral")
    film.check_expression(looked_at, "happy")
    film.check_box(looked_at)


def test_it_fits_and_nobody_has_to_complain(looked_at: Any, served: Serving) -> None:
    assert looked_at.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert {url.startswith(served.origin) for url in looked_at.asked} == {True}
    assert complaints(looked_at) == []
    # What is touched is large enough for a finger.
    for one in looked_at.query_selector_all("button:visible, select:visible"):
        assert min(one.bounding_box()["height"], one.bounding_box()["width"]) >= 24


def test_axe_finds_nothing_serious(looked_at: Any) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, of the dev extra")
    looked_at.click("#table summary")
    assert serious_violations(looked_at) == []
    looked_at.click("#table summary")


def test_it_is_as_dark_as_the_system(looked_at: Any) -> None:
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    dark = looked_at.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (looked_at.evaluate(brightness) < 60) is dark
    looked_at.click("#theme")
    assert (looked_at.evaluate(brightness) < 60) is not dark
    assert looked_at.get_attribute("#theme", "aria-pressed") == str(not dark).lower()
    looked_at.reload()
    looked_at.wait_for_selector(".face")
    assert (looked_at.evaluate(brightness) < 60) is not dark
    looked_at.click("#theme")
    assert (looked_at.evaluate(brightness) < 60) is dark


def test_it_tells_figures(opened: Any) -> None:
    wait_in(opened, lambda: opened.inner_text("#fps")[0] in "123456789", "a rate")
    assert 1 <= float(opened.inner_text("#fps")) <= 40
    assert opened.inner_text("#age").endswith(" ms")
    assert opened.inner_text("#dropped").replace(",", "").isdecimal()
    cost = [float(one.split()[0]) for one in opened.locator("#stages dd").all_inner_texts()]
    assert len(cost) == 4
    assert min(cost) >= 0
    percents = opened.locator(".face .percent").all_inner_texts()
    assert len(percents) == 7
    assert sum(int(one.split()[0]) for one in percents) == pytest.approx(100, abs=4)


def test_a_screen_reader_hears_changes_alone(opened: Any) -> None:
    listen(opened)
    assert opened.get_attribute("#spoken", "role") == "status"
    wait_in(opened, lambda: any("happy" in one for one in noted(opened)[1]), "the smile")
    wait_in(opened, lambda: "neutral" in noted(opened)[1][-1], "the end of the smile")
    shown, heard = noted(opened)
    assert all(one != other for one, other in pairwise(heard))
    assert len(heard) <= len(shown) + 1, (heard, shown)
    assert opened.locator("[aria-live], [role=status], [role=alert]").count() == 2


def test_it_pauses_by_keyboard(opened: Any) -> None:
    for _ in range(10):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.id") == "pause":
            break
    assert opened.evaluate("document.activeElement.matches(':focus-visible')")
    opened.keyboard.press("Space")
    assert status(opened) == "Paused"
    before, _ = picture_and_words(opened)
    opened.wait_for_timeout(800)
    after, _ = picture_and_words(opened)
    assert np.array_equal(before, after)
    assert opened.evaluate("document.activeElement.textContent.trim()") == "Resume"
    opened.keyboard.press("Enter")
    assert status(opened) == "Live"
    wait_in(opened, lambda: not np.array_equal(before, picture_and_words(opened)[0]), "the next picture")


HIDE = """
hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}
"""


# The next picture is not decoded before it is told so.
HOLD = """
() => {
  const decode = createImageBitmap, held = new Promise(resolve => { window.release = resolve; });
  window.createImageBitmap = async (...all) => {
    window.decoding = true;
    await held;
    return decode(...all);
  };
}
"""


@pytest.mark.parametrize("decoding", [False, True])
def test_a_hidden_page_takes_no_pictures_but_goes_on(opened: Any, decoding: bool) -> None:
    received: list[str | bytes] = []
    tab = opened.context.new_page()
    tab.on("websocket", lambda socket: socket.on("framereceived", lambda one: received.append(one)))
    tab.goto(opened.url)
    tab.wait_for_selector(".face")
    if decoding:
        tab.evaluate(HOLD)
        wait_in(tab, lambda: tab.evaluate("window.decoding"), "a picture to be decoded")
    tab.evaluate(HIDE, True)
    if decoding:
        tab.evaluate("release()")
    tab.wait_for_timeout(500)
    del received[:]
    wait_in(tab, lambda: len(received) >= 3, "states")
    assert not [one for one in received if isinstance(one, bytes)]
    tab.evaluate(HIDE, False)
    wait_in(tab, lambda: any(isinstance(one, bytes) for one in received), "the next picture")
    assert status(tab) == "Live"


def test_it_fills_the_screen(opened: Any, film: Film) -> None:
    opened.click("#full")
    wait_in(opened, lambda: opened.evaluate("document.fullscreenElement?.id") == "stage", "the full screen")
    opened.wait_for_timeout(300)
    film.check_box(opened)
    box = opened.locator("#frame").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(16 / 9, rel=0.01)
    assert opened.locator("#pause").is_visible()
    opened.click("#full")
    wait_in(opened, lambda: not opened.evaluate("document.fullscreenElement"), "the page")
    assert complaints(opened) == []


def test_the_timeline_can_be_read_and_heard(opened: Any) -> None:
    opened.select_option("#window", "1")
    opened.click("#table summary")
    wait_in(opened, lambda: "happy" in opened.get_attribute("#timeline", "aria-label"), "the smile in the timeline")
    assert "1 minute:" in opened.get_attribute("#timeline", "aria-label")

    def shares() -> dict[str, int]:
        # By cell: a row that is not drawn yet gives its text without what parts its cells.
        cells = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        rows = opened.locator("#table tbody tr").evaluate_all(cells)
        return {label: int(share.split()[0]) for label, share, *_ in rows}

    assert list(shares()) == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    # The film is played again and again, both expressions in it.
    wait_in(opened, lambda: min(shares()["neutral"], shares()["happy"]) > 0, "both expressions in the table")

    def drawn() -> bool:
        picture = cv2.imdecode(np.frombuffer(opened.locator("#timeline").screenshot(), np.uint8), cv2.IMREAD_COLOR)
        return bool(picture[125:138, -20:].min() < 120)

    wait_in(opened, drawn, "the right end, which is now")


def test_a_lost_connection_comes_back_by_itself(camera: NetworkCamera, chromium: Any, film: Film) -> None:
    with serving(camera) as running:
        tab = open_page(chromium, running.url)
        tab.wait_for_selector(".face")
        running.end()
        wait_in(tab, lambda: status(tab) == "Connection lost", "the loss on the page")
        assert "lost" in tab.inner_text("#notice")
        assert "lost" in tab.text_content("#warned")
        tab.wait_for_timeout(2500)
        assert status(tab) == "Connection lost"
    with serving(camera, running.port):
        wait_in(tab, lambda: status(tab) == "Live", "the connection")
        before, _ = picture_and_words(tab)
        wait_in(tab, lambda: nearest(picture_and_words(tab)[0], film.frames)[1] < 6, "a picture")
        wait_in(tab, lambda: not np.array_equal(before, picture_and_words(tab)[0]), "the next picture")
        assert tab.locator("#notice").is_hidden()
        tab.context.close()
    assert complaints(tab, broken=True) == []


def test_a_lost_camera_is_told(film: Film, chromium: Any) -> None:
    with NetworkCamera(*film.frames[:2]) as camera, serving(camera) as running:
        tab = open_page(chromium, running.url)
        tab.wait_for_selector(".face")
        camera.switch_off()
        wait_in(tab, lambda: status(tab) == "Camera lost", "the loss on the page")
        camera.switch_on()
        wait_in(tab, lambda: status(tab) == "Live", "the camera")
        assert complaints(tab) == []
        tab.context.close()
