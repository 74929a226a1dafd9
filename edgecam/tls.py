"""TLS as a client of a broker: the files, the context, the handshake, and what to do when one of them fails.

The server's certificate and its name are always checked; there is no way to turn that off.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_MAX_FILE_BYTES = 10_000_000
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# X509_V_ERR_… of OpenSSL.
_NOT_YET_VALID, _EXPIRED = {9}, {10}
_OTHER_NAME = {62, 64}
_UNKNOWN_CA = {2, 18, 19, 20, 21}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files; `cert` and `key` go together."""

    ca: Path | None = None
    """Whom to trust; None: the system's CAs."""
    cert: Path | None = None
    """Our certificate, with its intermediate ones."""
    key: Path | None = None
    """Its private key, without a passphrase."""


NO_FILES = TlsFiles()


class TlsError(OSError):
    """TLS cannot be had: a file of ours, the broker's certificate, or no TLS there at all."""

    def __init__(self, text: str, *, key: str = "", path: Path | None = None) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.text = text
        self.key = key
        """Which of `TlsFiles` is at fault; empty: none."""
        self.path = path


class TlsSocket(ssl.SSLSocket):
    """Remembers how TLS failed: since version 1.3 a refusal of our certificate comes after the handshake."""

    failure: str | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As the socket's own."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.failure = _alert(error) or f"TLS broke off: {error}"
            raise

    def send(self, data: bytes | bytearray | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        """As the socket's own."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError:
            # Who has hung up may have said why.
            with contextlib.suppress(OSError):
                self.recv(1)
            raise


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """What a handshake needs; raises TlsError for a file that cannot serve, whatever the day."""
    # Not create_default_context: from Python 3.13 on it refuses many a home-made CA for its form.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TlsSocket
    if files.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _certificates(files.ca, "ca")
        try:
            context.load_verify_locations(cafile=files.ca)
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(
                f"holds no certificate that can be read ({error})", key="ca", path=files.ca
            ) from None
    if (files.cert is None) != (files.key is None):
        key, other = ("cert", "key") if files.key is None else ("key", "cert")
        raise TlsError(f"needs its {other} beside it", key=key, path=files.cert or files.key)
    if files.cert is not None and files.key is not None:
        _load_pair(context, files.cert, files.key)
    return context


def check_dates(files: TlsFiles, now: datetime) -> None:
    """Raise TlsError for a certificate of ours that is not valid now (an aware time)."""
    for key, path, remedy in (
        ("ca", files.ca, "put the certificate of the broker's present CA there"),
        ("cert", files.cert, "have it renewed and put the new one there, with its key"),
    ):
        spans = [span for der in (_certificates(path, key) if path else []) if (span := _validity(der))]
        # A bundle may carry old ones beside those that count; of a chain, the first is ours.
        spans = spans[:1] if key == "cert" else spans
        if not spans or any(begin <= now <= end for begin, end in spans):
            continue
        if all(now < begin for begin, _ in spans):
            begin = min(begin for begin, _ in spans)
            text = f"is valid only from {begin:%Y-%m-%d %H:%M} UTC on; is the clock of this machine right?"
        else:
            text = f"expired on {max(end for _, end in spans):%Y-%m-%d %H:%M} UTC; {remedy}"
        raise TlsError(text, key=key, path=path)


def wrap(sock: socket.socket, context: ssl.SSLContext, *, host: str, timeout_s: float) -> ssl.SSLSocket:
    """A connected socket after the handshake, within `timeout_s`; raises TlsError, and closes it then."""
    sock.settimeout(timeout_s)
    try:
        wrapped = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        sock.close()
        raise TlsError(explain(error, host=host)) from None
    try:
        wrapped.do_handshake()
    except OSError as error:
        wrapped.close()
        raise TlsError(explain(error, host=host)) from None
    return wrapped


def explain(error: Exception, *, host: str) -> str:
    """What a failed handshake means, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, host)
    if alert := _alert(error):
        return alert
    said = str(error) or type(error).__name__
    return f"no TLS there ({said}): is this the broker's port for mqtts:// or wss://?"


def _alert(error: Exception) -> str | None:
    """What the broker has against our certificate; None: it said nothing of the kind."""
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if not any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")):
        return None
    said = reason.lower().replace("_", " ")
    return f"the broker refused our certificate ({said}): check mqtt.tls.cert and mqtt.tls.key"


def _distrust(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = error.verify_code
    if code in _EXPIRED:
        return "the broker's certificate, or its CA's, has expired: have it renewed there"
    if code in _NOT_YET_VALID:
        return "the broker's certificate is not yet valid: is the clock of this machine right?"
    if code in _OTHER_NAME:
        return f"the broker's certificate is not for {host}: put a name that it has into mqtt.url"
    if code in _UNKNOWN_CA:
        return f"the broker's certificate is of an unknown CA ({error.verify_message}): check mqtt.tls.ca"
    return f"the broker's certificate is not to be trusted: {error.verify_message}"


def _load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    if _validity(_certificates(cert, "cert")[0]) is None:
        raise TlsError("holds no certificate that can be read", key="cert", path=cert)
    _read(key, "key")

    def refuse() -> str:
        # Without this OpenSSL would ask at the terminal, and wait.
        raise TlsError("has a passphrase; edgecam needs a key without one", key="key", path=key)

    try:
        context.load_cert_chain(cert, key, password=refuse)
    except TlsError:
        raise
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"is not the key of the certificate {cert}; take the pair that was made together"
        else:
            text = f"is no private key in PEM that fits to {cert} ({error.reason})"
        raise TlsError(text, key="key", path=key) from None


def _read(path: Path, key: str) -> str:
    """A file's text, as PEM has it: what stands between the blocks may be anything."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode("latin-1")
    except OSError as error:
        text = f"cannot be read: {error.strerror}; put it there, readable by the user that runs edgecam"
        raise TlsError(text, key=key, path=path) from None


def _certificates(path: Path, key: str) -> list[bytes]:
    """The certificates in a PEM file, decoded; raises TlsError if there are none."""
    blocks = _PEM.findall(_read(path, key))
    if not blocks:
        raise TlsError("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", key=key, path=path)
    try:
        return [ssl.PEM_cert_to_DER_cert(block) for block in blocks]
    except ValueError as error:
        raise TlsError(f"holds a damaged certificate ({error})", key=key, path=path) from None


def _validity(der: bytes) -> tuple[datetime, datetime] | None:
    """From when and until when a certificate holds (RFC 5280, 4.1); None where it is not as expected."""
    try:
        certificate = next(_items(der))[1]
        fields = list(_items(next(_items(certificate))[1]))
        # The version stands in front, but may be left out; then serial, signature, issuer, validity.
        validity = fields[4 if fields[0][0] == 0xA0 else 3][1]  # noqa: PLR2004 - a tag of the encoding
        begin, end = (_time(tag, text) for tag, text in _items(validity))
    except (IndexError, ValueError, StopIteration):
        return None
    return begin, end


def _items(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of what stands side by side in DER (X.690)."""
    while der:
        tag, size, start = der[0], der[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[2:start])
        yield tag, der[start : start + size]
        der = der[start + size :]


def _time(tag: int, text: bytes) -> datetime:
    utc_time = 0x17
    form = "%y%m%d%H%M%SZ" if tag == utc_time else "%Y%m%d%H%M%SZ"
    return datetime.strptime(text.decode("ascii"), form).replace(tzinfo=UTC)
