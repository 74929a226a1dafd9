"""Which engines there are: edgecam's own, and those that other installed packages bring.

Both are entry points: a name, and where its opener is, which is imported only when that engine is wanted.
docs/engines.md says how to write one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from edgecam.errors import EngineError
from edgecam.inference.delegates import DelegateUse
from edgecam.inference.engine import Engine
from edgecam.inference.habits import words_of
from edgecam.model.graph import is_tflite
from edgecam.model.model import Model

GROUP = "edgecam.engines"
"""The entry point group in which a package names its engines."""
AUTO = "auto"
"""In the place of a name: chosen by the model's file and by what is installed."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What an engine is to open; later versions of edgecam may add to it."""

    path: Path
    """The model's file."""
    threads: int
    """For the network's kernels, at least 1."""
    delegate: DelegateUse | None = None
    """Takes over what it can; None: the CPU does all."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers, best first; empty: the CPU."""


Opener = Callable[[EngineRequest], Engine]

# A new engine is a new row.
_OWN = {
    name: EntryPoint(name, f"edgecam.inference.{opener}", GROUP)
    for name, opener in (
        ("litert", "litert:open_litert"),
        ("tflite-runtime", "litert:open_tflite_runtime"),
        ("compiled", "compiled:open_compiled"),
        ("onnx", "onnx:open_onnx"),
        ("hailo", "hailo:open_hailo"),
        ("imx500", "imx500:open_imx500"),
        ("tflm", "tflm:open_tflm"),
    )
}
_BY_ENDING = {".onnx": "onnx", ".hef": "hailo", ".rpk": "imx500"}
TFLITE = ("litert", "tflite-runtime")
"""What runs `.tflite` files, the best first."""
APART = frozenset({"tflm"})
"""These may end their process, so `open_engine` gives them one of their own."""
_NOT_SERVING = {
    "compiled": "it is for accelerators: leave engine: auto, and set delegate: openvino or webgpu",
    "tflm": "TFLite Micro is for looking at models for microcontrollers: edgecam classify --engine tflm",
}


def engine_names() -> tuple[str, ...]:
    """All that `load_engine` knows, edgecam's own first; their libraries may be absent."""
    return (*_OWN, *plug_in_names())


def plug_in_names() -> tuple[str, ...]:
    """Those of installed packages."""
    return tuple(sorted(entry_points(group=GROUP).names - _OWN.keys()))


def engine_for(path: Path) -> str:
    """The name of the engine that `auto` takes for a model's file.

    Raises:
        EngineError: there is none.
    """
    possible = _own_engines(path)
    if not possible:
        raise EngineError(
            f"{path}: no engine of edgecam's is for such files; name the one that is: models.<name>.engine"
        )
    if possible != TFLITE:
        return possible[0]
    from edgecam.inference.litert import find_runtime

    try:
        return find_runtime().name
    except EngineError as error:
        raise EngineError(f"{path}: {error}") from error


def strange_engine(engine: str, providers: Sequence[str], path: Path) -> Iterator[tuple[str, str]]:
    """What cannot be meant of a model's engine: the configuration's key, and what was expected.

    Args:
        engine: as the configuration names it.
        providers: likewise.
        path: of the model's file.
    """
    possible = _own_engines(path)
    if engine == AUTO:
        if not possible:
            yield "engine", f"expected the name of the engine that runs {path.name}: no own one does"
    elif engine in _NOT_SERVING:
        yield "engine", f'expected an engine for cameras, got "{engine}": {_NOT_SERVING[engine]}'
    elif engine not in engine_names():
        yield "engine", _unknown(engine)
    elif engine in _OWN and engine not in possible:
        fitting = ", ".join(possible) or "the one of an installed package"
        text = f'expected an engine that runs {path.name} ({fitting}), got "{engine}"'
        yield "engine", f"{text}; or name a file for it in the card: twins: {engine}"
    if providers and "onnx" not in ({engine} if engine != AUTO else possible):
        yield "providers", "expected none: only the engine onnx has execution providers"


def seen_by(engine: str, model: Model) -> Model:
    """The model with the file that its card names for this engine, if it names one."""
    twin = model.card.twins.get(engine)
    if twin is None:
        return model
    return replace(model, path=model.path.with_name(twin.file), sha256=twin.sha256)


def _own_engines(path: Path) -> tuple[str, ...]:
    """Those for such a file."""
    if path.suffix in _BY_ENDING:
        return (_BY_ENDING[path.suffix],)
    return TFLITE if is_tflite(path) else ()


def _unknown(name: str) -> str:
    """What to tell somebody who asked for an engine that is not there."""
    known = [engine for engine in engine_names() if engine not in _NOT_SERVING]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else "install the package that brings it"
    return f'expected {AUTO} or an installed engine ({", ".join(known)}), got "{name}"; {hint}'


def load_engine(name: str, request: EngineRequest) -> Engine:
    """Open a model in the engine of that name; its answers are not checked, `open_engine` does that.

    Raises:
        EngineError: there is no such engine, it cannot be imported, or it refuses.
    """
    point = _find(name)
    if point is None:
        raise EngineError(f"{request.path}: {_unknown(name)}")
    try:
        opener: Opener = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's module does while it is imported
        raise EngineError(
            f"the engine {name} cannot be imported ({point.value}): {words_of(error)}; "
            "install its package anew"
        ) from error
    try:
        engine = opener(request)
    except (EngineError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a stranger's opener; ours raise nothing else
        raise EngineError(
            f"{request.path}: the engine {name} refuses the model: {words_of(error)}"
        ) from error
    if name in _OWN:
        return engine
    from edgecam.inference.guarded import GuardedEngine

    return GuardedEngine(engine, name)


def _find(name: str) -> EntryPoint | None:
    """Ours first: no package can take the place of an engine of edgecam's."""
    if name in _OWN:
        return _OWN[name]
    return next(iter(entry_points(group=GROUP, name=name)), None)
