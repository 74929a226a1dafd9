"""What must hold at the next boot, with a bad configuration; then uninstall, purge, and the package."""

from __future__ import annotations

from pathlib import Path

from appliance_checks.box import BASE, CONFIG, active, heard, journal, listen, prop, report, run, wait

_DATA = Path("/var/lib/edgecam")
_UNIT = Path("/etc/systemd/system/edgecam.service")
_OWNERS = Path("/etc/systemd/system/edgecam.service.d/check.conf")
_PACKAGED = "/usr/share/edgecam/deploy/install.sh"


def check() -> None:
    """All of it; leaves nothing of edgecam behind."""
    listen()
    _last_shutdown()
    _bad_configuration()
    _uninstall()
    _package()


def _last_shutdown() -> None:
    said = journal("--boot=-1", "--lines=20")
    report("shutdown: edgecam ended by itself, in time", "Deactivated successfully" in said)


def _bad_configuration() -> None:
    report("boot: with a bad configuration the last good one runs", wait(active, 60), prop("Result"))
    report("boot: and it is online", heard("availability", "online"))
    report(
        "boot: the fault is told with line and column",
        "config.yaml:4:" in journal("--boot"),
        prop("StatusText"),
    )


_COMMAND = Path("/usr/local/bin/edgecam")


def _uninstall() -> None:
    done = run("/newer/deploy/install.sh", "--uninstall").returncode
    remains = [path for path in (_COMMAND, BASE, _UNIT) if path.exists() or path.is_symlink()]
    gone = not remains and prop("LoadState") == "not-found"
    report("uninstall: program and units are gone", done == 0 and gone)
    report("uninstall: configuration and data stay", CONFIG.exists() and _DATA.exists() and _OWNERS.exists())
    report("uninstall: the broker hears that it is gone", heard("availability", "offline"))
    done = run("/newer/deploy/install.sh", "--uninstall", "--purge").returncode
    left = [str(path) for path in (CONFIG.parent, _DATA, _OWNERS.parent) if path.exists()]
    user = run("getent", "passwd", "edgecam").returncode == 0
    report("purge: nothing is left", done == 0 and not left and not user, " ".join(left))


def _package() -> None:
    package = str(next(Path("/check").glob("edgecam_*.deb")))
    done = run("dpkg", "--install", package).returncode
    report("package: installed without a network, and running", done == 0 and active(), prop("StatusText"))
    again = run(_PACKAGED, "--no-packages", "--wheels", "/usr/share/edgecam/wheels", "--dry-run").returncode
    report("package: its installer stands beside it", again == 0)
    done = run("dpkg", "--remove", "edgecam").returncode
    report(
        "package: removed, and the configuration stays", done == 0 and CONFIG.exists() and not BASE.exists()
    )
    done = run("dpkg", "--purge", "edgecam").returncode
    left = [path for path in (CONFIG.parent, _DATA, BASE, Path("/usr/share/edgecam")) if path.exists()]
    report("package: purged, and nothing is left", done == 0 and not left, " ".join(map(str, left)))
