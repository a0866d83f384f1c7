"""The token that all but programs of this machine need."""

from __future__ import annotations

import hmac
import re
import secrets
import stat
from pathlib import Path

from fer_edge import files
from fer_edge.command import warn
from fer_edge.errors import UsageError

_LARGEST = 4096
# What fits into an address, a header and a cookie as it is.
_FORM = re.compile(r"[A-Za-z0-9._~-]{16,256}")


def made() -> str:
    """Make one that nobody guesses, of 192 bits."""
    return secrets.token_urlsafe(24)


def read(path: Path) -> str:
    """Read one from a file; warn where others may read it too.

    Raises:
        FerError: It cannot be read.
        UsageError: Its first line is no token.
    """
    lines = files.read_bytes(path, "token file", largest=_LARGEST).decode(errors="replace").splitlines()
    token = lines[0].strip() if lines else ""
    if not _FORM.fullmatch(token):
        raise UsageError(
            f"the first line of {path} is no token: give 16 to 256 letters, digits, or any of . _ ~ -; "
            f"'openssl rand -hex 24 > {path}' makes one"
        )
    if path.stat().st_mode & stat.S_IROTH:
        warn(f"others can read the token in {path}: chmod 600 {path}")
    return token


def same(given: str, token: str) -> bool:
    """Compare in a time that tells nothing of how much is right."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), token.encode())
