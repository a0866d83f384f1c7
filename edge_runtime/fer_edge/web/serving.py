"""A whole `fer-edge serve`: the pipeline for pictures that browsers send."""

from __future__ import annotations

import contextlib
import gc

import cv2

from fer_edge.command import warn
from fer_edge.detectors import open_detector
from fer_edge.interpreter import default_threads
from fer_edge.settings import Settings
from fer_edge.supervision.choosing import choose
from fer_edge.supervision.signals import Signals
from fer_edge.supervision.thermometer import Thermometer
from fer_edge.web.address import Address
from fer_edge.web.application import Site
from fer_edge.web.inference import Inference, Stages
from fer_edge.web.opening import open_server
from fer_edge.web.shots import Shots
from fer_edge.web.state import About

_SOURCE = "browser"


def serve(settings: Settings, address: str) -> None:
    """Serve until a signal comes.

    Args:
        settings: Of everything.
        address: HOST:PORT.

    Raises:
        UsageError: The address, the token or the certificate cannot be used.
        FerError: Nothing can be listened at there, or the model cannot be used.
    """
    own = settings.preview
    place = Address.parse(address)
    cv2.setNumThreads(settings.model.threads or default_threads())
    with Signals() as signals, contextlib.closing(Thermometer()) as thermometer:
        detector = open_detector(settings.detector.name, settings.detector)
        chosen = choose(settings.model, self_test=False, tell=warn)
        stages = Stages(detector, chosen.classifier)
        thermometer.start()
        about = About("serve", _SOURCE, lambda: chosen.classifier.metadata)
        inference = Inference(lambda: stages, settings.loop, sessions=own.cameras)
        site = Site(about, own, Shots(None, about, own), inference, board=lambda: thermometer.state)
        with open_server(site, place):
            # As in `running`: what is there now is no garbage, what clients leave behind is.
            gc.freeze()
            gc.enable()
            signals.stop.wait()
        if chosen.trial is not None and (problem := chosen.trial.ended()) is not None:
            warn(problem)
