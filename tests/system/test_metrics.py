"""Metrics of the running program, scraped as Prometheus does, and read by its own library."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mosquitto import Mosquitto
from mqtt_listener import Listener
from program import Program, config_for, write_photos, write_pictures
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import edgecam

PROMTOOL = os.environ.get("EDGECAM_TEST_PROMTOOL") or shutil.which("promtool")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def configured(broker: Mosquitto, folder: Path, port: int) -> dict[str, Any]:
    """One camera that plays pictures for ever, with metrics on a port."""
    config = config_for(broker.url, f"images:{folder}", fps=20, loop=True)
    return {**config, "metrics": {"enabled": True, "port": port}}


def get(port: int, *, method: str = "GET", path: str = "/metrics") -> tuple[int, str]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def scraped(text: str) -> dict[str, Metric]:
    """The families by name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    """The one sample of that name and those labels."""
    found = [
        one.value
        for family in families.values()
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    ]
    assert len(found) == 1, (sample, labels, found)
    return found[0]


@pytest.fixture
def metered(tmp_path: Path, broker: Mosquitto) -> Iterator[tuple[Program, int]]:
    """The program at work, and the port of its metrics."""
    port = free_port()
    folder = write_pictures(tmp_path / "pictures", 50)
    with Program(tmp_path, configured(broker, folder, port)) as program:
        program.wait_log(lambda log: "engine opened" in log and "broker connected" in log)
        program.wait_log(lambda log: "metrics served" in log)
        yield program, port


def test_a_scrape_tells_frames_ages_link_and_model_in_base_units(metered: tuple[Program, int]) -> None:
    """What the library's own parser reads is what the books say, and sums up."""
    program, port = metered
    ends_s = time.monotonic() + 30
    while True:
        status, text = get(port)
        families = scraped(text)
        if value(families, "edgecam_results_total", timing="on_time") + value(
            families, "edgecam_results_total", timing="late"
        ):
            break
        assert time.monotonic() < ends_s, text
        time.sleep(0.1)
    assert status == 200
    captured = value(families, "edgecam_frames_captured_total", camera="main")
    fates = [
        one.value for name in ("edgecam_results", "edgecam_frames_skipped") for one in families[name].samples
    ]
    assert 0 <= captured - sum(fates) <= 3
    count = value(families, "edgecam_frame_age_seconds_count", camera="main")
    assert count == value(families, "edgecam_frame_age_seconds_bucket", camera="main", le="+Inf") > 0
    assert 0 < value(families, "edgecam_frame_age_seconds_sum", camera="main") / count < 10
    for stage in ("preprocess", "infer", "postprocess"):
        assert value(families, "edgecam_stage_duration_seconds_count", camera="main", stage=stage) == count
    assert value(families, "edgecam_mqtt_connected") == 1
    assert value(families, "edgecam_mqtt_last_failure_info", kind="none") == 1
    assert value(families, "edgecam_camera_status", status="ok") == 1
    assert value(families, "edgecam_camera_model_info", camera="main", model="default") == 1
    assert value(families, "edgecam_model_info", model="default", engine="litert/cpu") == 1
    assert value(families, "edgecam_build_info", edgecam=edgecam.__version__) == 1
    assert value(families, "edgecam_worker_turns_total", worker="publish") > 0
    for name in families:
        assert name.startswith("edgecam_")
        assert not name.endswith(("_ms", "_ns"))
    assert program.stop()[0] == 0


def test_a_scrape_tells_what_is_kept_on_the_device(tmp_path: Path, broker: Mosquitto) -> None:
    """Events, pictures and bytes, as the files themselves have them."""
    port = free_port()
    photos = write_photos(tmp_path / "photos", each=20)
    config = {**configured(broker, photos, port), "history": {"enabled": True}}
    with Program(tmp_path, config) as program:
        program.wait_log(lambda log: "metrics served" in log)
        ends_s = time.monotonic() + 30
        while value(families := scraped(get(port)[1]), "edgecam_history_kept_total", kind="picture") == 0:
            assert time.monotonic() < ends_s, program.log
            time.sleep(0.1)
        assert program.stop()[0] == 0
    kept = [path for path in (tmp_path / "state" / "history").rglob("*") if path.is_file()]
    assert 0 < value(families, "edgecam_history_bytes") <= sum(path.stat().st_size for path in kept)
    assert value(families, "edgecam_history_kept_total", kind="event") > 0
    assert value(families, "edgecam_history_lost_total") == 0


