"""Does the broker answer, let us in, and what does it know of this device?"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator

from edgecam.broker_url import BrokerUrl, parse_broker_url
from edgecam.config.certificates import read_tls
from edgecam.config.schema import MqttConfig
from edgecam.doctor.finding import Area, Finding, Verdict, told
from edgecam.doctor.processes import running_edgecams
from edgecam.doctor.subject import Subject
from edgecam.errors import ConfigError
from edgecam.publish.mqtt import MqttLink
from edgecam.publish.topics import Topics
from edgecam.publish.wire import Failure, Protocol, Received, address_of

PATIENCE_S = 12.0
"""For a connection: two versions of MQTT, one after the other."""
DEADLINE_S = PATIENCE_S + 15.0
_LISTEN_S = 1.5
"""What is retained comes at once."""
# A JPEG of 640x480 seldom has more.
_SNAPSHOT_BYTES = 200_000


def look(subject: Subject) -> Iterator[Finding]:
    """Connect with a client id of our own, which pushes nobody out, and listen; nothing is published."""
    mqtt = subject.config.config.mqtt
    where = parse_broker_url(mqtt.url, embedded=True)
    if where.embedded and not running_edgecams(subject.root):
        yield _embedded(where)
        return
    try:
        password, is_hidden = subject.password()
        tls = read_tls(mqtt, subject.config.folder)
    except ConfigError:
        text = "not tried: the password or a certificate cannot be used, see configuration"
        yield Finding(Area.BROKER, "connection", Verdict.SKIPPED, text)
        return
    if is_hidden:
        text = "not tried: only root and the service may read the credential mqtt-password"
        remedy = "sudo edgecam doctor, with the same --config"
        yield Finding(Area.BROKER, "connection", Verdict.SKIPPED, text, remedy)
        return
    link = MqttLink(
        address_of(where, username=mqtt.username, password=password, tls=tls),
        client_id=f"{mqtt.base.replace('/', '-')}-{subject.device}-doctor",
        protocol=Protocol.V311 if where.embedded else Protocol(mqtt.protocol),
    )
    if (warning := _exposed(where, has_password=password is not None)) is not None:
        yield warning
    with link:
        yield from _ask(link, subject, mqtt)


def _ask(link: MqttLink, subject: Subject, mqtt: MqttConfig) -> Iterator[Finding]:
    topics = Topics(mqtt.base, subject.device)
    for topic in (topics.availability, topics.notice):
        link.subscribe(topic)
    _connect(link)
    status = link.status
    if not link.connected:
        yield told(Area.BROKER, "connection", _unconnected(status.broker, status.failure, status.reason))
        return
    login = f", logged in as {mqtt.username}" if mqtt.username else ", without a login"
    secured = ", encrypted" if status.encrypted else ""
    text = f"{status.broker} speaks MQTT {status.protocol}{secured}{login}"
    yield Finding(Area.BROKER, "connection", Verdict.OK, text)
    takes_bytes = link.takes_bytes
    if mqtt.snapshots.enabled and takes_bytes < _SNAPSHOT_BYTES:
        text = f"the broker takes packets of at most {takes_bytes} bytes, and snapshots may have more"
        remedy = f"raise its limit (mosquitto: max_packet_size) to {_SNAPSHOT_BYTES} or more"
        yield Finding(Area.BROKER, "packet size", Verdict.WARNING, text, remedy)
    yield _presence(subject, topics, _heard(link))


def _connect(link: MqttLink) -> None:
    """Until it is connected, or the first attempt has failed for good."""
    ends_s = time.monotonic() + PATIENCE_S
    while not link.connected and (left_s := ends_s - time.monotonic()) > 0:
        link.step(min(left_s, 0.2))
        if link.status.failure is not None:
            return


def _unconnected(broker: str, failure: Failure | None, reason: str) -> str:
    if failure is None:
        return f"{broker}: no answer within {PATIENCE_S:g} s; is it the right host and port?"
    remedy = {
        Failure.UNREACHABLE: "is the broker running, and are mqtt.url, network and firewall right?",
        Failure.REFUSED_LOGIN: "correct them, or add the user on the broker (mosquitto_passwd)",
        Failure.SESSION_TAKEN: "give each its own device",
    }.get(failure, "see the broker's log, and docs/mqtt.md")
    # A reason ends with its remedy after a colon, if it knows one.
    return f"{broker}: {reason}; {remedy}"


def _heard(link: MqttLink) -> list[Received]:
    heard = list[Received]()
    ends_s = time.monotonic() + _LISTEN_S
    while (left_s := ends_s - time.monotonic()) > 0 and link.connected:
        heard += [happening for happening in link.step(left_s) if isinstance(happening, Received)]
    return heard


def _presence(subject: Subject, topics: Topics, heard: list[Received]) -> Finding:
    """Whether this device is online, by what the broker retains, and whether that can be this machine."""
    said = [received.payload for received in heard if received.topic == topics.availability]
    is_online = bool(said) and said[-1] == b"online"
    local = running_edgecams(subject.root)
    if any(received.topic == topics.notice and b'"session_taken"' in received.payload for received in heard):
        text = f"two clients push each other out as {subject.device}"
        remedy = "another machine has the same device id: give each its own, device: in the configuration"
        return Finding(Area.BROKER, "device", Verdict.ERROR, text, remedy)
    if is_online and not local:
        text = f"{subject.device} is online, but no edgecam run is seen on this machine"
        remedy = "if it does not run in a container here, another machine has this id: set device: of each"
        return Finding(Area.BROKER, "device", Verdict.WARNING, text, remedy)
    if local and not is_online:
        text = f"{local[0]} is not known to the broker as {subject.device}"
        remedy = "see its log (journalctl -u edgecam): has it this configuration, and may it publish there?"
        return Finding(Area.BROKER, "device", Verdict.WARNING, text, remedy)
    state = "online" if is_online else "offline" if said else "not known to the broker yet"
    return Finding(Area.BROKER, "device", Verdict.OK, f"{subject.device} is {state}")


def _exposed(where: BrokerUrl, *, has_password: bool) -> Finding | None:
    """A password that anybody between here and the broker can read."""
    if not has_password or where.encrypted or _is_loopback(where.host):
        return None
    text = f"the password goes to {where.host} unencrypted"
    remedy = "let the broker offer TLS, and write mqtts:// (docs/mqtt.md)"
    return Finding(Area.BROKER, "encryption", Verdict.WARNING, text, remedy)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _embedded(where: BrokerUrl) -> Finding:
    """While edgecam does not run, its own broker's place must be free."""
    try:
        with socket.create_server((where.host, where.port)):
            text = f"edgecam brings its own, and {where.host}:{where.port} is free for it"
            return Finding(Area.BROKER, "embedded", Verdict.OK, text)
    except OSError as error:
        text = f"edgecam's own broker cannot listen on {where.host}:{where.port} ({error.strerror})"
        remedy = (
            f"if another broker runs there, write mqtt.url: mqtt://{where.host}:{where.port}; "
            f"else choose another port: mqtt.url: embedded://{where.host}:PORT"
        )
        return Finding(Area.BROKER, "embedded", Verdict.ERROR, text, remedy)
