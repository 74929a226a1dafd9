"""Which delegate a model gets, and what it runs there: looks at what is there, loads nothing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecam.errors import ModelError
from edgecam.inference.delegates import DELEGATES, Delegate, DelegateUse, find_delegate, get_twin, use_of
from edgecam.inference.presence import find_library
from edgecam.model.digests import digest_of
from edgecam.model.model import Model

log = logging.getLogger(__name__)

AUTO = "auto"
"""The first delegate that is there and suits the model, else the CPU."""
CPU = "cpu"
"""None."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the configuration says."""

    delegate: str = AUTO
    """`auto`, `cpu`, a preset's name, or a library's path."""
    options: Mapping[str, str] | None = None
    """For its library."""

    def check(self) -> None:
        """Raises ValueError: there is no such delegate, or options that nobody would get."""
        if self.delegate not in {AUTO, CPU}:
            use_of(self.delegate, {})

    def placed(self, folder: Path) -> Wish:
        """The same; a relative path of a library is one in `folder`."""
        is_path = "/" in self.delegate
        return Wish(str(folder / self.delegate), self.options) if is_path else self


@dataclass(frozen=True, slots=True)
class Choice:
    """A delegate, and the file that it runs."""

    use: DelegateUse
    model: Path
    sha256: str
    """Of that file, as the card says; empty: no card names it."""


def choose(wish: Wish, model: Model, *, dtype: str, plugged_in: Collection[str]) -> Choice | None:
    """The delegate for a model; None: the CPU.

    What was named is chosen even if it is not there, as it may come; whoever runs it says what is missing.

    Args:
        wish: what the configuration says.
        model: what is to be run.
        dtype: of its input.
        plugged_in: devices, as `find_accelerators` calls them.
    """
    if wish.delegate == CPU:
        return None
    if wish.delegate != AUTO:
        return chosen(wish, model)
    for delegate in DELEGATES:
        why = why_not(delegate, model, dtype=dtype, plugged_in=plugged_in)
        if not why:
            return _chosen(use_of(delegate.name, {}), model)
        # Who has plugged it in wants to know.
        level = logging.INFO if set(delegate.devices) & set(plugged_in) else logging.DEBUG
        log.log(level, "delegate passed over model=%s delegate=%s reason=%s", model.name, delegate.name, why)
    # Somebody means to have it: it may be plugged in yet, or come up after us when the machine starts.
    awaited = next((delegate for delegate in DELEGATES if _is_prepared_for(delegate, model, dtype)), None)
    return None if awaited is None else _chosen(use_of(awaited.name, {}), model)


def chosen(wish: Wish, model: Model) -> Choice:
    """The delegate that a wish names, there or not.

    Raises:
        ValueError: it names none.
    """
    return _chosen(use_of(wish.delegate, wish.options or {}), model)


def why_not(delegate: Delegate, model: Model, *, dtype: str, plugged_in: Collection[str]) -> str:
    """Why `auto` would pass over a delegate, and what to do; empty: it would take it."""
    if not delegate.automatic:
        return f"is used only where it is named; say delegate: {delegate.name}"
    if delegate.devices and not set(delegate.devices) & set(plugged_in):
        return f"no device is there; plug in {' or '.join(delegate.devices)}"
    if delegate.libraries and find_library(delegate.libraries) is None:
        return f"its library is not there ({', '.join(delegate.libraries)}); {delegate.get_library}"
    return _unsuited(delegate, model, dtype)


def unsuited(model: Model, *, dtype: str, plugged_in: Collection[str]) -> list[tuple[str, str]]:
    """The delegates whose device and library are there, and why the model is not for them."""
    there = [one for one in DELEGATES if set(one.devices) & set(plugged_in) and find_library(one.libraries)]
    whys = [(delegate.name, _unsuited(delegate, model, dtype)) for delegate in there]
    return [(name, why) for name, why in whys if why]


def lacks_twin(name: str, model: Model) -> str:
    """Why a delegate that is named cannot run a model for want of its twin; empty: it may."""
    delegate = find_delegate(name)
    return "" if delegate is None or not delegate.twin else _fault_of_twin(delegate, model)


def _is_prepared_for(delegate: Delegate, model: Model, dtype: str) -> bool:
    """The model has a twin for it, and its library is installed."""
    is_there = bool(delegate.twin) and find_library(delegate.libraries) is not None
    return is_there and delegate.automatic and not _unsuited(delegate, model, dtype)


def _unsuited(delegate: Delegate, model: Model, dtype: str) -> str:
    """Why the model does not suit it; empty: it does."""
    if not delegate.twin:
        return "" if dtype in delegate.dtypes else f"the model takes {dtype}; use one of {delegate.suits}"
    return _fault_of_twin(delegate, model)


def _fault_of_twin(delegate: Delegate, model: Model) -> str:
    choice = _chosen(use_of(delegate.name, {}), model)
    if not choice.sha256:
        return f"the card names no twin for it; {get_twin(delegate.name, choice.model.name)}"
    is_it = _sha256(choice.model) == choice.sha256
    return "" if is_it else f"{choice.model.name} is not the file that the card names; fetch it again"


def _chosen(use: DelegateUse, model: Model) -> Choice:
    if not use.twin:
        return Choice(use, model.path, model.sha256)
    twin = model.card.twins.get(use.name)
    if twin is None:
        return Choice(use, model.path.with_stem(model.path.stem + use.twin), "")
    return Choice(use, model.path.with_name(twin.file), twin.sha256)


def _sha256(path: Path) -> str:
    try:
        return digest_of(path)
    except ModelError:
        return ""
