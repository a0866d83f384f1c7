"""SHA-256 (FIPS 180-4), at once: to import all of hashlib takes a start longer than to hash a model."""

from __future__ import annotations

try:
    from _hashlib import openssl_sha256 as sha256
except ImportError:
    from hashlib import sha256

__all__ = ["sha256"]
