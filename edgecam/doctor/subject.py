"""What is examined: a configuration, and the machine and user that are to run it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edgecam.appliance.board import INSTANCE_VARIABLE, device_id, instance_name
from edgecam.config.loader import LoadedConfig
from edgecam.config.password import read_password
from edgecam.config.service_file import SERVICE_FILE, is_of_service, state_of_service
from edgecam.config.source import parse_source
from edgecam.errors import ConfigError

_CREDENTIALS = ("etc/credstore", "run/credstore", "usr/lib/credstore")
_CREDENTIAL_FILE = "edgecam.mqtt-password"
# Shorter ones would hide half of every sentence.
_SHORTEST_SECRET = 3


@dataclass(frozen=True)
class Subject:
    """Everything that the checks look at; what they may not see, they say."""

    environ: Mapping[str, str]
    loaded: LoadedConfig | None
    """None: there is no configuration that can be used."""
    opens_cameras: bool = True
    root: Path = Path("/")
    """Where `proc`, `sys`, `dev`, `etc`, `home` and `var` lie."""
    refused: Path | None = None
    """The file that cannot be used, where `loaded` is None."""

    @property
    def config(self) -> LoadedConfig:
        """The configuration, for checks that are made only if there is one."""
        assert self.loaded is not None  # noqa: S101 - see `examinations`
        return self.loaded

    @property
    def path(self) -> Path | None:
        """The file that is judged, usable or not; None: the defaults."""
        return self.refused if self.loaded is None else self.loaded.path

    @property
    def device(self) -> str:
        """This box in topics."""
        if self.loaded is not None and self.loaded.config.device != "auto":
            return self.loaded.config.device
        return device_id(self.root, instance=instance_name(self.service_environ))

    @property
    def service_environ(self) -> Mapping[str, str]:
        """What the service has: as ours, with what its unit says of folder and instance.

        The doctor is run by hand, and a configuration in /etc/edgecam is the service's.
        """
        path = self.path
        if self.environ.get("STATE_DIRECTORY") or path is None or not is_of_service(path, self.root):
            return self.environ
        environ = {**self.environ, "STATE_DIRECTORY": str(state_of_service(path, self.root))}
        return environ if path.stem == SERVICE_FILE.stem else {**environ, INSTANCE_VARIABLE: path.stem}

    def password(self) -> tuple[str | None, bool]:
        """The broker's password, and whether there is one that only the service and root may read.

        Raises:
            ConfigError: the password's file.
        """
        mqtt = self.config.config.mqtt
        own = read_password(mqtt, self.config.folder, self.environ)
        if own is not None or mqtt.username is None or self.service_environ is self.environ:
            return own, False
        for folder in _CREDENTIALS:
            path = self.root / folder / _CREDENTIAL_FILE
            try:
                return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r"), False
            except PermissionError:
                return None, True
            except (OSError, UnicodeDecodeError):
                continue
        return None, False

    def secrets(self) -> set[str]:
        """What no finding may show."""
        if self.loaded is None:
            return set()
        found = set[str]()
        with contextlib.suppress(ConfigError):
            found.add(self.password()[0] or "")
        for camera in self.loaded.config.cameras.values():
            found |= _secrets_of(parse_source(camera.source).target)
        return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _secrets_of(url: str) -> set[str]:
    """The login in a URL, as written and as meant."""
    userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return set()
    _, _, password = userinfo.partition(":")
    return {userinfo, password, unquote(password)}
