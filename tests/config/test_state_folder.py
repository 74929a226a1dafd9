"""Where the outbox lies, whoever starts edgecam."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.config.schema import OutboxConfig
from edgecam.config.state_folder import outbox_path

FOLDER = Path("/etc/edgecam")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/edgecam", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/var/lib/edgecam"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/me"}, "/x/edgecam"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/state/edgecam"),
        ({"HOME": "/home/me"}, "/home/me/.local/state/edgecam"),
        ({}, "/var/lib/edgecam"),
    ],
)
def test_auto_is_systemds_folder_or_the_users(environ: dict[str, str], expected: str) -> None:
    """A service has its StateDirectory, a user the XDG folder; nothing is written anywhere else."""
    assert outbox_path(OutboxConfig(), FOLDER, environ) == Path(expected) / "outbox.db"


def test_a_path_is_relative_to_the_configuration_and_memory_is_no_file() -> None:
    """As every other path in the configuration; a file of that name is `./memory`."""
    environ = {"HOME": "/home/me"}
    assert outbox_path(OutboxConfig(path="box.db"), FOLDER, environ) == FOLDER / "box.db"
    assert outbox_path(OutboxConfig(path="/data/box.db"), FOLDER, environ) == Path("/data/box.db")
    assert outbox_path(OutboxConfig(path="memory"), FOLDER, environ) is None
    assert outbox_path(OutboxConfig(path="./memory"), FOLDER, environ) == FOLDER / "memory"
