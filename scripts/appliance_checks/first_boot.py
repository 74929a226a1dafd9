"""What a box must do by itself: start on boot, heal, refuse a bad configuration, be upgraded, and go back."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import zipfile
from pathlib import Path

from appliance_checks.box import (
    BASE,
    CONFIG,
    active,
    heard,
    listen,
    mark,
    prop,
    release,
    report,
    restarts,
    run,
    wait,
)

BAD = "cameras:\n  main:\n    source: file:/srv/edgecam/recording.webm\n    loop: perhaps\n"
_HANGING = Path("/run/hanging-engine")
_INSTALL = "/newer/deploy/install.sh"


def check() -> None:
    """All of it; leaves a bad configuration behind for the next boot."""
    listen()
    _start_on_boot()
    _frozen_main_loop()
    _hung_engine()
    _reload()
    _upgrade()
    CONFIG.write_text(BAD)


def _start_on_boot() -> None:
    report("ready: started by systemd on boot", wait(active, 60), prop("StatusText"))
    report("mqtt: availability is online", heard("availability", "online"))
    report("mqtt: the replayed camera's state is ok", heard("main/state", '"status":"ok"', seconds=30))
    report("mqtt: what it shows is named", heard("main/state", '"label":"c', seconds=30))
    owner = Path(f"/proc/{prop('MainPID')}").stat().st_uid
    report("the service is not root", owner != 0, f"uid {owner}")
    doctor = run("/usr/local/bin/edgecam", "doctor")
    summary = "".join(doctor.stdout.strip().splitlines()[-1:])
    report("the doctor, called as people call it, finds nothing wrong", doctor.returncode == 0, summary)
    state = CONFIG.stat()
    report("the configuration is for root and the group alone", state.st_mode & 0o777 == 0o640)  # noqa: PLR2004


def _healed(name: str, before: int, since: int) -> None:
    """Report whether systemd has started the service again, and it has said so to the broker."""
    again = wait(lambda: restarts() > before and active(), 90)
    report(name, again and heard("main/state", '"status":"ok"', since=since), f"NRestarts {restarts()}")


def _frozen_main_loop() -> None:
    before, since = restarts(), mark()
    os.kill(int(prop("MainPID")), signal.SIGSTOP)
    wait(lambda: restarts() > before, 60)
    since = mark()
    _healed("healed: a frozen main loop, by the watchdog", before, since)


def _hung_engine() -> None:
    before = restarts()
    _HANGING.touch()
    wait(lambda: restarts() > before, 60)
    said = run("journalctl", "--unit=edgecam", "--no-pager", "--output=cat", "--lines=40").stdout
    how = "exit 75" if "status=75" in said else "the watchdog"
    _HANGING.unlink()
    _healed(f"healed: a hung engine, by {how}", before, mark())


def _reload() -> None:
    good, process, since = CONFIG.read_text(), prop("MainPID"), mark()
    CONFIG.write_text(BAD)
    run("systemctl", "reload", "edgecam")
    told = heard("notice", "config_refused", since=since)
    report("reload: a bad configuration is told", told, prop("StatusText"))
    report("reload: a bad configuration changes nothing", active() and prop("MainPID") == process)
    since = mark()
    CONFIG.write_text(good.replace("heartbeat_s: 2", "heartbeat_s: 1"))
    run("systemctl", "reload", "edgecam")
    report("reload: a good one is applied", heard("notice", "config_applied", since=since))
    report("reload: the process stays", active() and prop("MainPID") == process)


def _hash() -> str:
    return hashlib.sha256(CONFIG.read_bytes()).hexdigest()


def _release_that_does_not_start(wheel: str) -> None:
    """It passes the trial, and only its `edgecam run` fails."""
    before, broken = release(), Path("/check/broken") / Path(wheel).name
    broken.parent.mkdir()
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(broken, "w") as copy:
        for name in whole.namelist():
            fails = name == "edgecam/commands/run.py"
            copy.writestr(name, b"raise SystemExit(1)" if fails else whole.read(name))
    failed = run(_INSTALL, "--wheel", str(broken), "--wheels", "/bundle/wheels", "--no-packages").returncode
    left = len(list((BASE / "releases").iterdir()))
    back = release() == before and active() and left == 2  # noqa: PLR2004 - it and the one before
    report("upgrade: a release that does not start is taken back", failed == 1 and back)


def _broker(newer: list[str]) -> None:
    """--with-mosquitto where its port is in use: by a program, then by the service's own broker."""
    command = [_INSTALL, "--with-mosquitto", "--wheel", *newer]
    run("systemctl", "stop", "mosquitto")
    with socket.create_server(("127.0.0.1", 1883)):
        refused = run(*command)
    told = f"(pid {os.getpid()})" in refused.stderr and "run this again" in refused.stderr
    report("broker: a port in use is told, with who has it", refused.returncode == 1 and told and active())

    fault = Path("/etc/mosquitto/conf.d/fault.conf")
    fault.write_text("no_such_option true\n")
    failed = run(*command)
    fault.unlink()
    run("systemctl", "stop", "mosquitto")  # else it would try again, now in vain no more
    told = "mosquitto does not start" in failed.stderr
    report("broker: one that does not start is a failure", failed.returncode == 1 and told and active())

    good = CONFIG.read_text()
    CONFIG.write_text(good.replace("url: mqtt://127.0.0.1:1883", "url: embedded"))
    run("systemctl", "restart", "edgecam")
    since = mark()
    report("broker: the service has its own", heard("main/state", '"status":"ok"', since=since, seconds=60))
    done = run(*command).returncode
    named = CONFIG.read_text() == good
    serves = run("systemctl", "is-active", "mosquitto").returncode == 0
    report("broker: mosquitto takes the service's port, by one word", done == 0 and named and serves)
    since = mark()
    report("broker: and serves it", heard("main/state", '"status":"ok"', since=since, seconds=60))
    process = prop("MainPID")
    done = run(*command).returncode
    report("broker: once more, nothing changes", done == 0 and prop("MainPID") == process)


def _upgrade() -> None:
    first, process, config = release(), prop("MainPID"), _hash()
    broken = Path("/check/edgecam-100.0.0-py3-none-any.whl")
    broken.write_bytes(b"no wheel")
    failed = run(_INSTALL, "--wheel", str(broken), "--wheels", "/bundle/wheels", "--no-packages").returncode
    same = release() == first and prop("MainPID") == process and active()
    left = len(list((BASE / "releases").iterdir()))
    report("upgrade: one that fails leaves the old release running", failed == 1 and same and left == 1)

    newer = [str(next(Path("/bundle").glob("edgecam-*.whl"))), "--wheels", "/bundle/wheels", "--no-packages"]
    since = mark()
    done = run(_INSTALL, "--wheel", *newer).returncode
    second = release()
    report("upgrade: the new release runs", done == 0 and second != first and active(), second)
    report("upgrade: info tells its version", heard("info", '"99.0.0"', since=since))
    report("upgrade: the configuration is kept", _hash() == config)
    process = prop("MainPID")
    done = run(_INSTALL, "--wheel", *newer).returncode
    report("upgrade: once more, nothing changes", done == 0 and prop("MainPID") == process)

    _broker(newer)
    _release_that_does_not_start(newer[0])
    done = run(_INSTALL, "--rollback").returncode
    report("rollback: the old release runs", done == 0 and release() == first and active(), release())
    shutil.rmtree(BASE / "releases" / second / "lib")
    refused = run(_INSTALL, "--rollback").returncode
    report(
        "rollback: to a release that is broken is refused", refused == 1 and release() == first and active()
    )
