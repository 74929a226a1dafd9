"""The real program with a state directory that is full or read-only: it runs, says so, and recovers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, write_photos

EVENT = "edgecam/box/main/event"
NOTICE = "edgecam/box/notice"
WATCH = {group: {"enter": 0.6, "exit": 0.4, "hold_s": 0} for group in ("cat", "cup")}
# Room for the files of the outbox while little waits.
_SIZE = "512k"


def mount(*arguments: str | Path) -> None:
    """As root only."""
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True, timeout=10)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state directory, on a small disk of its own."""
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: a full and a read-only disk; mounting one takes root")
    folder = tmp_path / "state"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"NOT CHECKED: a full and a read-only disk; no mount here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


def config(broker: Mosquitto, folder: Path) -> dict[str, Any]:
    """Episodes start and end all the time."""
    photos = write_photos(folder / "photos", each=3)
    return config_for(broker.url, f"images:{photos}", loop=True, fps=10, smoothing_s=0, watch=WATCH)


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1024)):
            pass
    return filler


def kinds(subscriber: Listener) -> list[str]:
    """Of the notices, in order."""
    return [heard.body["kind"] for heard in subscriber.on(NOTICE)]


def has_more(subscriber: Listener, least: int) -> bool:
    """So many events and more."""
    return len(subscriber.on(EVENT)) > least


def check_events_flow(subscriber: Listener) -> None:
    """New ones come, though nothing can be written."""
    subscriber.wait(partial(has_more, subscriber, len(subscriber.on(EVENT)) + 4), 30)


def test_a_disk_that_fills_up_and_is_freed_again(
    tmp_path: Path, state: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Events are delivered from memory meanwhile; told once, and once again when the file is back."""
    with Program(tmp_path, config(broker, tmp_path)) as program:
        subscriber.wait(lambda: subscriber.on(EVENT), 30)
        filler = fill(state)
        subscriber.wait(lambda: kinds(subscriber) == ["outbox_degraded"], 30)
        check_events_flow(subscriber)
        filler.unlink()
        subscriber.wait(lambda: kinds(subscriber) == ["outbox_degraded", "outbox_restored"], 60)
        check_events_flow(subscriber)
        assert program.stop()[0] == 0
    assert subscriber.on(NOTICE)[0].body["data"]["reason"]
    assert "Traceback" not in program.log


def test_a_disk_that_is_full_from_the_start(
    tmp_path: Path, state: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """Nothing was ever written, not even the last good configuration."""
    fill(state)
    with Program(tmp_path, config(broker, tmp_path)) as program:
        subscriber.wait(lambda: "outbox_degraded" in kinds(subscriber), 30)
        check_events_flow(subscriber)
        assert program.stop()[0] == 0
    assert "Traceback" not in program.log


def test_a_read_only_disk_runs_and_is_taken_up_once_it_can_be_written(
    tmp_path: Path, state: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """A card that the kernel has remounted read-only, an appliance with a read-only root."""
    mount("-o", "remount,ro", state)
    with Program(tmp_path, config(broker, tmp_path)) as program:
        subscriber.wait(lambda: kinds(subscriber) == ["outbox_degraded"], 30)
        check_events_flow(subscriber)
        mount("-o", "remount,rw", state)
        subscriber.wait(lambda: kinds(subscriber) == ["outbox_degraded", "outbox_restored"], 60)
        assert program.stop()[0] == 0
    assert (state / "outbox.db").stat().st_size > 0
    assert "Traceback" not in program.log


def test_a_read_only_root_with_a_writable_tmp_alone(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """No state directory, a home that cannot be written: the outbox is in memory, and that is all."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("NOT CHECKED: a read-only root; a mount namespace takes root")
    path, scratch = tmp_path / "config.yaml", tmp_path / "scratch"
    path.write_text(json.dumps(config(broker, tmp_path)), encoding="utf-8")
    scratch.mkdir()
    script = f"mount -o remount,bind,ro / && mount -t tmpfs tmpfs {scratch} && exec "
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", f"{script} {sys.executable} -m edgecam run --config {path}"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch), "HOME": str(tmp_path / "home")},
    ) as process:
        try:
            subscriber.wait(lambda: kinds(subscriber) == ["outbox_degraded"], 30)
            check_events_flow(subscriber)
        finally:
            process.terminate()
            _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    assert "Traceback" not in log
