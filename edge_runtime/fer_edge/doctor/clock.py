"""Whether the clock is right, by what the kernel knows of it.

https://man7.org/linux/man-pages/man2/adjtimex.2.html
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from fer_edge.doctor.finding import Finding, ok, warning

# The kernel begins with this much, adds half a millisecond a second, and programs that set the clock take it down.
_UNKNOWN_US = 16_000_000


class _Timex(ctypes.Structure):
    """The start of `struct timex`, and room for the rest, which differs between processors."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_long * 64),
    ]


def largest_error_us() -> int:
    """Ask the kernel how wrong its clock may be, in microseconds; 16 s where nobody has set it.

    Raises:
        OSError: It does not tell, as in some containers.
    """
    asked = _Timex()  # modes 0: nothing is set
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(asked.maxerror)


def clock(ask: Callable[[], int] = largest_error_us) -> list[Finding]:
    """Tell whether the clock is synchronised, as `timedatectl` does: by whichever program, timesyncd, chrony or ntpd.

    A program that has lost its servers counts for some hours more, until the error may have grown to 16 s.

    Args:
        ask: See `largest_error_us`.
    """
    try:
        error_us = ask()
    except (OSError, AttributeError) as error:  # or no such function in the C library
        return [ok("clock", f"this machine does not tell: {error}")]
    if error_us < _UNKNOWN_US:
        return [ok("clock", f"synchronised, wrong by at most {error_us / 1e6:.3f} s")]
    advice = (
        "connect the network and wait; 'timedatectl' tells whether a service sets the clock ('sudo apt install "
        "systemd-timesyncd' brings one); until then times of results may be wrong"
    )
    return [warning("clock", "not synchronised", advice)]
