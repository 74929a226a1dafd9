"""The files of `mqtt.tls`, checked before anybody connects."""

from __future__ import annotations

from pathlib import Path

from edgecam.config.schema import MqttConfig
from edgecam.errors import ConfigError, Problem
from edgecam.tls import NO_FILES, TlsError, TlsFiles, make_context


def read_tls(mqtt: MqttConfig, folder: Path) -> TlsFiles:
    """The files' paths.

    Dates are not looked at: at a boot the clock may still be wrong. Whoever connects does so, each time.

    Args:
        mqtt: the configuration of the broker.
        folder: what relative paths refer to.

    Raises:
        ConfigError: a file cannot be read, holds something else, or the key is not the certificate's.
    """
    names = (mqtt.tls.ca, mqtt.tls.cert, mqtt.tls.key)
    files = TlsFiles(*(None if name is None else folder / name for name in names))
    if files == NO_FILES:
        return files
    try:
        make_context(files)
    except TlsError as error:
        problem = Problem(where=str(error.path), path=f"mqtt.tls.{error.key}", text=error.text)
        raise ConfigError([problem]) from None
    return files
