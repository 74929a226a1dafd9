"""`source:` is understood, a wrong one is met with the right one, and no credential is ever shown."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.config.source import SourceKind, hide_credentials, parse_source


@pytest.mark.parametrize(
    ("text", "kind", "target", "live"),
    [
        ("picamera2:0", SourceKind.PICAMERA2, "0", True),
        (
            "picamera2:/base/soc/i2c0mux/i2c@1/imx708@1a",
            SourceKind.PICAMERA2,
            "/base/soc/i2c0mux/i2c@1/imx708@1a",
            True,
        ),
        ("v4l2:/dev/video2", SourceKind.V4L2, "/dev/video2", True),
        ("v4l2:2", SourceKind.V4L2, "/dev/video2", True),
        ("v4l2:/dev/v4l/by-id/usb-Cam", SourceKind.V4L2, "/dev/v4l/by-id/usb-Cam", True),
        ("rtsp://cam.local/live", SourceKind.RTSP, "rtsp://cam.local/live", True),
        ("rtsps://cam.local:322/live", SourceKind.RTSP, "rtsps://cam.local:322/live", True),
        ("http://[fe80::1]:8080/stream", SourceKind.HTTP, "http://[fe80::1]:8080/stream", True),
        ("https://cam/stream", SourceKind.HTTP, "https://cam/stream", True),
        ("file:clips/a: b.mp4", SourceKind.FILE, "clips/a: b.mp4", False),
        ("file:///clips/a.mp4", SourceKind.FILE, "/clips/a.mp4", False),
        ("images:photos", SourceKind.IMAGES, "photos", False),
        ("pattern:", SourceKind.PATTERN, "", True),
        (" FILE: a.mp4 ", SourceKind.FILE, "a.mp4", False),
    ],
)
def test_every_kind_of_source_is_understood(text: str, kind: SourceKind, target: str, *, live: bool) -> None:
    """Kind, target and whether it is live follow from the text alone."""
    source = parse_source(text)
    assert (source.kind, source.target, source.live) == (kind, target, live)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "picamera2:0, v4l2:/dev/video0, rtsp://"),
        ("/dev/video0", 'did you mean "v4l2:/dev/video0"?'),
        ("video1", 'did you mean "v4l2:/dev/video1"?'),
        ("0", 'write "v4l2:0" for the USB camera /dev/video0, or "picamera2:0" for a CSI camera'),
        ("clip.mp4", 'did you mean "file:clip.mp4"?'),
        ("photos/cat.jpg", 'did you mean "images:photos/cat.jpg"?'),
        ("photos/", 'did you mean "images:photos/"?'),
        ("picamera:0", 'did you mean "picamera2:0"?'),
        ("picamera2", 'did you mean "picamera2:0"?'),
        ("webcam:0", 'did you mean "v4l2:0"?'),
        ("rstp://cam/live", 'did you mean "rtsp://cam/live"?'),
        ("pattern", 'did you mean "pattern:"?'),
        ("nonsense", "write one of picamera2:0"),
        ("file:", 'nothing after "file:"; write for instance "file:clip.mp4"'),
        ("picamera2:", 'write for instance "picamera2:0"'),
        ("v4l2:video1", 'write "v4l2:/dev/video1"'),
        ("v4l2:cam", 'write "v4l2:/dev/video0"'),
        ("pattern:bars", 'write "pattern:"'),
        ("rtsp:///live", "names no host"),
        ("http:cam/stream", "names no host"),
        ("rtsp://cam:port/live", "percent-encode"),
        ("rtsp://cam/a b", "%20"),
        ("file://nas/clip.mp4", 'write a path on this machine, "file:nas/clip.mp4"'),
    ],
)
def test_a_wrong_source_is_refused_with_the_right_one(text: str, remedy: str) -> None:
    """The message names what to write instead."""
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_source(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://bob:secret@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://secret@cam/live", "rtsp://***@cam/live"),
        ("http://cam/v?user=bob&password=secret&ch=1", "http://cam/v?user=***&password=***&ch=1"),
        ("http://cam/v?loginuse=bob&LoginPas=secret", "http://cam/v?loginuse=***&LoginPas=***"),
        ("http://cam/v?token=secret#t", "http://cam/v?token=***#t"),
        ("rtsp://cam/user=bob_password=secret_channel=1", "rtsp://cam/user=***"),
        ("http://cam/@home", "http://cam/@home"),
        ("file:user=bob.mp4", "file:user=bob.mp4"),
    ],
)
def test_a_source_is_shown_without_credentials(text: str, shown: str) -> None:
    """User, password and secret fields become ***, the rest stays readable."""
    source = parse_source(text)
    assert source.shown == shown
    assert repr(source) == f"Source('{shown}')"


PASSWORD = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=6)


@given(
    scheme=st.sampled_from(["rtsp", "http", "rstp", "ftp"]),
    slashes=st.sampled_from(["://", ":"]),
    password=PASSWORD,
)
def test_no_password_survives_in_a_url(scheme: str, slashes: str, password: str) -> None:
    """Whatever characters it holds, before the @ of a URL, understood or refused, it is not shown."""
    secret = f"Zq7{password}Zq7"
    text = f"{scheme}{slashes}bob:{secret}@cam.local/live"
    try:
        told = parse_source(text).shown
    except ValueError as refusal:
        told = str(refusal)
    assert secret not in told
    assert "Zq7" not in told


@given(
    name=st.sampled_from(["password", "pwd", "token", "api_key"]),
    value=st.text(string.ascii_letters, min_size=6),
)
def test_no_secret_field_survives_in_a_query(name: str, value: str) -> None:
    """The value of a field that is named like a secret is not shown."""
    assert f"Zq{value}" not in hide_credentials(f"http://cam/v?a=1&{name}=Zq{value}&b=2")


@given(st.text())
def test_any_text_is_understood_or_refused_in_words(text: str) -> None:
    """No text makes the parser fail in any other way."""
    try:
        told = parse_source(text).shown
    except ValueError as refusal:
        told = str(refusal)
    assert told
