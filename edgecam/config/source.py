"""The `source:` of a camera: a scheme and a target in one line of text. Pure: nothing is opened here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from urllib.parse import urlsplit

from edgecam.broker_url import is_host


class SourceKind(StrEnum):
    """Which door of `capture` opens the source."""

    PICAMERA2 = "picamera2"
    V4L2 = "v4l2"
    RTSP = "rtsp"
    HTTP = "http"
    FILE = "file"
    IMAGES = "images"
    PATTERN = "pattern"


_RECORDINGS = frozenset({SourceKind.FILE, SourceKind.IMAGES})
_NETWORK = frozenset({SourceKind.RTSP, SourceKind.HTTP})
_SCHEMES = {
    "picamera2": SourceKind.PICAMERA2,
    "v4l2": SourceKind.V4L2,
    "rtsp": SourceKind.RTSP,
    "rtsps": SourceKind.RTSP,
    "http": SourceKind.HTTP,
    "https": SourceKind.HTTP,
    "file": SourceKind.FILE,
    "images": SourceKind.IMAGES,
    "pattern": SourceKind.PATTERN,
}
_EXAMPLES = {
    SourceKind.PICAMERA2: "picamera2:0",
    SourceKind.V4L2: "v4l2:/dev/video0",
    SourceKind.RTSP: "rtsp://user:password@host/path",
    SourceKind.HTTP: "http://host/stream.mjpg",
    SourceKind.FILE: "file:clip.mp4",
    SourceKind.IMAGES: "images:folder",
    SourceKind.PATTERN: "pattern:",
}
# What people write for a scheme's name; difflib finds the plain typing errors.
_ALIASES = {
    "camera": "picamera2",
    "device": "v4l2",
    "folder": "images",
    "dir": "images",
    "image": "images",
    "libcamera": "picamera2",
    "picam": "picamera2",
    "test": "pattern",
    "usb": "v4l2",
    "video": "file",
    "webcam": "v4l2",
}
_VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mjpg", ".mjpeg", ".ts", ".h264")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class Source:
    """A source as understood."""

    kind: SourceKind
    target: str
    """A camera number or id, a device path, a whole URL, a path, or nothing (pattern)."""

    def __repr__(self) -> str:
        """Without credentials, since a repr ends in logs."""
        return f"Source({self.shown!r})"

    @property
    def live(self) -> bool:
        """False for a recording, which ends; the synthetic pattern never does."""
        return self.kind not in _RECORDINGS

    @property
    def shown(self) -> str:
        """The source for people and logs: as it was written, credentials replaced by `***`."""
        return hide_credentials(self.target) if self.kind in _NETWORK else f"{self.kind}:{self.target}"


_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
# A password may hold an unescaped `/`, `?` or `@`. So with a colon in the authority everything up to the last
# `@` is hidden: a camera's host may be lost from a log line, never a password printed. Without `//`, anything
# before an `@` that holds a colon may be one.
_USERINFO = re.compile(rf"^({_SCHEME})(?:[^/?#]*:.*@|[^/?#]*@)|^(?!{_SCHEME})[^@]*:.*@", re.DOTALL)
# Also in a path: some cameras take rtsp://host/user=…&password=…
_SECRET_FIELD = re.compile(
    r"([\w.-]*(?:user|usr|login|pas|pwd|psw|token|secret|key|auth|sig|session)[\w.-]*=)[^&#\s]*",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """The text, taken for a URL, with user, password and secret fields replaced by `***`."""
    return _SECRET_FIELD.sub(r"\1***", _USERINFO.sub(lambda found: f"{found[1] or ''}***@", text))


def parse_source(text: str) -> Source:
    """The source that `text` names.

    Raises:
        ValueError: what is wrong and the remedy, without credentials.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"the source is empty; write one of {_list_examples()}")
    scheme, colon, target = text.partition(":")
    kind = _SCHEMES.get(scheme.lower()) if colon else None
    if kind is None:
        raise ValueError(f'unknown source "{hide_credentials(text)}"; {_remedy(text)}')
    if kind in _NETWORK:
        return Source(kind, _url(text, example=_EXAMPLES[kind]))
    return Source(kind, _target(kind, target.strip()))


def _target(kind: SourceKind, target: str) -> str:
    """The target of a local source, put into its one form."""
    if kind is SourceKind.PATTERN:
        if target:
            raise ValueError(
                f'the synthetic pattern takes nothing after the colon, got "{target}"; write "pattern:"'
            )
        return ""
    if not target:
        raise ValueError(f'nothing after "{kind}:"; write for instance "{_EXAMPLES[kind]}"')
    if kind is SourceKind.V4L2:
        return _device(target)
    if kind in _RECORDINGS and target.startswith("//"):
        # file:///clips/a.mp4 is the URL for /clips/a.mp4; another host's files are not ours to open.
        host, slash, path = target[2:].partition("/")
        if host not in ("", "localhost") or not path:
            raise ValueError(
                f'"{kind}:{target}" names a file on the host "{host}"; '
                f'write a path on this machine, "{kind}:{host}{slash}{path}" or "{kind}:/…"'
            )
        return f"/{path}"
    return target


def _device(target: str) -> str:
    """`0` → `/dev/video0`; a path stays."""
    if target.isascii() and target.isdigit():
        return f"/dev/video{int(target)}"
    if target.startswith("/"):
        return target
    example = f"/dev/{target}" if re.fullmatch(r"video\d+", target) else "/dev/video0"
    raise ValueError(f'"{target}" is neither a number nor the path of a device; write "v4l2:{example}"')


def _url(text: str, *, example: str) -> str:
    """The URL, if it has a host and a readable port."""
    shown = hide_credentials(text)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        # The library's own words would quote the password that it took for a port.
        raise ValueError(
            f'the host or port of "{shown}" cannot be read; percent-encode special characters in a password '
            '("/" is %2F, "@" is %40, "#" is %23, "?" is %3F)'
        ) from None
    if any(character.isspace() for character in text):
        raise ValueError(f'"{shown}" holds a blank; write it as %20')
    if not host:
        raise ValueError(f'"{shown}" names no host; write for instance "{example}"')
    if not is_host(host):
        raise ValueError(f'"{host}" is no host name; write for instance "{example}"')
    return text


def _remedy(text: str) -> str:
    """What the writer of an unknown source most probably meant."""
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    meant = _ALIASES.get(scheme) or next(iter(get_close_matches(scheme, _SCHEMES, n=1)), None)
    bare = text.lower()
    if text.startswith("/dev/") or re.fullmatch(r"video\d+", text):
        guess = f"v4l2:{text}" if text.startswith("/") else f"v4l2:/dev/{text}"
    elif text.isascii() and text.isdigit():
        return (
            f'write "v4l2:{text}" for the USB camera /dev/video{text}, or "picamera2:{text}" for a CSI camera'
        )
    elif colon and meant:
        guess = hide_credentials(f"{meant}:{rest}")
    elif meant and not colon:
        guess = _EXAMPLES[_SCHEMES[meant]]
    elif bare.endswith(_VIDEO_SUFFIXES):
        guess = f"file:{text}"
    elif bare.endswith((*PICTURE_SUFFIXES, "/")):
        guess = f"images:{text}"
    else:
        return f"write one of {_list_examples()}"
    return f'did you mean "{guess}"?'


def _list_examples() -> str:
    return ", ".join(_EXAMPLES.values())
