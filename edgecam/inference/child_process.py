"""The parent's end of one child process with an engine in it: start, ask, end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from numpy.typing import NDArray

from edgecam.errors import EngineError, LastingError
from edgecam.inference.bond import end_before_us, how_it_ended
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.wire import (
    MOST_MESSAGE_BYTES,
    REQUEST,
    Description,
    SharedTensors,
    read_reply,
    same_tensor,
    size_bytes,
)
from edgecam.records import TensorSpec

_TERMINATE_S = 0.5
# What is in the kernel's hands cannot be killed: it is left behind.
_KILL_S = 1.0
# From the end of its socket to that of the process; a frame may wait meanwhile.
_END_S = 0.02


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to open."""

    model: Path
    sha256: str
    """Of that file; empty: no card names it."""
    engine: str
    """As `load_engine` calls it."""
    delegate: DelegateUse | None
    """None: its engine runs on the CPU, to measure what a child costs."""
    threads: int
    input: TensorSpec
    """What the tensors have to be: those of the CPU's engine, which stands in."""
    output: TensorSpec


class ChildProcess:
    """A child with an engine; starts it in the constructor, from the thread with which it is to die.

    Args:
        order: what it opens.

    Raises:
        EngineError: the process cannot be started.
    """

    def __init__(self, order: Order) -> None:
        self.failed = Event()
        """It is not to be asked again."""
        self.fault = ""
        """Why."""
        self.is_proved = False
        """It may be asked by the engine's thread."""
        self.in_use = Lock()
        """Held by who asks it."""
        self.took_s = 0.0
        """For the known picture, asked as for a frame; 0: not asked yet."""
        self.answered_s = 0.0
        """When it last did, on the steady clock."""
        self.opened: Description | None = None
        """What really runs; None until `open` has returned."""
        self._order = order
        what = f"the delegate {order.delegate.name}" if order.delegate else f"the engine {order.engine}"
        self._name = f"{order.model}: {what}"
        self._remedy = "update its library or driver" if order.delegate else "use another engine or model"
        self._number = 0
        try:
            with _shared_memory(size_bytes(order.input, order.output)) as memory:
                self._tensors = SharedTensors(memory, order.input, order.output)
                self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    self._process = _start(theirs.fileno(), memory)
        except OSError as error:
            raise EngineError(f"{self._name}: no process for it can be started: {error.strerror}") from error

    def open(self, deadline_s: float) -> Description:
        """Let it open its engine; raises EngineError: it refuses, died, or took too long."""
        order = self._order
        asked = {
            "model": str(order.model.absolute()),
            "sha256": order.sha256,
            "engine": order.engine,
            "threads": order.threads,
            "delegate": asdict(order.delegate) if order.delegate else None,
        }
        request = json.dumps(asked).encode()
        if len(request) > MOST_MESSAGE_BYTES:
            raise LastingError(
                f"{self._name}: what it is asked to open takes {len(request)} bytes, and "
                f"{MOST_MESSAGE_BYTES} are allowed; shorten models.<name>.delegate_options"
            )
        opened = Description.decode(self._ask(request, deadline_s, "opening"))
        for what, found, wanted in (
            ("input", opened.input, order.input),
            ("output", opened.output, order.output),
        ):
            if not same_tensor(found, wanted):
                raise LastingError(
                    f"{self._name}: its {what} is {found}, the CPU's is {wanted}; "
                    "compile it from the very model that it stands beside"
                )
        if order.delegate is not None and opened.delegated == 0:
            raise LastingError(
                f"{self._name} takes over none of the {opened.operators} operators; "
                "use a model that suits it, or delegate: cpu"
            )
        self.opened = opened
        return opened

    def invoke(self, tensor: NDArray[Any], deadline_s: float) -> NDArray[Any]:
        """Run the network once; see `Engine.invoke`. Late is failed: nobody knows what it does then."""
        self._number += 1
        self._tensors.input[...] = tensor
        reply = self._ask(REQUEST.pack(self._number), deadline_s, "inference")
        read_reply(reply, self._number)
        self.answered_s = time.monotonic()
        return self._tensors.output.copy()

    def give_up(self, fault: str) -> None:
        """Ask it no more."""
        self.fault = fault
        self.failed.set()

    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self._process.poll() is None

    def hang_up(self) -> None:
        """Let it end by itself, and wake who waits for it; from any thread."""
        self.failed.set()
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End its process: by SIGTERM, then by SIGKILL; and by that whatever its library has started."""
        self.hang_up()
        for stop, patience_s in ((self._process.terminate, _TERMINATE_S), (self._process.kill, _KILL_S)):
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)
                break
        # It leads a group of its own, which is there for as long as somebody is in it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._channel.close()

    def _ask(self, request: bytes, deadline_s: float, what: str) -> bytes:
        try:
            self._channel.settimeout(deadline_s)
            self._channel.send(request)
            reply = self._channel.recv(MOST_MESSAGE_BYTES)
        except TimeoutError as error:
            # Opening and the first inference have a time of their own.
            is_set = self._order.delegate is not None and self.answered_s
            longer = ", or let it have longer (timeout_ms)" if is_set else ""
            raise EngineError(
                f"{self._name}: no answer to {what} within {deadline_s:g} s; {self._remedy}{longer}"
            ) from error
        except OSError as error:
            raise EngineError(f"{self._name}: its process is gone: {error.strerror}") from error
        if not reply:
            raise EngineError(f"{self._name}: its process ended during {what}{self._how()}; {self._remedy}")
        return reply

    def _how(self) -> str:
        """In brackets; empty: the kernel does not say yet."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f" ({how_it_ended(self._process.wait(_END_S))})"
        return ""


@contextlib.contextmanager
def _shared_memory(length_bytes: int) -> Iterator[int]:
    """The descriptor of memory that cannot be made shorter; raises OSError."""
    memory = os.memfd_create("edgecam-tensors", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, length_bytes)
        # Were the child to make it shorter, reading it would kill us.
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        yield memory
    finally:
        os.close(memory)


def _start(channel: int, memory: int) -> subprocess.Popen[bytes]:
    words = [str(channel), str(memory), str(os.getpid())]
    process = subprocess.Popen(  # noqa: S603 - this interpreter, this package's module
        [sys.executable, "-m", "edgecam.inference.child", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(channel, memory),
        # Ctrl-C is for the parent, which ends it.
        start_new_session=True,
        # `-m` looks here first: the same edgecam as ours.
        cwd=Path(__file__).parents[2],
    )
    end_before_us(process.pid)
    return process
