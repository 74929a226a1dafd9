"""Why a connection did not come about, or ended: the kind, and words that say what to do."""

from __future__ import annotations

from edgecam.errors import BrokerError
from edgecam.publish.session import Session
from edgecam.publish.transport import WebSocketError
from edgecam.publish.wire import BAD_LOGIN, UNSUPPORTED_PROTOCOL, Failure, Protocol
from edgecam.tls import TlsError


def not_opened(error: BrokerError | OSError | UnicodeError, host: str) -> tuple[Failure, str]:
    """Of an attempt that did not come so far as to speak MQTT."""
    if isinstance(error, TlsError):
        return Failure.TLS, str(error)
    if isinstance(error, WebSocketError):
        return Failure.WEBSOCKET, str(error)
    if isinstance(error, UnicodeError):
        return Failure.UNREACHABLE, f'"{host}" is no host name'
    return Failure.UNREACHABLE, (isinstance(error, OSError) and error.strerror) or str(error)


def refused(session: Session, version: Protocol) -> tuple[Failure, str]:
    """Of an attempt that ended without success."""
    answer = session.answer
    if answer is None and session.tls_failure:
        return Failure.TLS, session.tls_failure
    if answer is None:
        hint = "" if session.encrypted else " (if this port is for TLS: mqtts:// or wss://)"
        return Failure.CLOSED, f"it closed the connection instead of answering to MQTT {version}{hint}"
    if answer.value == UNSUPPORTED_PROTOCOL:
        return Failure.VERSION, f"it does not speak MQTT {version}"
    if answer.value in BAD_LOGIN:
        text = f"login refused ({answer}): check mqtt.username, mqtt.password_file"
        return Failure.REFUSED_LOGIN, text
    return Failure.REFUSED, f"refused ({answer})"


def lost(session: Session, *, stable: bool) -> tuple[Failure, str]:
    """Of a connection that had been accepted; `stable`: it had lasted for a while."""
    farewell = session.farewell
    if session.session_taken:
        text = f"ended by the broker: {farewell}; another client has this client id: give each its own device"
        return Failure.SESSION_TAKEN, text
    if session.silent:
        return Failure.MUTE, "connection lost: no answer to a ping"
    if session.tls_failure:
        return Failure.TLS, session.tls_failure
    if session.fault is not None:
        return Failure.CLOSED, f"connection ended by us: {session.fault}"
    if farewell is not None:
        return Failure.CLOSED, f"ended by the broker: {farewell}"
    # MQTT 3.1.1 has no word for it, and not every broker says the word of MQTT 5.
    hint = (
        "" if stable else " soon after it began; if again and again: another client may have this client id"
    )
    return Failure.CLOSED, f"connection lost{hint}"
