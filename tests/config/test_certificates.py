"""The files of `mqtt.tls`: what is refused before anybody connects, and where it is told."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certificates import Ca

from edgecam.commands.check import check
from edgecam.config.certificates import read_tls
from edgecam.config.loader import load_config
from edgecam.config.schema import Config, MqttConfig
from edgecam.errors import ConfigError
from edgecam.tls import TlsError, TlsFiles, check_dates, make_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, pairs of its own, and files that are none."""
    folder = tmp_path_factory.mktemp("tls") / "ca"
    ca = Ca(folder)
    ca.pair("pi")
    ca.pair("other")
    ca.pair("old", expired=True)
    (folder / "text.crt").write_text("hello\n")
    (folder / "broken.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (folder / "empty.crt").touch()
    encrypt = ["openssl", "pkey", "-in", "pi.key", "-aes256", "-passout", "pass:x", "-out", "locked.key"]
    subprocess.run(encrypt, cwd=folder, check=True)
    return folder


def config_of(**tls: str) -> MqttConfig:
    """The block `mqtt` with such files."""
    return Config.model_validate({"mqtt": {"url": "mqtts://box", "tls": tls}}).mqtt


def test_paths_are_relative_to_the_file_that_names_them(folder: Path) -> None:
    """As every path of the configuration."""
    config = config_of(ca="ca.crt", cert="pi.crt", key="pi.key")
    assert read_tls(config, folder) == TlsFiles(folder / "ca.crt", folder / "pi.crt", folder / "pi.key")
    assert read_tls(config_of(), folder) == TlsFiles()


@pytest.mark.parametrize(
    ("tls", "where", "key", "text"),
    [
        ({"ca": "none.crt"}, "none.crt", "ca", "cannot be read: No such file or directory; put it there"),
        ({"ca": "."}, "", "ca", "cannot be read: Is a directory"),
        ({"ca": "text.crt"}, "text.crt", "ca", "holds no certificate in PEM"),
        ({"ca": "empty.crt"}, "empty.crt", "ca", "holds no certificate in PEM"),
        ({"ca": "pi.key"}, "pi.key", "ca", "holds no certificate in PEM"),
        ({"ca": "broken.crt"}, "broken.crt", "ca", "holds no certificate that can be read"),
        ({"cert": "none.crt", "key": "pi.key"}, "none.crt", "cert", "cannot be read"),
        (
            {"cert": "broken.crt", "key": "pi.key"},
            "broken.crt",
            "cert",
            "holds no certificate that can be read",
        ),
        ({"cert": "pi.crt", "key": "none.key"}, "none.key", "key", "cannot be read"),
        ({"cert": "pi.crt", "key": "other.key"}, "other.key", "key", "is not the key of the certificate"),
        ({"cert": "pi.crt", "key": "text.crt"}, "text.crt", "key", "is no private key in PEM"),
        ({"cert": "pi.crt", "key": "locked.key"}, "locked.key", "key", "has a passphrase"),
    ],
)
def test_a_file_that_cannot_serve_is_told_with_its_path_and_key(
    folder: Path, tls: dict[str, str], where: str, key: str, text: str
) -> None:
    """Before connecting; nothing asks at a terminal."""
    with pytest.raises(ConfigError) as caught:
        read_tls(config_of(**tls), folder)
    (problem,) = caught.value.problems
    assert (problem.where, problem.path) == (str(folder / where), f"mqtt.tls.{key}")
    assert text in problem.text


def test_dates_are_for_whoever_connects(folder: Path) -> None:
    """An expired certificate keeps no box from starting: its clock may be wrong at a boot."""
    files = read_tls(config_of(ca="ca.crt", cert="old.crt", key="old.key"), folder)
    check_dates(files, datetime(2020, 3, 1, tzinfo=UTC))
    with pytest.raises(TlsError, match=r"old.crt: expired on 2020-06-01 00:00 UTC; have it renewed"):
        check_dates(files, datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(TlsError, match=r"ca.crt: is valid only from 2020-01-01 00:00 UTC on; is the clock"):
        check_dates(files, datetime(1970, 1, 1, tzinfo=UTC))
    with pytest.raises(TlsError, match=r"ca.crt: expired on 2049-12-31 00:00 UTC; put the certificate"):
        check_dates(files, datetime(2060, 1, 1, tzinfo=UTC))


def test_a_bundle_with_an_old_certificate_among_others_serves(folder: Path, tmp_path: Path) -> None:
    """As the system's bundles are: words between the blocks, old ones beside those that count."""
    bundle = tmp_path / "bundle.crt"
    parts = [(folder / name).read_bytes() for name in ("old.crt", "ca.crt")]
    bundle.write_bytes("Übersicht\n".encode().join(parts))
    files = TlsFiles(ca=bundle)
    make_context(files)
    check_dates(files, datetime(2026, 1, 1, tzinfo=UTC))


def test_certificates_where_nothing_is_encrypted_are_refused_at_their_place(tmp_path: Path) -> None:
    """Whoever gives a CA believes to be protected."""
    path = tmp_path / "config.yaml"
    path.write_text("mqtt:\n  url: mqtt://box\n  tls:\n    ca: ca.crt\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    assert str(caught.value) == (
        f"{path}:4:5: mqtt.tls.ca: expected mqtts:// or wss:// in mqtt.url beside it, "
        "got mqtt://box, which is not encrypted"
    )


@pytest.mark.parametrize("tls", [{"cert": "a.crt"}, {"key": "a.key"}])
def test_a_certificate_and_its_key_go_together(tls: dict[str, str], tmp_path: Path) -> None:
    """One alone is a slip."""
    path = tmp_path / "config.yaml"
    path.write_text(f"mqtt: {{url: mqtts://box, tls: {tls}}}\n")
    with pytest.raises(ConfigError, match=r"mqtt\.tls\.key: expected cert and key together, or neither"):
        load_config(path, environ={})


def test_check_tells_of_a_file_that_cannot_serve(tmp_path: Path) -> None:
    """Beside all other problems, without connecting."""
    path = tmp_path / "config.yaml"
    path.write_text("mqtt: {url: mqtts://box, username: me, password_file: none, tls: {ca: ca.crt}}\n")
    with pytest.raises(ConfigError) as caught:
        check(path)
    assert [problem.path for problem in caught.value.problems] == ["mqtt.password_file", "mqtt.tls.ca"]
