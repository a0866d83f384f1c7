"""The live page of `fer-edge run --preview` and `fer-edge serve`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# Where the page is, unless somebody says otherwise.
DEFAULT_ADDRESS = "127.0.0.1:8080"


class PreviewSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The live page; but for `address`, `rate` and `width` also of 'fer-edge serve'."""

    address: Annotated[
        str,
        Meta(
            max_length=300,
            description='HOST:PORT where the page is, such as "127.0.0.1:8080" or "[::1]:8080"; empty for no page. All '
            "but 127.0.0.1, ::1 and localhost need a token.",
        ),
    ] = ""
    rate: Annotated[
        float, Meta(gt=0, le=120, description="Pictures a second at most that are encoded, once for all who watch.")
    ] = 15.0
    width: Annotated[int, Meta(ge=64, le=4096, description="Of these pictures at most, pixels.")] = 640
    quality: Annotated[int, Meta(ge=10, le=100, description="Of these pictures, in JPEG's per cent.")] = 75
    connections: Annotated[
        int, Meta(ge=1, le=1000, description="Connections at most, of all who watch or ask; further ones are refused.")
    ] = 128
    cameras: Annotated[
        int, Meta(ge=1, le=100, description="Browsers at most that send pictures at the same time (fer-edge serve).")
    ] = 8
    upload_mb: Annotated[float, Meta(gt=0, le=64, description="Size of an uploaded picture at most, megabytes.")] = 8.0
    predictions_per_minute: Annotated[
        int, Meta(ge=1, le=100_000, description="Uploaded pictures at most that one client address may ask about.")
    ] = 120
    token_file: Annotated[
        str,
        Meta(
            description="File whose first line is the token, 16 characters or more; empty for one that is made at each "
            "start.",
            extra={"file": True},
        ),
    ] = ""
    tls_cert: Annotated[
        str,
        Meta(
            description="File of the certificate with its chain (PEM), for https; empty for http.", extra={"file": True}
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(
            description="File of its private key (PEM); empty where the certificate's file has it.",
            extra={"file": True},
        ),
    ] = ""
