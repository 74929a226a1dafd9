"""The broker's password comes from a file of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.config.password import read_password
from edgecam.config.schema import MqttConfig
from edgecam.errors import ConfigError

BY_FILE = MqttConfig.model_validate({"username": "me", "password_file": "secret"})


def test_the_password_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    """One newline at its end is the editor's, the rest is the password's."""
    (tmp_path / "secret").write_bytes(b" pass word \r\n")
    assert read_password(BY_FILE, tmp_path, {}) == " pass word "


def test_the_password_file_goes_before_the_credential(tmp_path: Path) -> None:
    """What the user wrote in the file counts."""
    (tmp_path / "secret").write_text("one")
    (tmp_path / "mqtt-password").write_text("two\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_password(BY_FILE, tmp_path, environ) == "one"
    assert read_password(MqttConfig(username="me"), tmp_path, environ) == "two"


def test_without_a_file_and_a_credential_there_is_no_password(tmp_path: Path) -> None:
    """Most home brokers have none."""
    assert read_password(MqttConfig(), tmp_path, {}) is None
    assert read_password(MqttConfig(), tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None


def test_a_credential_without_a_username_is_told(tmp_path: Path) -> None:
    """It would silently not be used."""
    (tmp_path / "mqtt-password").write_text("two\n")
    with pytest.raises(ConfigError, match=r"mqtt\.username: expected a username beside the credential"):
        read_password(MqttConfig(), tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory; write the password into it"),
        (b"", "it is empty"),
        (b"\n", "expected a password of 1 to 65535 bytes"),
        (b"\xff\n", "expected a text in UTF-8"),
        (b"x" * 70_000, "expected a password of 1 to 65535 bytes"),
    ],
)
def test_a_password_file_that_cannot_serve_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    """With its path, and never with its content."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret: mqtt\.password_file: ") as caught:
        read_password(BY_FILE, tmp_path, {})
    assert message in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_a_folder_is_no_password_file(tmp_path: Path) -> None:
    """Named as such."""
    (tmp_path / "secret").mkdir()
    with pytest.raises(ConfigError, match="got a folder or device"):
        read_password(BY_FILE, tmp_path, {})
