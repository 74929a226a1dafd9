"""The words of the link to a broker: where it is, how long to wait, what may happen. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from edgecam.broker_url import BrokerUrl, parse_broker_url
from edgecam.tls import NO_FILES, TlsFiles

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
class BrokerAddress(BrokerUrl):
    """Where a broker is, and who we are to it; as text without the login, as it is logged."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsFiles = NO_FILES


def address_of(
    url: BrokerUrl,
    *,
    username: str | None = None,
    password: str | None = None,
    tls: TlsFiles = NO_FILES,
) -> BrokerAddress:
    """A place, and who we are there; raises ValueError for certificates where nothing is encrypted."""
    if tls != NO_FILES and not url.encrypted:
        raise ValueError(f"certificates need mqtts:// or wss://, got {url}, which is not encrypted")
    return BrokerAddress(
        url.host, url.port, url.scheme, url.path, username=username, password=password, tls=tls
    )


def parse_broker(
    url: str, *, username: str | None = None, password: str | None = None, tls: TlsFiles = NO_FILES
) -> BrokerAddress:
    """As `address_of`, from a URL's text; raises ValueError with what is wrong and the remedy."""
    return address_of(parse_broker_url(url), username=username, password=password, tls=tls)


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us, retained and at QoS 1, when we vanish."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """How long the link waits, and for what."""

    connect_s: float = 3.0
    """For the TCP connection, per address of the host; as long again for the TLS handshake."""
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
    """How an attempt to connect, or a connection, ended."""

    UNREACHABLE = "unreachable"
    """No connection; says nothing about versions."""
    TLS = "tls"
    """No encryption, or none that can be trusted: CA, name, date, a file of ours."""
    WEBSOCKET = "websocket"
    """Somebody is there, but no WebSocket at this path."""
    VERSION = "version"
    """The broker refused this version of MQTT."""
    CLOSED = "closed"
    """It closed the connection instead of answering, or later."""
    MUTE = "mute"
    """It answered nothing (any more)."""
    REFUSED_LOGIN = "refused_login"
    """Wrong name or password."""
    REFUSED = "refused"
    """It understood, and refused for another reason."""
    SESSION_TAKEN = "session_taken"
    """Another client has connected with our client id."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the link is, for people and programs to read."""

    broker: str
    """Its URL, without a login."""
    encrypted: bool
    connected_s: float | None
    """How long the present connection has lasted, in seconds; None: there is none."""
    protocol: Protocol | None
    """What is spoken; None when not connected."""
    failure: Failure | None
    """The last failure, also after it is over; None: there was none."""
    reason: str
    """That failure in words, with what to do; empty: there was none."""
    next_attempt_s: float | None
    """Seconds until the next attempt, 0 while it is made; None while connected, or waiting for an answer."""


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