def test_only_get_of_metrics_is_answered_and_nonsense_is_refused(metered: tuple[Program, int]) -> None:
    """Nothing else is served, and no head is too strange."""
    _, port = metered
    assert get(port, path="/")[0] == 404
    assert get(port, method="POST")[0] == 405
    assert get(port, method="HEAD") == (200, "")
    for head in (b"\r\n\r\n", b"\x16\x03\x01" * 3000, b"GET /metrics\r\n\r\n", b"GET " + b"a" * 9000):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            peer.sendall(head)
            assert peer.recv(100).startswith(b"HTTP/1.1 400 ")
    assert get(port)[0] == 200


def test_scrapers_that_hang_neither_grow_the_program_nor_keep_others_out(
    metered: tuple[Program, int],
) -> None:
    """A hundred connections that dribble: no thread and few descriptors more, and a scrape gets through."""
    program, port = metered
    get(port)
    tasks = Path(f"/proc/{program.pid}/task")
    descriptors = Path(f"/proc/{program.pid}/fd")
    threads, files = len(list(tasks.iterdir())), len(list(descriptors.iterdir()))
    peers = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
    try:
        for peer in peers:
            try:
                peer.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
            except OSError:
                continue
        assert get(port)[0] == 200
        assert len(list(tasks.iterdir())) <= threads
        assert len(list(descriptors.iterdir())) <= files + 9
    finally:
        for peer in peers:
            peer.close()


def test_a_port_that_is_taken_is_told_once_and_tried_again(
    tmp_path: Path, broker: Mosquitto, subscriber: Listener
) -> None:
    """No reason to stop: frames go on, a notice says what to do."""
    folder = write_pictures(tmp_path / "pictures", 20)
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with Program(tmp_path, configured(broker, folder, port)) as program:
            subscriber.wait(lambda: subscriber.on("edgecam/box/main/prediction"))
            kinds = [one.body["kind"] for one in subscriber.on("edgecam/box/notice")]
            assert kinds.count("metrics_failed") == 1
            assert program.log.count("metrics not available") == 1
            squatter.close()
            subscriber.wait(
                lambda: any(one.body["kind"] == "metrics_back" for one in subscriber.on("edgecam/box/notice"))
            )
            assert get(port)[0] == 200
            assert program.stop()[0] == 0


def test_without_metrics_nothing_listens_and_their_library_is_not_loaded() -> None:
    """Off is off: all that a run imports is imported, and prometheus_client is not."""
    code = (
        "import sys, edgecam.commands.run\n"
        "print([name for name in sys.modules if name.startswith('prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_promtool_finds_nothing_to_say_of_names_units_and_help(metered: tuple[Program, int]) -> None:
    """Prometheus' own lint, where Debian's `prometheus` is installed."""
    if PROMTOOL is None:
        pytest.skip("promtool is not here: apt-get install prometheus, or EDGECAM_TEST_PROMTOOL")
    _, port = metered
    time.sleep(1)
    text = get(port)[1]
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_for_prometheus_is_valid() -> None:
    """Configuration and alert rules, by Prometheus' own checker."""
    if PROMTOOL is None:
        pytest.skip("promtool is not here: apt-get install prometheus, or EDGECAM_TEST_PROMTOOL")
    sample = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"
    done = subprocess.run([PROMTOOL, "check", "config", sample], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_name_metrics_that_there_are(metered: tuple[Program, int]) -> None:
    """A renamed metric would make an alert that never rings; what a board must tell is excused."""
    _, port = metered
    rules = Path(__file__).parents[2] / "deploy" / "prometheus" / "edgecam.rules.yml"
    named = set(re.findall(r"\b(edgecam_\w+)(?=[{\[ )])", rules.read_text(encoding="utf-8")))
    text = get(port)[1]
    served = {word.removesuffix("_bucket") for word in re.findall(r"^(edgecam_\w+)", text, re.MULTILINE)}
    told_by_boards = {"edgecam_throttled", "edgecam_soc_temperature_celsius"}
    assert len(named) > 6
    assert named - served <= told_by_boards
