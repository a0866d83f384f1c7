"""How hot the board is, asked beside the loop."""

from __future__ import annotations

import threading

from fer_edge.board import Board
from fer_edge.types import BoardState

# Temperatures change over tens of seconds, and asking the firmware of a Raspberry Pi starts a process.
_LOOK_S = 10.0


class Thermometer:
    """Asks the board now and then, in a thread of its own: what it asks may hang."""

    def __init__(self, board: Board | None = None, look_s: float = _LOOK_S) -> None:
        """Know nothing yet.

        Args:
            board: To ask.
            look_s: Between two looks, seconds.
        """
        self._board = board or Board()
        self._look_s = look_s
        self._ended = threading.Event()
        self._state: BoardState | None = None
        self._thread = threading.Thread(target=self._run, name="thermometer", daemon=True)

    @property
    def state(self) -> BoardState | None:
        """What the board said last; None where it says nothing."""
        return self._state

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            temperature, throttled = self._board.temperature(), self._board.throttled()
            if temperature is None and throttled is None:
                return  # no board that tells; it will not learn to
            self._state = BoardState(temperature, throttled)
            self._ended.wait(self._look_s)
