"""Scoring on a real Dask cluster: a scheduler and two workers on loopback, each a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from program import PHOTOS, edgecam, write_pictures

from edgecam.config.shipped import shipped_folder
from edgecam.errors import EngineError, ModelError, SourceError, UnusableError
from edgecam.evaluation import cluster as clusters
from edgecam.evaluation.pictures import PictureSet, read_picture_set
from edgecam.evaluation.score_set import score_pictures
from edgecam.model.model import Model
from edgecam.model.store import load_model

pytest.importorskip("distributed", reason="the extra dask is not installed: pip install 'edgecam[dask]'")

MODEL = shipped_folder() / "models" / "efficientnet_lite0_160_int8"
_START_S = 60.0


@dataclass
class Cluster:
    """A scheduler that runs."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]


@contextmanager
def running(folder: Path, *, workers: int) -> Iterator[Cluster]:
    """A cluster whose workers have two threads each; ended with the block."""
    said = folder / "scheduler.json"
    local = ("--host", "127.0.0.1", "--no-dashboard")
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            _process("scheduler", folder, "--port", "0", "--scheduler-file", said, *local)
        )
        ends = time.monotonic() + _START_S
        while not said.exists():
            assert time.monotonic() < ends, "the scheduler does not start"
            time.sleep(0.05)
        address = json.loads(said.read_text())["address"]
        arguments = (address, "--nthreads", "2", "--no-nanny", *local)
        yield Cluster(
            address,
            scheduler,
            [stack.enter_context(_process("worker", folder, *arguments)) for _ in range(workers)],
        )


@contextmanager
def _process(what: str, folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "dask.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *map(str, arguments)],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
    with process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests that leave it alone."""
    with running(tmp_path_factory.mktemp("dask"), workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def model() -> Model:
    """The lighter of the shipped ones."""
    return load_model(MODEL)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, model: Model) -> PictureSet:
    """A few lots, with one picture that cannot be read."""
    root = tmp_path_factory.mktemp("pictures")
    write_pictures(root / "other", 200)
    (root / "cat").mkdir()
    (root / "cat" / "cat.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes())
    (root / "cat" / "cut.jpg").write_bytes(b"no picture")
    return read_picture_set(root, labels=model.labels, groups=model.groups)


def test_a_cluster_says_what_this_machine_says(cluster: Cluster, model: Model, pictures: PictureSet) -> None:
    """Whichever worker is done first; also of what cannot be read."""
    here = score_pictures(model, pictures, processes=1)
    heard: list[tuple[int, int]] = []
    there = score_pictures(model, pictures, dask=cluster.address, told=lambda *done: heard.append(done))
    assert there.names == here.names
    assert np.array_equal(there.truth, here.truth)
    assert np.array_equal(there.probabilities, here.probabilities)
    assert [(one.name, one.fault) for one in there.unreadable] == [
        (one.name, one.fault) for one in here.unreadable
    ]
    assert heard[-1] == (202, 202)


def test_the_command_uses_it(cluster: Cluster, pictures: PictureSet) -> None:
    """Two models one after the other: each thread changes its engine."""
    arguments: Sequence[str | Path] = (
        MODEL, pictures.root, "--against", MODEL.with_name("efficientnet_lite0_int8"), "--json",
    )  # fmt: skip
    done = edgecam("eval", *arguments, "--dask", cluster.address)
    assert done.code == 0, done.err
    assert json.loads(done.out) == json.loads(edgecam("eval", *arguments).out)


def test_faults_of_engine_and_pictures_are_those_of_this_machine(
    cluster: Cluster, model: Model, pictures: PictureSet, tmp_path: Path
) -> None:
    """By their own words, from wherever they come."""
    with pytest.raises(EngineError, match='did you mean "litert"'):
        score_pictures(model, pictures, dask=cluster.address, engine="litter")
    table = tmp_path / "set.csv"
    table.write_text("path,label\nabsent.jpg,3\n")
    with pytest.raises(SourceError, match="none of the 1 pictures can be read"):
        score_pictures(model, read_picture_set(table, labels=model.labels), dask=cluster.address)
    with pytest.raises(ModelError, match="labelled for another model"):
        score_pictures(model, read_picture_set(table), dask=cluster.address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense", "tcp://127.0.0.1:99999"])
def test_where_no_scheduler_is_that_is_said_at_once(model: Model, pictures: PictureSet, address: str) -> None:
    """With what to start or write."""
    with pytest.raises(UnusableError, match=r"no scheduler answers at .*dask scheduler"):
        score_pictures(model, pictures, dask=address)


def test_a_port_of_something_else_is_no_hang(
    model: Model, pictures: PictureSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server, as the scheduler's own dashboard is, waits for the first word; Dask would wait, too."""
    monkeypatch.setattr(clusters, "_CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnusableError, match=r"no scheduler answers at .*timed out"):
            score_pictures(model, pictures, dask=address)


def test_a_worker_that_dies_changes_nothing(tmp_path: Path, model: Model, pictures: PictureSet) -> None:
    """What it had in hand, or had done and not handed over, is done by others."""
    with running(tmp_path, workers=2) as cluster:

        def end(_done: int, _total: int) -> None:
            cluster.workers[0].kill()

        there = score_pictures(model, pictures, dask=cluster.address, told=end)
    here = score_pictures(model, pictures, processes=1)
    assert there.names == here.names
    assert np.array_equal(there.probabilities, here.probabilities)


def test_a_cluster_that_ends_meanwhile_is_no_hang(tmp_path: Path, model: Model, pictures: PictureSet) -> None:
    """Its pictures are not scored, so there is no result."""
    with running(tmp_path, workers=1) as cluster:

        def end(_done: int, _total: int) -> None:
            cluster.scheduler.kill()

        with pytest.raises(UnusableError, match="failed"):
            score_pictures(model, pictures, dask=cluster.address, told=end)
