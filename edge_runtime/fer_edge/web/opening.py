"""A site made a server: token, guard, and the line that tells where the page is."""

from __future__ import annotations

from pathlib import Path

import click

from fer_edge.web import tokens
from fer_edge.web.address import Address
from fer_edge.web.application import Site, application
from fer_edge.web.guard import Guard
from fer_edge.web.server import Server


def open_server(site: Site, address: Address) -> Server:
    """Make the server of a site, which tells on stderr where it is when it listens.

    Raises:
        FerError: The token's file cannot be read.
        UsageError: It holds none.
    """
    settings = site.settings
    tls = bool(settings.tls_cert)
    token = tokens.read(Path(settings.token_file)) if settings.token_file else None
    shown = None
    if token is None and not address.is_loopback:
        token = shown = tokens.made()
    guard = Guard(token, loopback=address.is_loopback, tls=tls)

    def tell(port: int) -> None:
        click.echo(f"the page is at {address.url(port, tls=tls, token=shown)}", err=True)

    return Server(application(site, guard), site, address, tell)
