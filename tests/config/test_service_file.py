"""The service's configuration is found, told apart from others, and never mistaken for the defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecam.commands.init import fill_in
from edgecam.commands.inspect import inspect_model
from edgecam.config import service_file
from edgecam.config.loader import find_config, load_config
from edgecam.config.service_file import is_in_a_home, is_of_service, not_of_service, state_of_service
from edgecam.config.shipped import shipped_folder
from edgecam.errors import ConfigError, ModelError

SERVICE_FILE = Path("/etc/edgecam/config.yaml")


def closed(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same method of a path, as a user meets it who may not look into /etc/edgecam."""

    def guarded(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.is_relative_to(service_file.FOLDER) and path != service_file.FOLDER:
            raise PermissionError(13, "Permission denied", str(path))
        return method(path, *args, **kwargs)

    return guarded


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Works in an empty folder; the service's one is closed."""
    monkeypatch.chdir(tmp_path)
    for name in ("is_file", "exists", "open"):
        monkeypatch.setattr(Path, name, closed(getattr(Path, name)))


@pytest.mark.usefixtures("ordinary_user")
def test_a_closed_file_of_the_service_is_not_taken_for_the_defaults() -> None:
    """The remedy is to look as root, not to correct a file that nobody has read."""
    assert find_config(None, environ={}) == SERVICE_FILE
    with pytest.raises(ConfigError) as caught:
        load_config(None, environ={})
    assert str(caught.value) == (
        "/etc/edgecam/config.yaml: cannot be read: Permission denied; only root and the service may read it: "
        "sudo edgecam doctor --config /etc/edgecam/config.yaml; or name another with --config"
    )


@pytest.mark.usefixtures("ordinary_user")
def test_a_file_in_the_folder_goes_before_the_closed_one_and_is_said_to_be_another() -> None:
    """The working directory comes first, as documented, but no longer unnoticed."""
    Path("config.yaml").write_text("budget_ms: 7\n", encoding="utf-8")
    assert load_config(None, environ={}).config.budget_ms == 7
    assert "not the service's configuration" in not_of_service(Path("config.yaml"), "check")


def test_the_folder_decides_whose_configuration_it_is(tmp_path: Path) -> None:
    """An instance's file is the service's, too; where no service is installed, nothing is said."""
    assert not_of_service(tmp_path / "config.yaml", "doctor", tmp_path) == ""
    folder = tmp_path / "etc/edgecam"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("{}", encoding="utf-8")
    assert is_of_service(folder / "../edgecam/porch.yaml", tmp_path)
    assert not_of_service(folder / "porch.yaml", "doctor", tmp_path) == ""
    for other in (None, tmp_path / "config.yaml"):
        said = not_of_service(other, "doctor", tmp_path)
        assert said.endswith("sudo edgecam doctor --config /etc/edgecam/config.yaml")


def test_each_unit_has_a_folder_for_states_of_its_own() -> None:
    """As StateDirectory= of edgecam.service and edgecam@.service."""
    assert state_of_service(SERVICE_FILE) == Path("/var/lib/edgecam")
    assert state_of_service(SERVICE_FILE.with_name("porch.yaml")) == Path("/var/lib/edgecam-porch")


def test_what_a_link_leads_to_counts_as_in_a_home(tmp_path: Path) -> None:
    """The service follows it into a folder that is empty for it."""
    clip = tmp_path / "home/me/clip.mp4"
    clip.parent.mkdir(parents=True)
    clip.touch()
    link = tmp_path / "clip.mp4"
    link.symlink_to(clip)
    assert is_in_a_home(clip, tmp_path)
    assert is_in_a_home(link, tmp_path)
    assert not is_in_a_home(tmp_path / "srv/clip.mp4", tmp_path)
    assert not is_in_a_home(tmp_path / "homes/clip.mp4", tmp_path)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (SERVICE_FILE, "sudo edgecam check --config /etc/edgecam/config.yaml"),
        (Path("config.yaml"), "edgecam check --config config.yaml"),
        (Path("/srv/my cams.yaml"), "edgecam check --config '/srv/my cams.yaml'"),
    ],
)
def test_a_written_file_says_how_it_is_checked(path: Path, command: str) -> None:
    """The head of the file is read long after `init` was; the command there has to work as it stands."""
    shipped = (shipped_folder() / "config.yaml").read_text(encoding="utf-8")
    head = fill_in(shipped, path=path, cameras=[], broker_runs=False).splitlines()[:4]
    assert sum(line.endswith(f": {command}") for line in head) == 1


def test_a_configurations_name_of_a_model_is_told_from_its_folder() -> None:
    """`default` is what the user knows, and `inspect` reads no configuration."""
    with pytest.raises(ModelError, match=r"default: no such model; .*names in a configuration are not known"):
        inspect_model("default")
    with pytest.raises(ModelError) as caught:
        inspect_model("models/nowhere")
    assert "in a configuration" not in str(caught.value)
