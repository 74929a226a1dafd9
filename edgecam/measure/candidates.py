"""Which engines could run a model here, and why others cannot be tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgecam.appliance.accelerators import find_accelerators
from edgecam.inference.choice import Wish, chosen, lacks_twin, why_not
from edgecam.inference.contract import check_twin
from edgecam.inference.delegates import DELEGATES, Delegate
from edgecam.inference.engines import engine_for, engine_names, plug_in_names, seen_by
from edgecam.measure.trial import Candidate
from edgecam.model.digests import digest_of
from edgecam.model.graph import is_tflite, read_graph
from edgecam.model.model import Model


@dataclass(frozen=True, slots=True)
class Absent:
    """An engine that was not measured."""

    name: str
    why: str
    """In a line, with what to do."""


def candidates_for(
    model: Model, *, onnx: Path | None, threads: Sequence[int], wish: Wish | None = None
) -> tuple[list[Candidate], list[Absent]]:
    """All engines for a model, the first of them the one that the others are compared with.

    Args:
        model: what is to be run.
        onnx: the same network for ONNX Runtime; None: the twin in the card, or the file beside the model's
            with the ending `.onnx`.
        threads: numbers of threads for the engine that edgecam takes by itself.
        wish: a delegate to be tried whether it seems to be there or not; None: only those that are.

    Raises:
        EngineError: there is none for such a file.
    """
    plug_ins = [Candidate(name) for name in plug_in_names()]
    if not is_tflite(model.path):
        name = engine_for(model.path)
        return [*(Candidate(name, threads=count) for count in threads), *plug_ins], []
    found = [
        *(Candidate("litert", threads=count) for count in threads),
        Candidate("tflite-runtime"),
        Candidate("litert", apart=True),
    ]
    absent = []
    twins = [name for name in model.card.twins if name in engine_names() and name != "onnx"]
    found += [Candidate(name, file=seen_by(name, model).path.resolve()) for name in twins]
    twin = seen_by("onnx", model).path if "onnx" in model.card.twins else model.path.with_suffix(".onnx")
    file = onnx or twin
    if file.is_file():
        found.append(Candidate("onnx", file=file.resolve()))
    else:
        absent.append(Absent("onnx", f"there is no {file.name}; name the same network's file with --onnx"))
    tries = {one.name: partial(_on_delegate, one, model) for one in DELEGATES}
    if wish is not None:
        tries[wish.delegate] = partial(_on_named, wish, model)
    for name, attempt in tries.items():
        candidate, why = attempt()
        if candidate is None:
            absent.append(Absent(name, why))
        else:
            found.append(candidate)
    return [*found, Candidate("tflm"), *plug_ins], absent


def model_for(model: Model, candidate: Candidate) -> Model:
    """The model as the candidate sees it: with the file that it runs, if that is another network's.

    Raises:
        ModelError: that file cannot be read.
        EngineError: it is not the one that the card names.
    """
    if candidate.delegate is not None or candidate.file is None:
        return replace(model, path=model.path.resolve())
    if candidate.engine in model.card.twins:
        twin = seen_by(candidate.engine, model)
        if candidate.file == twin.path.resolve():
            check_twin(twin, candidate.engine)
    return replace(model, path=candidate.file, sha256=digest_of(candidate.file))


def _on_delegate(delegate: Delegate, model: Model) -> tuple[Candidate | None, str]:
    """The candidate, or why there is none; whether one that has to be named is there, only trying tells."""
    dtype = read_graph(model.path).inputs[0].dtype
    if delegate.automatic and (why := why_not(delegate, model, dtype=dtype, plugged_in=find_accelerators())):
        return None, why
    return _on_named(Wish(delegate.name), model)


def _on_named(wish: Wish, model: Model) -> tuple[Candidate | None, str]:
    """The same for what somebody named: nothing but a twin that is missing is known beforehand."""
    if why := lacks_twin(wish.delegate, model):
        return None, why
    choice = chosen(wish, model)
    engine = engine_for(model.path) if choice.use.engine == "litert" else choice.use.engine
    return Candidate(engine, delegate=choice.use, file=choice.model.resolve()), ""
