"""The pipeline of fer-edge in a Streamlit app: the browser's camera by WebRTC, and what its faces show.

    pip install 'fer-edge[streamlit]'
    streamlit run examples/streamlit_app.py

Browsers give their camera only to pages of this machine and to https. Across networks WebRTC needs a STUN or TURN
server, in FER_EXAMPLE_ICE ("stun:HOST:PORT"); within one network it needs none, and none is asked by default.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

import av
import cv2
import streamlit as st
from streamlit_webrtc import VideoProcessorBase, webrtc_streamer

from fer_edge import Classifier, Frame, Loop, Result, open_detector, shipped_model

BOX = (80, 220, 80)  # BGR
ICE = os.environ.get("FER_EXAMPLE_ICE", "")


class Processor(VideoProcessorBase):
    """Draws into each picture what the loop says of it; one a viewer, so that faces keep their numbers."""

    def __init__(self) -> None:
        """Load the model."""
        self._loop = Loop(open_detector("haar"), Classifier.load(shipped_model()))
        self._index = 0
        self._lock = threading.Lock()
        self._result: Result | None = None

    @property
    def result(self) -> Result | None:
        """Of the newest picture; the app reads it from another thread."""
        with self._lock:
            return self._result

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Take a picture and give it with its boxes."""
        began_ns, at = time.monotonic_ns(), datetime.now(UTC)
        image = frame.to_ndarray(format="bgr24")
        capture_ms = (time.monotonic_ns() - began_ns) / 1e6
        result = self._loop.process(Frame(self._index, "webrtc", image, began_ns, at, capture_ms, at_s=began_ns / 1e9))
        self._index += 1
        with self._lock:
            self._result = result
        for face in result.faces:
            box, text = face.box, f"#{face.track} {face.expression} {100 * face.confidence:.0f} %"
            cv2.rectangle(image, (box.x, box.y), (box.x + box.width, box.y + box.height), BOX, 2)
            cv2.putText(image, text, (box.x, max(16, box.y - 6)), cv2.FONT_HERSHEY_SIMPLEX, 0.6, BOX, 2, cv2.LINE_AA)
        drawn = av.VideoFrame.from_ndarray(image, format="bgr24")
        drawn.pts, drawn.time_base = frame.pts, frame.time_base
        return drawn


def show(result: Result | None) -> None:
    """Write what the faces of a picture show."""
    if result is None or not result.faces:
        st.write("No face in the picture." if result else "Waiting for the first picture.")
        return
    for face in result.faces:
        st.subheader(f"Face {face.track}: {face.expression}", anchor=False)
        for label, share in face.probabilities.items():
            st.progress(share, text=f"{label} {100 * share:.0f} %")
    st.caption(f"{result.ms.total:.1f} ms a frame, frame {result.frame}")


st.set_page_config(page_title="fer-edge", layout="wide")
st.title("fer-edge", anchor=False)
picture, words = st.columns([2, 1])
with picture:
    stream = webrtc_streamer(
        key="camera",
        rtc_configuration={"iceServers": [{"urls": [ICE]}] if ICE else []},
        media_stream_constraints={"video": {"width": {"ideal": 640}}, "audio": False},
        video_processor_factory=Processor,
        async_processing=True,
    )
    st.caption("Pictures are looked at and never kept. An expression is what a face resembles, not what anybody feels.")
place = words.empty()
while stream.state.playing and stream.video_processor is not None:
    with place.container():
        show(stream.video_processor.result)
    time.sleep(0.2)
