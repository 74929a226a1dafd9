"""A broker's URL, in every form that is accepted, and those that are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.broker_url import BrokerUrl, Scheme, parse_broker_url


@pytest.mark.parametrize(
    ("url", "parts", "shown"),
    [
        ("mqtt://box", BrokerUrl("box", 1883), "mqtt://box:1883"),
        ("mqtt://10.0.0.2:1884/", BrokerUrl("10.0.0.2", 1884), "mqtt://10.0.0.2:1884"),
        ("mqtt://[::1]:1885", BrokerUrl("::1", 1885), "mqtt://[::1]:1885"),
        ("mqtts://box", BrokerUrl("box", 8883, Scheme.MQTTS), "mqtts://box:8883"),
        ("MQTTS://box:1", BrokerUrl("box", 1, Scheme.MQTTS), "mqtts://box:1"),
        ("ws://box", BrokerUrl("box", 80, Scheme.WS, "/mqtt"), "ws://box:80/mqtt"),
        ("ws://box:9001/", BrokerUrl("box", 9001, Scheme.WS, "/"), "ws://box:9001/"),
        ("wss://box/a/b", BrokerUrl("box", 443, Scheme.WSS, "/a/b"), "wss://box:443/a/b"),
        ("mqtts://bücher.lan", BrokerUrl("bücher.lan", 8883, Scheme.MQTTS), "mqtts://bücher.lan:8883"),
        ("embedded", BrokerUrl("127.0.0.1", 1883, Scheme.EMBEDDED), "embedded://127.0.0.1:1883"),
        ("embedded://0.0.0.0:1884", BrokerUrl("0.0.0.0", 1884, Scheme.EMBEDDED), "embedded://0.0.0.0:1884"),  # noqa: S104 - no socket
    ],
)
def test_a_broker_url_is_read_in_parts(url: str, parts: BrokerUrl, shown: str) -> None:
    """Port and path have the defaults that others use, too."""
    assert parse_broker_url(url, embedded=True) == parts
    assert str(parts) == shown


@pytest.mark.parametrize("scheme", list(Scheme))
def test_the_scheme_says_what_is_encrypted_and_what_a_websocket(scheme: Scheme) -> None:
    """Others ask the URL, not its text."""
    url = BrokerUrl("box", scheme=scheme)
    assert url.encrypted == (scheme in ("mqtts", "wss"))
    assert url.websocket == (scheme in ("ws", "wss"))
    assert url.embedded == (scheme == "embedded")


@pytest.mark.parametrize(
    "url",
    [
        *("", "broker", "localhost:1883", "http://host", "mqtt:", "mqtt://", "mqtt://:1883", "mqtt://host:0"),
        *("mqtt://host:99999", "mqtt://host:x", "mqtt://[host", "mqtt://host/path", "mqtts://host/path"),
        *(
            "mqtt://host?x=1",
            "ws://host/a?x=1",
            "ws://host/a#b",
            "mqtt://ho st",
            "ws://host/a b",
            "ws://host/ä",
        ),
        *("mqtt://a..b", "embedded://", "embedded://host", "embedded://host:1/path"),
    ],
)
def test_other_broker_urls_are_refused_with_the_accepted_forms(url: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ValueError, match=r"expected embedded, embedded://HOST:PORT, mqtt://HOST\[:PORT\]"):
        parse_broker_url(url, embedded=True)
    with pytest.raises(ValueError, match=r"expected mqtt://HOST\[:PORT\], mqtts://"):
        parse_broker_url(url)


@pytest.mark.parametrize("url", ["embedded", "embedded://127.0.0.1:1883"])
def test_only_a_device_has_an_embedded_broker(url: str) -> None:
    """A subscriber connects to one that is there."""
    with pytest.raises(ValueError, match="expected mqtt://HOST"):
        parse_broker_url(url)


@pytest.mark.parametrize("scheme", ["mqtt", "mqtts", "wss", "embedded", "http"])
def test_a_login_in_the_url_is_refused_without_repeating_it(scheme: str) -> None:
    """A secret must not reach a log by way of an error message."""
    with pytest.raises(ValueError, match="give username and password apart from it") as caught:
        parse_broker_url(f"{scheme}://me:hunter2@host", embedded=True)
    assert "hunter2" not in str(caught.value)


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(list(Scheme)), st.text()))
def test_any_text_is_refused_or_a_url_that_can_be_written_again(text: str) -> None:
    """Nothing else escapes; what is shown in the log means the same."""
    try:
        parts = parse_broker_url(text, embedded=True)
    except ValueError:
        return
    assert parse_broker_url(str(parts), embedded=True) == parts
