"""The doctor says which configuration it judges, and sees with the service's eyes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_machine import write, write_process

from edgecam.config.last_good import last_good_path
from edgecam.config.loader import load_config
from edgecam.doctor import cameras, configuration, models, storage
from edgecam.doctor.finding import Area, Finding, Verdict
from edgecam.doctor.service import out_of_sight
from edgecam.doctor.subject import Subject


def of_service(machine: Path, name: str = "config", **config: Any) -> Subject:
    """As root, of a configuration in /etc/edgecam."""
    whole = {"device": "box", "cameras": {"main": {"source": "pattern:"}}, **config}
    path = write(machine, f"etc/edgecam/{name}.yaml", json.dumps(whole))
    return Subject({}, load_config(path, environ={}), root=machine)


def refused(machine: Path, path: Path) -> tuple[Subject, list[Finding]]:
    """Of a file that cannot be used."""
    loaded, faults = configuration.load(path, sets=[], environ={})
    return Subject({}, loaded, root=machine, refused=path), faults


def test_another_file_than_the_services_is_said_to_be_another(
    subject: Callable[..., Subject], machine: Path
) -> None:
    """A warning with the command for the right one, sound or not; none where no service is installed."""
    made = subject()
    (alone,) = configuration.look(made, [])
    assert (alone.verdict, alone.name) == (Verdict.OK, str(made.path))
    write(machine, "etc/edgecam/config.yaml", "{}")
    fault = Finding(Area.CONFIGURATION, "x", Verdict.ERROR, "wrong", "correct it")
    for faults in ([], [fault]):
        _, other = configuration.look(made, faults)
        assert (other.verdict, other.name) == (Verdict.WARNING, str(made.path))
        assert other.remedy == "for that: sudo edgecam doctor --config /etc/edgecam/config.yaml"
    (own,) = configuration.look(of_service(machine), [])
    assert own.verdict is Verdict.OK


def test_the_file_is_named_from_the_root_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config.yaml` alone may be anybody's; a fault in it has the whole path, too."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "config.yaml", "budget_ms: x\n")
    path = configuration.absolute_config(None, environ={})
    assert path == tmp_path / "config.yaml"
    _, (fault,) = configuration.load(path, sets=[], environ={})
    assert fault.name.startswith(f"{tmp_path}/config.yaml:1:")


def test_a_refused_file_of_the_service_is_judged_with_the_services_folder(machine: Path) -> None:
    """Run by root, it is not the disk of root's home that counts."""
    made, faults = refused(machine, write(machine, "etc/edgecam/config.yaml", "budget_ms: x\n"))
    assert faults
    assert made.service_environ["STATE_DIRECTORY"] == str(machine / "var/lib/edgecam")
    (disk,) = [found for found in storage.look(made) if found.name == "disk"]
    assert str(machine / "var/lib/edgecam") in disk.found


def test_a_service_that_goes_by_its_last_good_file_is_told(machine: Path) -> None:
    """It runs, so that nobody would look for a fault in the file; not told where none runs."""
    path = write(machine, "etc/edgecam/config.yaml", "budget_ms: x\n")
    made, faults = refused(machine, path)
    kept = last_good_path(path, machine / "var/lib/edgecam")
    write(machine, str(kept.relative_to(machine)), "budget_ms: 100\n")
    assert list(configuration.look(made, faults)) == faults
    write_process(machine, 12, "edgecam", "run")
    *_, last = configuration.look(made, faults)
    assert (last.name, last.verdict) == ("last good", Verdict.WARNING)
    assert str(kept) in last.found
    write(machine, str(kept.relative_to(machine)), "budget_ms: x\n")
    assert list(configuration.look(made, faults)) == faults


def test_a_recording_in_a_home_is_a_fault_of_the_services_configuration(
    subject: Callable[..., Subject], machine: Path
) -> None:
    """Root opens it; the service, whose unit hides the homes, does not. For a user's own file it is well."""
    pictures = machine / "home/me/pictures"
    pictures.mkdir(parents=True)
    source = {"main": {"source": f"images:{pictures}"}}
    (found,) = cameras.look(of_service(machine, cameras=source), "main")
    assert (found.verdict, found.area) == (Verdict.ERROR, Area.CAMERAS)
    assert str(pictures) in found.found
    assert found.remedy == "put it into /srv or /var/lib/edgecam, or see deploy/README.md"
    (own,) = cameras.look(subject(cameras=source), "main")
    assert "does not see" not in own.found


def test_a_model_in_a_home_is_one_too(machine: Path) -> None:
    """It is not even tried: that it works for root would mislead."""
    model = machine / "root/net"
    model.mkdir(parents=True)
    (found,) = models.look(of_service(machine, models={"default": {"path": str(model)}}), "default")
    assert (found.verdict, found.area) == (Verdict.ERROR, Area.MODELS)
    assert "does not see" in found.found


@pytest.mark.parametrize(
    ("answer", "is_fault"),
    [
        ("ProtectHome=yes\n", True),
        (None, True),
        ("ProtectHome=read-only\n", False),
        ("ProtectHome=no\n", False),
    ],
)
def test_the_unit_is_asked_whether_it_hides_the_homes(
    machine: Path, answer: str | None, *, is_fault: bool
) -> None:
    """A drop-in may show them; each instance has a unit of its own."""
    asked: list[str] = []

    def ask(words: Sequence[str]) -> str | None:
        asked.extend(words)
        return answer

    made = of_service(machine, "porch")
    found = out_of_sight(made, machine / "home/x.mp4", area=Area.CAMERAS, name="main", ask=ask)
    assert (found is not None) is is_fault
    assert asked[-1] == "edgecam@porch.service"
