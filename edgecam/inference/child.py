"""The child process that owns an engine and its delegate: `python -m edgecam.inference.child`.

Whatever a delegate's library does, it does here: the parent only ever waits with a deadline.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from edgecam.errors import EngineError, LastingError, ModelError
from edgecam.inference.bond import end_with
from edgecam.inference.delegates import DelegateUse, get_twin
from edgecam.inference.engine import Engine
from edgecam.inference.engines import EngineRequest, load_engine
from edgecam.inference.wire import (
    MOST_MESSAGE_BYTES,
    REPLY,
    REQUEST,
    Description,
    SharedTensors,
    encode_fault,
)
from edgecam.model.digests import digest_of


def main() -> None:
    """Open what the parent asks for and serve it until it hangs up.

    The arguments are the descriptors of socket and memory, and the parent's process id.
    """
    channel_fd, memory_fd, parent = (int(word) for word in sys.argv[1:4])
    end_with(parent)
    with socket.socket(fileno=channel_fd) as channel:
        asked = json.loads(channel.recv(MOST_MESSAGE_BYTES))
        try:
            engine = _open(asked)
        except EngineError as fault:
            channel.send(encode_fault(fault))
            _leave()
        tensors = SharedTensors(memory_fd, engine.input, engine.output)
        channel.send(_description(engine).encode())
        _serve(engine, channel, tensors)
        _leave()


def _leave() -> NoReturn:
    """Here and now: the destructors of a library may hang, or tell of their work on stderr."""
    os._exit(0)


def _open(asked: dict[str, Any]) -> Engine:
    path = Path(asked["model"])
    use = DelegateUse(**asked["delegate"]) if asked["delegate"] else None
    _check_file(path, asked["sha256"], use)
    return load_engine(asked["engine"], EngineRequest(path, threads=asked["threads"], delegate=use))


def _check_file(path: Path, sha256: str, use: DelegateUse | None) -> None:
    """Raises LastingError: it is not the file that the card names for this delegate."""
    if use is not None and not sha256:
        raise LastingError(
            f"{path.parent}: no file that was compiled for {use.name} is named in a card; "
            f"{get_twin(use.name, path.name)}"
        )
    try:
        found = digest_of(path)
    except ModelError as error:
        raise LastingError(f"{error}; put back what the card names") from error
    if found != sha256:
        raise LastingError(
            f"{path}: is not the file that the card names: expected sha256 {sha256[:12]}…, got "
            f"{found[:12]}…; fetch it again, or correct the card"
        )


def _description(engine: Engine) -> Description:
    # Who does not count, does not say.
    delegated, operators = getattr(engine, "delegated", None), getattr(engine, "operators", None)
    return Description(engine.info, engine.input, engine.output, delegated, operators)


def _serve(engine: Engine, channel: socket.socket, tensors: SharedTensors) -> None:
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
