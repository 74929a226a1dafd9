"""The child process that owns an interpreter and its delegate: `python -m edgecam.inference.child`.

Whatever a delegate's library does, it does here: the parent only ever waits with a deadline.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecam.errors import EngineError
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.litert import LiteRtEngine
from edgecam.inference.wire import MOST_MESSAGE_BYTES, REPLY, REQUEST, SharedTensors

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Open what the parent asks for and serve it until it hangs up.

    The arguments are the descriptors of socket and memory, and the parent's process id.
    """
    channel_fd, memory_fd, parent = (int(word) for word in sys.argv[1:4])
    _die_with(parent)
    with socket.socket(fileno=channel_fd) as channel:
        asked = json.loads(channel.recv(MOST_MESSAGE_BYTES))
        try:
            engine = _open(asked)
        except EngineError as fault:
            channel.send(json.dumps({"fault": str(fault)}).encode())
            return
        tensors = SharedTensors(memory_fd, engine.input, engine.output)
        channel.send(json.dumps(_description(engine)).encode())
        _serve(engine, channel, tensors)


def _die_with(parent: int) -> None:
    """Let the kernel end this process with its parent, even while a library hangs in it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


def _open(asked: dict[str, Any]) -> LiteRtEngine:
    return LiteRtEngine(
        Path(asked["model"]), threads=asked["threads"], delegate=DelegateUse(**asked["delegate"])
    )


def _description(engine: LiteRtEngine) -> dict[str, Any]:
    return {
        "info": asdict(engine.info),
        "input": asdict(engine.input),
        "output": asdict(engine.output),
        "delegated": engine.delegated,
        "operators": engine.operators,
    }


def _serve(engine: LiteRtEngine, channel: socket.socket, tensors: SharedTensors) -> None:
    while request := channel.recv(REQUEST.size):
        (number,) = REQUEST.unpack(request)
        try:
            tensors.output[:] = engine.invoke(tensors.input)
        except EngineError as fault:
            channel.send(REPLY.pack(number, 1) + str(fault).encode())
        else:
            channel.send(REPLY.pack(number, 0))


if __name__ == "__main__":
    main()
