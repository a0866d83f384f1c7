"""The page of `fer-edge serve` in a browser: its camera, photos and videos."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import (
    Serving,
    complaints,
    drawn_box,
    listen,
    noted,
    open_page,
    picture_and_words,
    serious_violations,
    wait_in,
)
from filmed import Film
from films import fake_camera, nearest

pytest.importorskip("aiohttp", reason="needs the extra web")


# Frames a second of the film: what the loop and a browser on the same machine keep up with.
_RATE = 15


@pytest.fixture(scope="module")
def film(shared_data: Callable[[str], Path], shipped_model_path: Path) -> Film:
    return Film.read(shared_data("video/single_face.mp4"), shipped_model_path, _RATE)


@pytest.fixture(scope="module")
def filming(start_chromium: Callable[..., Any], film: Film, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a browser whose camera films him."""
    path = tmp_path_factory.mktemp("film") / "face.y4m"
    return start_chromium(*fake_camera(path, film.frames, rate=_RATE))


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    with Serving("serve", "127.0.0.1:0") as running:
        yield running


@pytest.fixture(params=[1440, 390], ids=str)
def opened(request: pytest.FixtureRequest, served: Serving, filming: Any) -> Iterator[Any]:
    tab = open_page(filming, served.url, width=request.param)
    wait_in(tab, lambda: tab.locator("#camera").is_visible(), "the buttons")
    yield tab
    tab.context.close()


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """Give a photo of a face, which smiles."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image (extra demo)")
    path = tmp_path / "portrait.png"
    cv2.imwrite(str(path), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    return path


def status(tab: Any) -> str:
    return str(tab.inner_text("#status-text"))


def expressions(tab: Any) -> list[str]:
    return list(tab.locator(".face .expression").all_inner_texts())


# Gives the page a file as if it were dropped on it.
DROP = """
([content, name, type]) => {
  const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type}));
  const target = document.getElementById('stage');
  for (const kind of ['dragenter', 'dragover', 'drop'])
    target.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
}
"""


def drop(tab: Any, content: bytes, name: str, kind: str) -> None:
    tab.evaluate(DROP, [base64.b64encode(content).decode(), name, kind])


def test_it_films_with_the_browsers_camera(opened: Any, film: Film, served: Serving) -> None:
    assert status(opened) == "Ready"
    opened.click("#camera")
    film.check_expression(opened, "neutral")
    film.check_expression(opened, "happy")
    film.check_box(opened)
    assert status(opened) == "Live"
    wait_in(opened, lambda: opened.inner_text("#fps")[0] in "123456789", "a rate")
    assert "Face 1" in opened.text_content("#spoken")
    opened.click("#pause")
    before, _ = picture_and_words(opened)
    opened.wait_for_timeout(500)
    assert np.array_equal(before, picture_and_words(opened)[0])
    opened.click("#pause")
    wait_in(opened, lambda: not np.array_equal(before, picture_and_words(opened)[0]), "the next picture")
    opened.click("#camera")
    assert status(opened) == "Ready"
    assert opened.locator(".face").count() == 0
    assert opened.inner_text("#camera") == "Use camera"
    assert {url.startswith((served.origin, "blob:")) for url in opened.asked} == {True}
    assert complaints(opened) == []


def test_a_photo_is_dropped(opened: Any, portrait: Path) -> None:
    drop(opened, portrait.read_bytes(), portrait.name, "image/png")
    wait_in(opened, lambda: expressions(opened) == ["happy"], "the smile")
    assert status(opened) == "Photo"
    assert opened.text_content("#spoken") == "Face 1: happy."
    assert opened.inner_text("#age").endswith(" ms")
    picture, _ = picture_and_words(opened)
    assert picture.shape == (512, 512, 3)
    assert np.abs(picture.astype(int) - cv2.imread(str(portrait)).astype(int)).mean() < 1
    left, right, bottom = drawn_box(opened)
    assert (left, right, bottom) == pytest.approx((0.33, 0.55, 0.36), abs=0.08)
    assert complaints(opened) == []


def test_several_photos_are_chosen_one_after_the_other(
    opened: Any, portrait: Path, shared_data: Callable[[str], Path]
) -> None:
    opened.set_input_files("#file", shared_data("photos/no_face_cat.jpg"))
    wait_in(opened, lambda: opened.text_content("#spoken") == "No face.", "the answer")
    assert opened.inner_text("#no-face") == "No face in the picture."
    for _ in range(2):  # the same once more as well
        opened.set_input_files("#file", portrait)
        wait_in(opened, lambda: expressions(opened) == ["happy"], "the smile")
    opened.set_input_files("#file", shared_data("photos/pyfeat_multi_face.jpg"))
    wait_in(opened, lambda: len(expressions(opened)) >= 4, "several faces")
    assert complaints(opened) == []


def test_a_video_is_chosen(opened: Any, film: Film, shared_data: Callable[[str], Path]) -> None:
    listen(opened)
    opened.set_input_files("#file", shared_data("video/single_face.mp4"))
    for _ in range(20):  # a busy machine may miss the smile, which lasts for half a second
        wait_in(opened, lambda: status(opened) == "Video ended", "the end of the video")
        if "happy" in noted(opened)[0]:
            break
        opened.click("#pause")
        wait_in(opened, lambda: status(opened) == "Live", "the video once more")
    assert {"neutral", "happy"} <= set(noted(opened)[0])
    assert opened.inner_text("#pause") == "Play again"
    assert nearest(picture_and_words(opened)[0], film.frames)[1] < 6
    opened.click("#pause")
    film.check_expression(opened, "neutral")
    assert complaints(opened) == []


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("notes.txt", "text/plain", "notes.txt is neither a photo nor a video."),
        ("torn.jpg", "image/jpeg", "This browser cannot read torn.jpg."),
        ("torn.mp4", "video/mp4", "This browser cannot read torn.mp4."),
    ],
)
def test_what_is_no_picture_is_told(opened: Any, portrait: Path, name: str, kind: str, words: str) -> None:
    drop(opened, b"no picture at all", name, kind)
    wait_in(opened, lambda: opened.inner_text("#notice") == words, "the problem")
    assert opened.text_content("#warned") == words
    assert status(opened) == "Ready"
    drop(opened, portrait.read_bytes(), portrait.name, "image/png")
    wait_in(opened, lambda: expressions(opened) == ["happy"], "the smile")
    assert opened.locator("#notice").is_hidden()
    assert complaints(opened) == []


def test_axe_finds_nothing_serious(opened: Any) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python, of the dev extra")
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_violations(opened) == []
    opened.click("#camera")
    opened.wait_for_selector(".face")
    assert serious_violations(opened) == []


def test_a_denied_camera_is_told(served: Serving, start_chromium: Callable[..., Any]) -> None:
    browser = start_chromium("--use-fake-device-for-media-stream", "--deny-permission-prompts")
    tab = open_page(browser, served.url)
    wait_in(tab, lambda: tab.locator("#camera").is_visible(), "the buttons")
    tab.click("#camera")
    wait_in(tab, lambda: "Allow it" in tab.inner_text("#notice"), "the problem")
    assert status(tab) == "Ready"
    assert complaints(tab) == []
    tab.context.close()


def test_a_page_without_https_says_why_there_is_no_camera(chromium: Any, portrait: Path) -> None:
    # Another address of this machine's own network needs a token, and is no secure place to browsers.
    with Serving("serve", "0.0.0.0:0") as running:
        tab = open_page(chromium, running.url)
        if tab.evaluate("isSecureContext"):
            pytest.skip("this machine has no address but those that browsers trust")
        assert "token" not in tab.url
        wait_in(tab, lambda: tab.locator("#camera").is_visible(), "the buttons")
        assert tab.locator("#camera").is_disabled()
        assert "https" in tab.inner_text("#camera-why")
        assert tab.get_attribute("#camera", "aria-describedby") == "camera-why"
        drop(tab, portrait.read_bytes(), portrait.name, "image/png")
        wait_in(tab, lambda: expressions(tab) == ["happy"], "the smile")
        assert complaints(tab) == []
        tab.context.close()


def test_a_lost_connection_comes_back_by_itself(filming: Any, film: Film) -> None:
    with Serving("serve", "127.0.0.1:0") as running:
        tab = open_page(filming, running.url)
        wait_in(tab, lambda: tab.locator("#camera").is_visible(), "the buttons")
        tab.click("#camera")
        tab.wait_for_selector(".face")
        running.end()
        wait_in(tab, lambda: status(tab) == "Connection lost", "the loss on the page")
    with Serving("serve", f"127.0.0.1:{running.port}"):
        wait_in(tab, lambda: status(tab) == "Live", "the connection")
        film.check_expression(tab, "happy")
        tab.context.close()
    assert complaints(tab, broken=True) == []


def test_a_server_without_a_free_place_says_so(filming: Any) -> None:
    with Serving("serve", "127.0.0.1:0", "--set", "preview.cameras=1") as running:
        first, second = (open_page(filming, running.url) for _ in range(2))
        for tab in (first, second):
            wait_in(tab, lambda tab=tab: tab.locator("#camera").is_visible(), "the buttons")
        first.click("#camera")
        first.wait_for_selector(".face")
        second.click("#camera")
        wait_in(second, lambda: "no place" in second.inner_text("#notice"), "the refusal on the page")
        first.click("#camera")
        second.wait_for_selector(".face")
        for tab in (first, second):
            tab.context.close()
