from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import cv2
import numpy as np
import pytest

from fer_edge.classifier import Classifier
from fer_edge.command import warn
from fer_edge.settings.outputs import MetricsSettings
from fer_edge.settings.preview import PreviewSettings
from fer_edge.sinks import Context
from fer_edge.sinks._losses import Losses
from fer_edge.sinks._outputs import Direct
from fer_edge.web import application, server, watching
from fer_edge.web.newest import Newest
from fer_edge.web.shots import to_jpeg
from pages import HEIGHT, WIDTH, Shown, ask, bare_viewer, get, next_message, pair, read_all, talk, told
from waiting import LONG_S, wait_until

# Of asyncio: so much may wait for a client before nothing more is written for him.
HIGH_WATER = 1 << 16
LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def brightness(jpeg: bytes) -> float:
    return float(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).mean())


def test_the_state_before_and_after_the_first_frame(show: Callable[..., Shown]) -> None:
    shown = show()
    first = told(get(f"{shown.url}/api/state")[2])
    assert first.pop("uptime_s") >= 0
    assert first == {
        "version": 1,
        "mode": "preview",
        "source": "test",
        "labels": LABELS,
        "model": "mobilenetv2-int8",
        "result": None,
        "picture": None,
        "fps": None,
        "dropped": 0,
        "camera": "ok",
        "temperature_c": None,
        "throttled": None,
    }
    shown.show()
    shown.outputs.camera(False)
    state = told(get(f"{shown.url}/api/v1/state")[2])
    assert state["picture"] == {"width": WIDTH, "height": HEIGHT}
    assert (state["camera"], state["temperature_c"], state["throttled"]) == ("no camera", 48.5, False)
    assert state["result"]["frame"] == 0
    assert state["result"]["faces"] == [
        {
            "track": 1,
            "box": [10, 20, 30, 40],
            "expression": "happy",
            "confidence": 0.9,
            "probabilities": {"happy": 0.9, "sad": 0.1},
        }
    ]


def test_each_picture_is_that_of_its_state(show: Callable[..., Shown]) -> None:
    shown = show(rate=100)
    shown.run()

    async def work(client: aiohttp.ClientSession) -> list[tuple[int, float]]:
        seen = []
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            for _ in range(20):
                state, jpeg = await pair(viewer)
                seen.append((state["result"]["frame"], brightness(jpeg)))
                await viewer.send_str("next")
        return seen

    seen = talk(work)
    assert [number for number, _ in seen] == sorted({number for number, _ in seen})
    assert [value for _, value in seen] == pytest.approx([number * 8 % 256 for number, _ in seen], abs=2)


def test_a_viewer_gets_nothing_more_until_he_asks(show: Callable[..., Shown]) -> None:
    shown = show(rate=100)
    shown.run()
    with bare_viewer(shown.port) as slow:

        async def work(client: aiohttp.ClientSession) -> None:
            async with client.ws_connect(f"{shown.url}/api/v1/stream") as fast:
                for _ in range(30):
                    await pair(fast)
                    await fast.send_str("next")

        talk(work)
        content = read_all(slow)
        assert content.count(b"\xff\xd8\xff") == 1
        slow.sendall(next_message())
        talk(work)
        assert read_all(slow).count(b"\xff\xd8\xff") == 1


