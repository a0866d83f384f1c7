from __future__ import annotations

import threading

import pytest

from fer_edge.meanwhile import Meanwhile


def test_it_works_beside_and_gives_its_result() -> None:
    go = threading.Event()

    def work() -> int:
        assert go.wait(30)
        return 7

    with Meanwhile(work) as seven:
        go.set()
        assert (seven.result(), seven.result()) == (7, 7)


def fail() -> int:
    raise ValueError("no")


def test_what_it_raises_is_raised_where_the_result_is_wanted() -> None:
    with Meanwhile(fail) as nothing, pytest.raises(ValueError, match=r"^no$"):
        nothing.result()


def test_what_nobody_wanted_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match=r"^no$"), Meanwhile(fail):
        pass


def test_what_went_wrong_first_counts() -> None:
    with pytest.raises(KeyError), Meanwhile(fail):
        raise KeyError


def test_its_end_is_waited_for() -> None:
    ended = threading.Event()

    def work() -> None:
        threading.Event().wait(0.05)
        ended.set()

    with Meanwhile(work):
        assert threading.active_count() > 1
    assert ended.is_set()
