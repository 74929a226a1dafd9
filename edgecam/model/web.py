"""An HTTP request as downloads make it: by the environment's proxy, redirected a few times, never to less."""

from __future__ import annotations

import ssl
from http.client import HTTPMessage, HTTPResponse
from typing import IO, cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from edgecam import __version__
from edgecam.errors import ModelError

_NOT_FOUND = {404, 410}
_FORBIDDEN = {401, 403, 407, 451}
_WORTH_ANOTHER_TRY = {408, 416, 425, 429}
_SERVERS_OWN = 500


class _Redirects(HTTPRedirectHandler):
    """Follows to http and https, and from https to https alone."""

    max_redirections = 5

    def redirect_request(  # noqa: PLR0917 - the library's signature
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The next request; it keeps the headers."""
        try:
            check_address(newurl)
            _check_encrypted(req, newurl)
        except ModelError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str) -> None:
    """Refuse what is no plain web address.

    Raises:
        ModelError: another scheme, no host, or a password in it.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ModelError(
            f"{parts.scheme}://***@{parts.hostname}: an address with a password is not supported"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ModelError(f"{url}: is no address to download from; expected http://… or https://…")


def _check_encrypted(request: Request, url: str) -> None:
    if request.type == "https" and urlsplit(url).scheme != "https":
        raise ModelError(f"{request.full_url}: leads from https to {url}, which is not encrypted")


def _context() -> ssl.SSLContext:
    """The system's CAs. As with brokers, also those of a house, whose form strict readers reject."""
    context = ssl.create_default_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def answer_to(url: str, headers: dict[str, str], *, timeout_s: float) -> HTTPResponse:
    """The answer, its body not yet read; each wait for the network lasts `timeout_s` at most.

    Raises:
        ModelError: the address leads where it should not, or its certificate is not to be trusted.
        urllib.error.HTTPError: a status of 300 and more.
        OSError, http.client.HTTPException: the network, or a server that speaks no HTTP.
    """
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(), HTTPHandler(), HTTPSHandler(context=_context()), _Redirects(),
        HTTPDefaultErrorHandler(), HTTPErrorProcessor(),
    ):  # fmt: skip
        opener.add_handler(handler)
    check_address(url)
    request = Request(  # noqa: S310 - the scheme was looked at
        url, headers={"User-Agent": f"edgecam/{__version__}", "Accept-Encoding": "identity", **headers}
    )
    try:
        return cast("HTTPResponse", opener.open(request, timeout=timeout_s))
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise ModelError(
                f"{url}: the server's certificate is not to be trusted ({error.reason.verify_message}); "
                "is this device's clock right?"
            ) from error
        raise


def final_fault(status: int) -> str | None:
    """What to tell of an HTTP status that another try would not change; None: try again."""
    if status in _NOT_FOUND:
        return f"is not there any more (status {status}); try --mirror or --file"
    if status in _FORBIDDEN:
        return f"may not be had from here (status {status}); try --mirror or --file"
    if status in _WORTH_ANOTHER_TRY or status >= _SERVERS_OWN:
        return None
    return f"the server answers with status {status}; try --mirror or --file"
