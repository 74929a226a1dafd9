"""The words of a broker's URL: `mqtt.url`, `--url`, and what a subscriber is given. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Scheme(StrEnum):
    """How the bytes travel."""

    MQTT = "mqtt"
    MQTTS = "mqtts"
    """Over TLS."""
    WS = "ws"
    """Over WebSocket."""
    WSS = "wss"
    """Over WebSocket over TLS."""
    EMBEDDED = "embedded"
    """As `mqtt`, to a broker that edgecam starts itself."""


# The registered ports.
_PORTS = {Scheme.MQTT: 1883, Scheme.MQTTS: 8883, Scheme.WS: 80, Scheme.WSS: 443, Scheme.EMBEDDED: 1883}
_WEBSOCKET_PATH = "/mqtt"
_EMBEDDED_HOST = "127.0.0.1"
_EXPECTED = "mqtt://HOST[:PORT], mqtts://HOST[:PORT], ws://HOST[:PORT][/PATH] or wss://HOST[:PORT][/PATH]"


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """Where a broker is, and how to speak to it."""

    host: str
    port: int = _PORTS[Scheme.MQTT]
    scheme: Scheme = Scheme.MQTT
    path: str = ""
    """Of the WebSocket, with `/` in front; empty for the others."""

    @property
    def embedded(self) -> bool:
        """True for a broker that edgecam starts itself."""
        return self.scheme is Scheme.EMBEDDED

    @property
    def encrypted(self) -> bool:
        """True over TLS."""
        return self.scheme in {Scheme.MQTTS, Scheme.WSS}

    @property
    def websocket(self) -> bool:
        """True over WebSocket."""
        return self.scheme in {Scheme.WS, Scheme.WSS}

    def __str__(self) -> str:
        """As it is written and logged; there is no login in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_broker_url(url: str, *, embedded: bool = False) -> BrokerUrl:
    """The parts of a URL, the port and path filled in.

    Args:
        url: the text.
        embedded: whether `embedded` and `embedded://HOST:PORT` are accepted, too.

    Raises:
        ValueError: what is expected, and what is wrong; never repeats a login.
    """
    expected = (
        f"expected embedded, embedded://HOST:PORT, {_EXPECTED}" if embedded else f"expected {_EXPECTED}"
    )
    if embedded and url == "embedded":
        return BrokerUrl(_EMBEDDED_HOST, scheme=Scheme.EMBEDDED)
    if "@" in url:
        # The text is not repeated: it may hold a secret.
        raise ValueError(f"{expected}, got credentials in it; give username and password apart from it")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f'{expected}, got "{url}"') from None
    if host and not is_host(host):
        raise ValueError(f'{expected}; "{host}" is no host name')
    known = parts.scheme in set(Scheme) and (embedded or parts.scheme != Scheme.EMBEDDED)
    if (
        not known
        or not host
        or port == 0
        or parts.query
        or parts.fragment
        or re.search(r"[\s\0-\x1f\x7f]", url)
    ):
        raise ValueError(f'{expected}, got "{url}"')
    scheme = Scheme(parts.scheme)
    if scheme is Scheme.EMBEDDED and port is None:
        raise ValueError(f'{expected}, got "{url}" without a port')
    address = BrokerUrl(host, port or _PORTS[scheme], scheme)
    if address.websocket and parts.path.isascii():
        return BrokerUrl(address.host, address.port, scheme, parts.path or _WEBSOCKET_PATH)
    if parts.path not in ("", "/"):
        raise ValueError(f'{expected}, got "{url}" with a path')
    return address


def is_host(name: str) -> bool:
    """False for what no resolver takes: an empty label, or one of more than 63 bytes (RFC 1035, 2.3.4)."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True
