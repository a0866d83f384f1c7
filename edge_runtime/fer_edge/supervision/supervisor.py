"""What is done between two frames, so that a device lives on and tells how it is.

All of it is called by the loop, in its thread. That is what makes the watchdog worth having: a camera, an interpreter
or an output that hangs keeps the loop from giving signs of life, and systemd starts the service anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fer_edge.command import warn
from fer_edge.loop import Loop
from fer_edge.notify import Notifier
from fer_edge.settings import Settings
from fer_edge.sinks import Outputs
from fer_edge.supervision.choosing import Chosen, choose
from fer_edge.supervision.heat import Cooling, at
from fer_edge.types import BoardState, Result

if TYPE_CHECKING:  # most runs are no service
    from fer_edge.supervision.reloading import Reloader, Renewal

_STATUS_S = 5.0
# While a camera is waited for at the start, systemd is asked for so much more time, and every so often.
_MORE_S, _ASK_S = 60.0, 10.0
NO_CAMERA = "no camera"


class Supervisor:
    """Gives signs of life, tells the status, slows down a hot board, proves models, takes over what was reloaded.

    Attributes:
        settings: In use.
        model: In use; None until it is loaded.
    """

    def __init__(
        self,
        settings: Settings,
        notifier: Notifier,
        stop: threading.Event,
        *,
        board: Callable[[], BoardState | None] = lambda: None,
        reloader: Reloader | None = None,
        tell: Callable[[str], object] = warn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Join the parts; `attach` must follow before the first frame.

        Args:
            settings: Of the run.
            notifier: Tells systemd.
            stop: Ends the waiting of a slowed loop.
            board: Tells how the board is.
            reloader: Is asked for what was reloaded; None where nothing ever is.
            tell: Takes a line for people.
            clock: Gives seconds of a clock that does not jump.
        """
        self.settings = settings
        self._notifier, self._stop, self._board, self._reloader = notifier, stop, board, reloader
        self._tell, self._clock = tell, clock
        self._cooling = Cooling(settings.heat, tell, clock)
        self._outputs: Outputs | None = None
        self.model: Chosen | None = None
        self._ready = self._proved = False
        self._away = NO_CAMERA
        self._since_s = self._told_s = self._asked_s = self._due_s = float("-inf")
        self._frames = 0

    def choose(self) -> None:
        """Load the model of the settings. Raises what `choosing.choose` does."""
        self.model = choose(self.settings.model, self_test=self._notifier.listened, tell=self._tell)

    def attach(self, loop: Loop, outputs: Outputs) -> None:
        """Take what there is only when all is open.

        Args:
            loop: Whose frames these are.
            outputs: Their losses are told; one that hangs counts as a loop that hangs.
        """
        self._loop, self._outputs = loop, outputs

    def between(self, result: Result) -> None:
        """Do what is due after a frame."""
        now = self._clock()
        self._frames += 1
        if self._outputs is None or not self._hangs(self._outputs):
            self._notifier.alive()
        if not self._ready:
            self._ready, self._since_s, self._told_s, self._frames = True, now, now, 0
            self._notifier.ready(_seen(result))
        elif now - self._told_s >= _STATUS_S:
            self._notifier.status(self._status(result, now))
        self._prove(now)
        self._renew()
        self._slow_down(now)

    def camera_lost(self, reason: str) -> None:
        """See `sources._reconnecting.Attendant`."""
        self._tell(f"{NO_CAMERA}, it is opened again and again: {reason}")
        self._away = f"{NO_CAMERA}: {reason}"
        self._asked_s = float("-inf")
        if self._outputs is not None:
            self._outputs.camera(False)
        self.still_waiting()

    def camera_found(self, seconds: float) -> None:
        """See `sources._reconnecting.Attendant`."""
        self._tell(f"the camera is there again after {seconds:.1f} s")
        self._told_s, self._frames = self._clock(), 0
        if self._outputs is not None:
            self._outputs.camera(True)
        self._notifier.status("the camera is there again")

    def still_waiting(self) -> None:
        """See `sources._reconnecting.Attendant`."""
        self._notifier.alive()
        if self._ready:
            self._renew()
        now = self._clock()
        if now - self._asked_s >= _ASK_S:
            self._asked_s = now
            if self._ready:
                self._notifier.status(self._away)
            else:
                self._notifier.starting(self._away, _MORE_S)

    def ended(self) -> None:
        """Take note that the run ends in order: that is no crash of the model."""
        if self.model is not None and self.model.trial is not None:
            self._note(self.model.trial.ended())

    def _hangs(self, outputs: Outputs) -> bool:
        period_s = self._notifier.watchdog_s
        return period_s is not None and outputs.hanging_s() > period_s

    def _status(self, result: Result, now: float) -> str:
        rate = self._frames / (now - self._told_s)
        self._told_s, self._frames = now, 0
        board = result.board
        lost = {} if self._outputs is None else self._outputs.lost
        parts = [f"{rate:.1f} frames/s", _seen(result), f"dropped {result.dropped}"]
        parts += [] if board is None or board.temperature is None else [f"{board.temperature:.0f} C"]
        parts += [] if board is None or board.rate is None else [f"slowed to {board.rate:g} frames/s"]
        parts += [f"lost {count} by {name}" for name, count in lost.items() if count]
        return ", ".join(parts)

    def _prove(self, now: float) -> None:
        if self._proved or now - self._since_s < self.settings.model.trial_s:
            return
        self._proved = True
        if self.model is not None and self.model.trial is not None:
            self._note(self.model.trial.proved())

    def _note(self, problem: str | None) -> None:
        if problem is not None:
            self._tell(problem)

    def _renew(self) -> None:
        reloader = self._reloader
        if reloader is None:
            return
        if reloader.done:
            renewal = reloader.collect()
            if renewal is not None:
                self._take_over(renewal)
            self._notifier.ready("running with what it had" if renewal is None else "configuration and model renewed")
        elif reloader.asked.is_set() and not reloader.begun:
            self._notifier.reloading()
            # The model in use has lived until now; counting its start twice would call that a crash.
            reloader.begin(self.settings, self.ended)

    def _take_over(self, renewal: Renewal) -> None:
        from fer_edge.searching import BackgroundSearch

        settings, searcher = renewal.settings, renewal.searcher
        before = self._loop.tracker.background
        beside = None if searcher is None or before is None else BackgroundSearch(searcher)
        self._loop.renew(renewal.model.classifier, settings.loop, renewal.detector, beside)
        if beside is not None and before is not None:
            # It may be in the middle of a search, for which no frame shall wait.
            threading.Thread(target=before.close, daemon=True).start()
        self._cooling.settings = settings.heat
        self.settings, self.model = settings, renewal.model
        self._proved, self._since_s = False, self._clock()
        self._tell(f"configuration and model are renewed: {renewal.model.classifier.metadata.name}")
        if renewal.later:
            self._tell(f"what changed of {', '.join(renewal.later)} waits for the next start")

    def _slow_down(self, now: float) -> None:
        state = self._board()
        rate = None if state is None else self._cooling.rate(state.temperature)
        self._loop.board = at(state, rate)
        if rate is None:
            return
        self._due_s = max(now, self._due_s + 1 / rate)
        self._stop.wait(max(0.0, self._due_s - now))


def _seen(result: Result) -> str:
    """Tell what is seen, in a few words."""
    if not result.faces:
        return "nobody in view"
    largest = max(result.faces, key=lambda face: face.box.width * face.box.height)
    return f"{len(result.faces)} in view, {largest.expression} {largest.confidence:.2f}"
