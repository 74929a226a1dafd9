"""The broker's password: from its own file or from systemd's credentials, never from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgecam.config.schema import MqttConfig
from edgecam.errors import ConfigError, Problem

CREDENTIAL = "mqtt-password"
# What MQTT can carry (3.1.1, section 3.1.3.5: a length of two bytes).
_MAX_BYTES = 65_535


def read_password(mqtt: MqttConfig, folder: Path, environ: Mapping[str, str]) -> str | None:
    """The password: `password_file`, else `$CREDENTIALS_DIRECTORY/mqtt-password`, else None.

    Args:
        mqtt: the configuration of the broker.
        folder: what a relative `password_file` refers to.
        environ: the environment variables.

    Raises:
        ConfigError: the file is missing, unreadable, empty, too long or no text, or a password has no
            username beside it.
    """
    if mqtt.password_file is not None:
        return _read(folder / mqtt.password_file, key="mqtt.password_file")
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(credentials) / CREDENTIAL if credentials else None
    if path is None or not path.exists():
        return None
    if mqtt.username is None:
        text = f"expected a username beside the credential {CREDENTIAL}; set mqtt.username"
        raise ConfigError([Problem(where=str(path), path="mqtt.username", text=text)])
    return _read(path, key="")


def _read(path: Path, *, key: str) -> str:
    """The file's text without the newline at its end."""
    try:
        if path.exists() and not path.is_file():
            raise _error(path, key, "expected a file that holds the password alone, got a folder or device")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 3)
        password = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _error(path, key, "expected a text in UTF-8") from None
    except OSError as error:
        remedy = "write the password into it, readable by the user that runs edgecam"
        raise _error(path, key, f"cannot be read: {error.strerror}; {remedy}") from None
    if not password or len(password.encode()) > _MAX_BYTES:
        size = f"got {len(content)} bytes" if content else "it is empty"
        raise _error(path, key, f"expected a password of 1 to {_MAX_BYTES} bytes, {size}")
    return password


def _error(path: Path, key: str, text: str) -> ConfigError:
    return ConfigError([Problem(where=str(path), path=key, text=text)])
