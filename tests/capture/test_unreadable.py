"""What is said of a recording that may not be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgecam.capture.base import unreadable
from edgecam.capture.images import list_pictures


def test_below_a_home_it_is_said_that_a_service_does_not_see_it() -> None:
    """For the service these are folders without rights: permissions would be changed for nothing."""
    denied = PermissionError(13, "Permission denied")
    at_home = str(unreadable(Path("/home/me/clip.mp4"), denied, shown="file:/home/me/clip.mp4"))
    assert at_home.endswith(
        "/home/me/clip.mp4 cannot be read (Permission denied); check its permissions; "
        "a service does not see /home: put it into /srv"
    )
    for path, error in ((Path("/srv/clip.mp4"), denied), (Path("/home/x.mp4"), OSError(5, "I/O error"))):
        assert str(unreadable(path, error, shown="x")).endswith("check its permissions")


def test_a_folder_of_pictures_says_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the refusal comes from: the kernel refuses already to look at it."""

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(Exception, match="a service does not see /home: put it into /srv"):
        list_pictures(Path("/home/me/pictures"), shown="images:/home/me/pictures")
