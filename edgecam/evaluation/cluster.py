"""Pictures scored on a Dask cluster that is there already: for sets that outgrow one machine.

The model goes to the workers as bytes, the pictures as paths: they lie on a file system that all share.
"""

from __future__ import annotations

import hashlib
import itertools
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import edgecam
from edgecam.errors import EdgecamError, EngineError, UnusableError
from edgecam.evaluation.scoring import Lot, ScoredLot, Scorer, ScoringOrder
from edgecam.inference.engines import seen_by

_CONNECT_S = 10.0
# A cluster that grows with its work may have no worker yet.
_FIRST_WORKER_S = 120.0
_LOTS_AHEAD = 4


def score_on_cluster(
    order: ScoringOrder, lots: Sequence[Lot], *, address: str
) -> Iterator[tuple[int, ScoredLot]]:
    """Score lots on the workers of a cluster, each of whose threads opens an engine of its own.

    Args:
        order: what each opens.
        lots: what is to be scored.
        address: of the scheduler: `tcp://10.0.0.2:8786`.

    Yields:
        The number of a lot and what became of it, in the order in which they are done.

    Raises:
        UnusableError: Dask is not installed, no scheduler answers, or its workers cannot do it.
        EngineError: an engine does not open or fails.
    """
    try:
        from distributed import as_completed
    except ImportError as error:
        raise UnusableError("--dask: Dask is not installed; pip install 'edgecam[dask]'") from error
    # The file goes alone, so it has to be the one that this engine runs.
    order = replace(order, model=seen_by(order.engine, order.model))
    waiting = iter(enumerate(lots))
    with _connected(address) as client:
        at_once = _LOTS_AHEAD * _threads_of(client, address)
        with _faults_told(address):
            shared = client.scatter([order, order.model.path.read_bytes()], broadcast=True)
        numbers = {
            client.submit(_score_there, *shared, lot, pure=False): number
            for number, lot in itertools.islice(waiting, at_once)
        }
        running = as_completed(numbers, loop=client.loop)
        for future in running:
            with _faults_told(address):
                done = numbers.pop(future), future.result()
                for number, lot in itertools.islice(waiting, 1):
                    following = client.submit(_score_there, *shared, lot, pure=False)
                    numbers[following] = number
                    running.add(following)
            yield done


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    from distributed import Client

    try:
        _knock(address)
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except Exception as error:
        # What answers in another language is anything to Dask: too little memory, a failed assertion.
        raise UnusableError(
            f"--dask: no scheduler answers at {address} ({error}); start one with `dask scheduler`, or check "
            "the address, as tcp://10.0.0.2:8786"
        ) from error
    with client:
        yield client


def _knock(address: str) -> None:
    """Is a scheduler there? Dask would try long, and be noisy in the end; raises OSError or ValueError."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.hostname is None or parts.port is None:
        raise ValueError("host and port are missing")
    with socket.create_connection((parts.hostname, parts.port), timeout=_CONNECT_S) as line:
        # Over TCP alone the scheduler speaks first, while a web server, its own dashboard too, waits.
        if parts.scheme == "tcp" and not line.recv(1):
            raise ConnectionError("it hung up at once")


@contextmanager
def _faults_told(address: str) -> Iterator[None]:
    """Whatever a stranger's cluster raises, as our own words."""
    from distributed import CancelledError

    try:
        yield
    except EdgecamError:
        raise
    except (Exception, CancelledError) as error:
        raise UnusableError(f"--dask: {address} failed: {type(error).__name__}: {error}") from error


def _threads_of(client: Any, address: str) -> int:
    """How many engines its workers will open; they have to be there, and of our version."""
    with _faults_told(address):
        try:
            client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
        except TimeoutError as error:
            raise UnusableError(
                f"--dask: {address} has no worker (for {_FIRST_WORKER_S:.0f} s); start some with "
                f"`dask worker {address}`"
            ) from error
        versions = client.run(_version_there)
        for worker, version in versions.items():
            if version != edgecam.__version__:
                raise UnusableError(
                    f"--dask: the worker {worker} has edgecam {version}, this is {edgecam.__version__}; "
                    "install the same there"
                )
        return sum(client.nthreads().values())


def _version_there() -> str:
    return edgecam.__version__


_here = threading.local()
"""Of a worker's thread: the engine that it opened last, and for whom."""


def _score_there(order: ScoringOrder, data: bytes, lot: Lot) -> ScoredLot:
    """In a worker's thread."""
    key = (order.model.sha256, order.engine, order.threads)
    if getattr(_here, "key", None) != key:
        _here.key = None
        _here.scorer = _open_there(order, data)
        _here.key = key
    scored: ScoredLot = _here.scorer(lot)
    return scored


def _open_there(order: ScoringOrder, data: bytes) -> Scorer:
    model = order.model
    found = hashlib.sha256(data).hexdigest()
    if found != model.sha256:
        raise EngineError(f"{model.path}: the file changed meanwhile; start anew")
    # It is read while it is opened, and not after.
    with tempfile.TemporaryDirectory(prefix="edgecam-") as folder:
        file = Path(folder) / model.path.name
        file.write_bytes(data)
        return Scorer(replace(order, model=replace(model, path=file)))
