"""The systemd units and their drop-ins, held by systemd's own checkers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("edgecam.service", "edgecam@.service")
DROP_INS = sorted(path.name for path in (DEPLOY / "drop-ins").glob("*.conf"))
PROGRAM = "/opt/edgecam/current/bin/edgecam"
# Of 10: systemd calls up to 4 "OK" and up to 2 "safe".
MOST_EXPOSURE = 2.0


@pytest.fixture
def checker() -> str:
    """systemd-analyze, or the test is skipped aloud."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not on this machine: the units were not checked")
    return found


def installed(folder: Path, unit: str, drop_ins: list[str]) -> Path:
    """The unit as it would lie on a device, an instance of a template; its program exists everywhere."""
    (folder / unit).write_text((DEPLOY / unit).read_text().replace(PROGRAM, "/bin/true"))
    beside = folder / f"{unit}.d"
    beside.mkdir()
    for name in drop_ins:
        shutil.copy(DEPLOY / "drop-ins" / name, beside)
    return folder / unit.replace("@.", "@porch.")


@pytest.mark.parametrize("drop_ins", [[], *([name] for name in DROP_INS), DROP_INS], ids="+".join)
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_to_complain_about(
    tmp_path: Path, checker: str, unit: str, drop_ins: list[str]
) -> None:
    """Unknown keys and missing programs only show on stderr, so stderr must be empty."""
    path = installed(tmp_path, unit, drop_ins)
    done = subprocess.run([checker, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("drop_ins", [[], *([name] for name in DROP_INS)], ids="+".join)
def test_little_is_open_to_whoever_takes_the_service_over(
    tmp_path: Path, checker: str, drop_ins: list[str]
) -> None:
    """At most 2.0 by systemd's measure, also with a camera or an accelerator let in."""
    path = installed(tmp_path, "edgecam.service", drop_ins)
    threshold = f"--threshold={MOST_EXPOSURE * 10:.0f}"
    command: list[str | Path] = [checker, "security", "--offline=true", "--no-pager", threshold, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_a_misspelt_key_would_be_found(tmp_path: Path, checker: str) -> None:
    """The check itself can fail, also for a drop-in."""
    path = installed(tmp_path, "edgecam.service", [])
    (tmp_path / "edgecam.service.d" / "x.conf").write_text("[Service]\nDeviceAlow=/dev/null\n")
    done = subprocess.run([checker, "verify", path], capture_output=True, text=True, timeout=60, check=False)
    assert "DeviceAlow" in done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_what_only_a_person_can_mend_is_not_restarted_and_all_else_for_ever(unit: str) -> None:
    """Command line, something missing, configuration: the exit codes that errors.py gives them."""
    lines = (DEPLOY / unit).read_text().splitlines()
    assert "Restart=on-failure" in lines
    assert "RestartPreventExitStatus=2 69 78" in lines
    assert "StartLimitIntervalSec=0" in lines


@pytest.mark.parametrize("unit", UNITS)
def test_a_child_that_is_ended_for_want_of_memory_does_not_end_the_service(unit: str) -> None:
    """By itself systemd stops a unit of which the kernel has ended one process."""
    assert "OOMPolicy=continue" in (DEPLOY / unit).read_text().splitlines()


@pytest.mark.parametrize("unit", UNITS)
def test_the_service_may_ask_whether_the_clock_is_synchronised(unit: str) -> None:
    """ProtectClock= and the plain filter forbid adjtimex also to a reader: `ts_synced` would stay false."""
    lines = (DEPLOY / unit).read_text().splitlines()
    assert not [line for line in lines if line.startswith("ProtectClock=")]
    allowed = [line for line in lines if line.startswith("SystemCallFilter=") and "adjtimex" in line]
    assert allowed == ["SystemCallFilter=adjtimex clock_adjtime clock_adjtime64"]


def test_an_instance_differs_in_its_names_alone() -> None:
    """What is mended in one unit must be mended in the other."""
    plain, template = ((DEPLOY / unit).read_text().splitlines() for unit in UNITS)
    instance = {
        line.replace("-%i", "").replace("/%i.yaml", "/config.yaml").replace(" (%i)", "") for line in template
    }
    assert set(plain) - instance == set()
    assert instance - set(plain) == {"# Own topics and an own client id.", "Environment=EDGECAM_INSTANCE=%i"}
