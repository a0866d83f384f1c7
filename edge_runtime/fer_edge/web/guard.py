"""Who is let in, and what each answer says of itself to the browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from fer_edge.web.address import LOOPBACK
from fer_edge.web.rates import Rates
from fer_edge.web.tokens import same

COOKIE = "fer_edge_token"
HEALTH = "/healthz"
_ASKING = Path(__file__).with_name("token.html")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY.replace("form-action 'self'", "form-action 'none'"),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), fullscreen=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Wrong tokens of a client at once, and a second from then on.
_GUESSES, _GUESSES_PER_S = 20, 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Looks at each request before anything else does."""

    def __init__(self, token: str | None, *, loopback: bool, tls: bool) -> None:
        """Say what is asked for.

        Args:
            token: That everything but `HEALTH` needs; None for none.
            loopback: Whether only names of this machine may be asked for: another name that leads here is that of
                somebody who wants the user's browser to read for him (DNS rebinding).
            tls: Whether the cookie is for https alone.
        """
        self._token, self._loopback, self._tls = token, loopback, tls
        self._guesses = Rates(_GUESSES, _GUESSES_PER_S)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or answer it. Every error becomes JSON."""
        try:
            refused = self._refused(request)
            if refused is not None:
                return refused
            if self._token is not None and request.path == "/" and "token" in request.query:
                return self._with_cookie(request, self._token)
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            kept = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
            return problem(error.status, error.text or error.reason, **kept)

    async def prepared(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Put on every answer what a browser shall allow it."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if self._loopback or self._tls:  # on other pages browsers complain of it
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Server"] = "fer-edge"

    def _refused(self, request: web.Request) -> web.Response | None:
        if self._loopback and _name(request.headers.get("Host", "")) not in LOOPBACK:
            return problem(421, "this name is none of this machine's: open it by 127.0.0.1 or localhost")
        if request.path == HEALTH and request.method in ("GET", "HEAD"):
            return None
        given = self._given(request)
        if self._token is not None:
            client = request.remote or ""
            if given is not None and self._guesses.spent(client):
                return problem(429, "too many wrong tokens: try again later", **{"Retry-After": "5"})
            if given is None or not same(given, self._token):
                if given is not None:
                    self._guesses.take(client)
                return _asking(request)
        if not _same_origin(request):
            return problem(403, "another site's page asks: only pages of this server may")
        return None

    def _given(self, request: web.Request) -> str | None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return value.strip()
        if request.path == "/" and "token" in request.query:
            return request.query["token"].strip()
        return request.cookies.get(COOKIE)

    def _with_cookie(self, request: web.Request, token: str) -> web.Response:
        """Give the browser the token to keep, and send it where the address does not show it."""
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=self._tls, path="/")
        return response


def problem(status: int, message: str, **headers: str) -> web.Response:
    """Make an answer that tells what is wrong."""
    return web.json_response({"error": " ".join(message.split())}, status=status, headers=headers)


def _asking(request: web.Request) -> web.Response:
    """Ask for the token: a person by a page, a program by JSON."""
    headers = {"WWW-Authenticate": 'Bearer realm="fer-edge"'}
    if request.path == "/" and request.method == "GET":
        headers["Content-Security-Policy"] = _POLICY
        return web.Response(status=401, text=_ASKING.read_text(), content_type="text/html", headers=headers)
    return problem(401, "a token is needed: Authorization: Bearer TOKEN", **headers)


def _same_origin(request: web.Request) -> bool:
    """Tell whether a page of this server asks, or no page at all; reading is left to the browser's own rules."""
    if request.method in ("GET", "HEAD") and "upgrade" not in request.headers.get("Connection", "").lower():
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == request.headers.get("Host", "").lower() != ""
    except ValueError:  # as of "http://["
        return False


def _name(host: str) -> str:
    """Give a Host header's name without its port."""
    name, bracket, _ = host.lower().partition("]")
    return name[1:] if bracket and name.startswith("[") else host.lower().rpartition(":")[0] or host.lower()
