"""The words of the link to a broker: where it is, how long to wait, what may happen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

DEFAULT_PORT = 1883

# Reason codes of MQTT 5; the return codes of 3.1.1 are translated to them.
UNSUPPORTED_PROTOCOL = 0x84
BAD_LOGIN = frozenset({0x86, 0x87})
SESSION_TAKEN = 0x8E
"""Another client has connected with our client id."""


class Protocol(StrEnum):
    """Which version of MQTT to speak."""

    AUTO = "auto"
    """5; where that fails for a reason of version, 3.1.1. What worked is remembered."""
    V5 = "5"
    V311 = "3.1.1"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is, and who we are to it."""

    host: str
    port: int = DEFAULT_PORT
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Without the login, as it is logged."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt://{host}:{self.port}"


def parse_broker(url: str, *, username: str | None = None, password: str | None = None) -> BrokerAddress:
    """The address in `mqtt://host[:port]`; raises ValueError with what is wrong and the remedy."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected mqtt://host or mqtt://host:port ({error})") from None
    if parts.username is not None or parts.password is not None:
        # The text is not repeated: it holds a secret.
        raise ValueError(
            "expected mqtt://host:port without a login; give username and password apart from it"
        )
    if parts.scheme != "mqtt" or not host or port == 0 or parts.path.strip("/") or parts.query:
        raise ValueError(f"expected mqtt://host or mqtt://host:port, got {url!r}")
    return BrokerAddress(host=host, port=port or DEFAULT_PORT, username=username, password=password)


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us, retained and at QoS 1, when we vanish."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """How long the link waits, and for what."""

    connect_s: float = 3.0
    """For the TCP connection, per address of the host."""
    connack_s: float = 5.0
    """For the broker's answer."""
    backoff_min_s: float = 1.0
    backoff_max_s: float = 30.0
    stable_s: float = 10.0
    """A connection that lasted so long starts the back-off anew."""
    keepalive_s: int = 30


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted us: a CONNACK with success."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection that had been accepted has ended."""

    session_taken: bool
    """Another client came with our client id (only MQTT 5 says so)."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker's answer to a message at QoS 1."""

    token: int
    """What `publish` returned."""
    accepted: bool
    reason: str
    """In the broker's words."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message on a topic that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None
    """Where the sender wants the answer (MQTT 5);"""
    correlation: bytes | None = None
    """and by what it will know the answer."""


Happening = Connected | Disconnected | Acknowledged | Received


class Failure(StrEnum):
    """How an attempt to connect ended."""

    UNREACHABLE = "unreachable"
    """No connection; says nothing about versions."""
    VERSION = "version"
    """The broker refused this version of MQTT."""
    CLOSED = "closed"
    """It closed the connection instead of answering."""
    MUTE = "mute"
    """It answered nothing."""
    REFUSED = "refused"
    """It understood, and refused: a login, mostly."""


class ProtocolChoice:
    """Which version to try next: 5, then 3.1.1 where the failure may be one of version."""

    def __init__(self, wanted: Protocol) -> None:
        self._forced = wanted is not Protocol.AUTO
        self._proven = False
        self.current = wanted if self._forced else Protocol.V5

    def worked(self) -> None:
        """This version is the right one for this broker."""
        self._proven = True

    def failed(self, failure: Failure) -> bool:
        """Note a failed attempt; returns True if the other version should be tried at once.

        A version that has worked is left only when the broker says so itself: a broker that restarts
        closes connections, too.
        """
        if self._forced or (self._proven and failure is not Failure.VERSION):
            return False
        self._proven = False
        fall = self.current is Protocol.V5 and failure in {Failure.VERSION, Failure.CLOSED, Failure.MUTE}
        self.current = Protocol.V311 if fall else Protocol.V5
        return fall