def test_pause_stops_pictures_and_not_states(show: Callable[..., Shown]) -> None:
    shown = show()
    shown.run()

    async def work(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            await pair(viewer)
            await viewer.send_str("pause")
            messages = [await viewer.receive(timeout=LONG_S) for _ in range(3)]
            assert [message.type for message in messages] == [aiohttp.WSMsgType.TEXT] * 3
            numbers = [told(message.data.encode())["result"]["frame"] for message in messages]
            assert numbers == sorted(set(numbers))
            await viewer.send_str("next")
            _, jpeg = await pair(viewer)
            assert jpeg.startswith(b"\xff\xd8\xff")

    talk(work)


def test_who_says_something_else_is_sent_away(show: Callable[..., Shown]) -> None:
    shown = show()
    shown.show()

    async def work(client: aiohttp.ClientSession, message: str | bytes) -> int | None:
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            await (viewer.send_str(message) if isinstance(message, str) else viewer.send_bytes(message))
            while not (got := await viewer.receive(timeout=LONG_S)).type.value & 0x108:
                pass
            return viewer.close_code if got else None

    assert talk(lambda client: work(client, "more")) == 1008
    assert talk(lambda client: work(client, b"next")) == 1008
    assert talk(lambda client: work(client, "n" * 1000)) == 1009


def test_who_is_silent_is_left(show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching.Viewer.__init__, "__defaults__", (0.2,))
    shown = show()
    shown.run()
    with bare_viewer(shown.port) as viewer:
        while viewer.recv(1 << 16):
            pass  # ends where the server has left


def test_states_are_events(show: Callable[..., Shown]) -> None:
    shown = show()
    shown.run()

    async def work(client: aiohttp.ClientSession) -> list[int]:
        numbers = []
        async with client.get(f"{shown.url}/api/v1/events") as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            while len(numbers) < 5:
                name, data, end = [await answer.content.readline() for _ in range(3)]
                assert (name, end) == (b"event: state\n", b"\n")
                numbers.append(told(data.removeprefix(b"data: "))["result"]["frame"])
        return numbers

    numbers = talk(work)
    assert numbers == sorted(set(numbers))


def test_nothing_is_encoded_while_nobody_watches(show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []

    def counted(*arguments: object) -> bytes:
        encoded.append(arguments)
        return to_jpeg(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("fer_edge.web.shots.to_jpeg", counted)
    shown = show(rate=100)
    for _ in range(50):
        shown.show()
    get(f"{shown.url}/api/state")

    async def listen(client: aiohttp.ClientSession) -> None:
        async with client.get(f"{shown.url}/api/v1/events") as answer:
            await answer.content.readline()

    talk(listen)
    assert encoded == []

    async def watch(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            shown.show()
            await pair(viewer)

    talk(watch)
    made = len(encoded)
    assert made >= 1
    # He who watched has left: at most what was begun for him is made.
    shown.run()
    frames = shown.frames
    wait_until(lambda: shown.frames > frames + 50, "the loop")
    assert len(encoded) <= made + 1


def test_pictures_are_made_once_for_all_and_at_a_bounded_rate(
    show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []

    def counted(*arguments: object) -> bytes:
        encoded.append(time.monotonic())
        return to_jpeg(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("fer_edge.web.shots.to_jpeg", counted)
    shown = show(rate=10)
    shown.run()

    async def view(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            for _ in range(10):
                await pair(viewer)
                await viewer.send_str("next")

    async def work(client: aiohttp.ClientSession) -> None:
        await asyncio.gather(*(view(client) for _ in range(5)))

    talk(work)
    # Fifty were seen; each begins a tenth of a second after another at the earliest, on average.
    assert len(encoded) <= 2 + 10 * (encoded[-1] - encoded[0])


@pytest.mark.parametrize(
    ("shape", "width", "size"),
    [
        ((480, 1280), 640, (640, 240)),
        ((480, 640), 640, (640, 480)),
        ((1, 5000), 64, (64, 1)),
        ((300, 400, 3), 100, (100, 75)),
    ],
)
def test_pictures_are_at_most_so_wide(shape: tuple[int, ...], width: int, size: tuple[int, int]) -> None:
    decoded = cv2.imdecode(np.frombuffer(to_jpeg(np.full(shape, 99, np.uint8), width, 75), np.uint8), -1)
    assert (decoded.shape[1], decoded.shape[0], decoded.ndim) == (*size, len(shape))


def test_health_tells_of_a_loop_that_stands_still(show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show()
    shown.show()
    assert get(f"{shown.url}/healthz")[::2] == (200, b'{"status": "ok"}')
    monkeypatch.setattr(application, "_STILL_S", 0.0)
    status, _, body = get(f"{shown.url}/healthz")
    assert (status, told(body)) == (503, {"status": "no frame for 0 s"})


def test_metrics_need_no_counting(show: Callable[..., Shown]) -> None:
    pytest.importorskip("prometheus_client", reason="needs prometheus-client (extra metrics)")
    shown = show()
    shown.show()
    status, headers, body = get(f"{shown.url}/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = body.decode().splitlines()
    assert 'fer_edge_frames_total{source="test"} 1.0' in lines
    assert "fer_edge_faces_in_view 1.0" in lines
    assert "fer_edge_camera_up 1.0" in lines


def test_metrics_are_those_of_the_output_where_there_is_one(classifier: Classifier, model_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="needs prometheus-client (extra metrics)")
    from fer_edge.sinks.metrics import MetricsSink

    shown = Shown(classifier, model_path)
    sink = MetricsSink(MetricsSettings(), Context(source="test"))
    shown.outputs.add(Direct(sink, Losses("metrics", warn)))
    with shown:
        shown.show()
        lines = get(f"{shown.url}/metrics")[2].decode().splitlines()
    assert 'fer_edge_stage_seconds_count{stage="total"} 1.0' in lines


def test_who_says_nothing_or_only_half_of_it_is_left(
    show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_IDLE_S", 0.2)
    shown = show()
    for begun in (b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX: "):
        with socket.create_connection(("127.0.0.1", shown.port), timeout=LONG_S) as client:
            client.sendall(begun)
            while client.recv(1 << 16):
                pass  # ends where the server has closed


def test_pictures_wait_for_the_model() -> None:
    with Shown(None, None) as shown:
        headers = {"Content-Type": "image/png"}
        content = cv2.imencode(".png", np.zeros((50, 50), np.uint8))[1].tobytes()
        status, _, body = ask("POST", f"{shown.url}/api/predict", data=content, headers=headers)
    assert (status, told(body)) == (503, {"error": "the model is still being loaded: try again"})


def test_the_loop_hands_over_references_and_wakes_once(make_frame: Callable, make_result: Callable) -> None:  # type: ignore[type-arg]
    newest, woken = Newest(), []
    frame, result = make_frame(3), make_result(3)
    newest.write(result, frame)
    assert newest.seen is not None
    assert newest.seen.frame is frame
    assert newest.seen.result is result
    newest.wake(lambda: woken.append(newest.frames))
    for _ in range(3):
        newest.write(result, frame)
    assert woken == [2]


def test_fifty_viewers_of_whom_most_are_too_slow(show: Callable[..., Shown]) -> None:
    shown = show(rate=30)
    noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
    largest = len(to_jpeg(noise, 640, shown.settings.preview.quality)) + 2000
    shown.run(noise)
    # Twenty read nothing, and twenty-five ask for more and more as well.
    silent = [bare_viewer(shown.port, buffer=4096) for _ in range(20)]
    greedy = [bare_viewer(shown.port, buffer=4096) for _ in range(25)]
    left = threading.Event()

    def ask_for_more() -> None:
        while not left.wait(0.05):
            for viewer in greedy:
                viewer.sendall(next_message())

    asking = threading.Thread(target=ask_for_more)
    asking.start()

    async def view(client: aiohttp.ClientSession) -> int:
        pictures = 0
        async with client.ws_connect(f"{shown.url}/api/v1/stream") as viewer:
            while pictures < 60:
                await pair(viewer)
                pictures += 1
                await viewer.send_str("next")
        return pictures

    async def work(client: aiohttp.ClientSession) -> list[int]:
        return await asyncio.gather(*(view(client) for _ in range(5)))

    # Until the kernel takes no more.
    wait_until(lambda: sum(map(bool, shown.waiting_bytes())) == len(greedy), "slow viewers")
    frames, threads = shown.frames, threading.active_count()
    assert talk(work) == [60] * 5
    # The loop went on, no thread came for anybody, and for nobody more waits than a picture or two.
    assert shown.frames - frames > 60
    assert threading.active_count() <= threads + 1
    assert 0 < max(shown.waiting_bytes()) <= largest + HIGH_WATER
    left.set()
    asking.join()
    for viewer in silent:
        assert read_all(viewer).count(b"\xff\xd8\xff") <= 1
    for viewer in [*silent, *greedy]:
        viewer.close()


def test_further_connections_are_refused_at_once(show: Callable[..., Shown]) -> None:
    shown = show(connections=3)
    there = [socket.create_connection(("127.0.0.1", shown.port)) for _ in range(3)]

    def refused() -> bool:
        with socket.create_connection(("127.0.0.1", shown.port), timeout=LONG_S) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            try:
                return one.recv(1000).startswith(b"HTTP/1.1 503")
            except ConnectionError:
                return True

    wait_until(refused, "a full house")
    for one in there:
        one.close()
    wait_until(lambda: not refused(), "room")


def test_it_ends_while_viewers_hang(show: Callable[..., Shown], classifier: object) -> None:
    with Shown(None, None) as shown:
        shown.show()
        viewers = [bare_viewer(shown.port, buffer=4096) for _ in range(10)]
        half = socket.create_connection(("127.0.0.1", shown.port))
        half.sendall(b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n")
        wait_until(lambda: viewers[-1].recv(10), "the handshake")
    # What hangs is waited for no longer than the loop may take to end; then it ends by itself.
    wait_until(
        lambda: not any(thread.name in ("web", "preview") for thread in threading.enumerate()), "the threads' end"
    )
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", shown.port))
    for one in [*viewers, half]:
        one.close()
    # What the loop writes after that reaches nobody and harms nothing.
    shown.show()


def test_defaults_are_those_of_the_documentation() -> None:
    settings = PreviewSettings()
    assert (settings.rate, settings.width, settings.upload_mb, settings.address) == (15.0, 640, 8.0, "")
