"""Puts an accelerator beside a model's engine on the CPU, where there is one for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from edgecam.appliance.accelerators import find_accelerators
from edgecam.config.schema import ModelConfig
from edgecam.inference.child_process import Order
from edgecam.inference.choice import AUTO, CPU, Choice, Wish, choose, lacks_twin
from edgecam.inference.delegates import find_delegate
from edgecam.inference.engine import Engine
from edgecam.inference.engines import TFLITE
from edgecam.inference.isolated import Change, IsolatedEngine
from edgecam.inference.presence import find_library, stamp
from edgecam.inference.self_test import synthetic_tensor
from edgecam.model.model import Model

# Others have accelerators of their own.


def wish_of(config: ModelConfig, folder: Path) -> Wish:
    """What the configuration says of a model's delegate."""
    options = {name: str(value) for name, value in config.delegate_options.items()}
    return Wish(config.delegate, options).placed(folder)


def strange_wishes(config: ModelConfig, model: Model) -> Iterator[tuple[str, str]]:
    """What cannot be meant: the key, and what was expected."""
    try:
        Wish(config.delegate).check()
    except ValueError as error:
        yield "delegate", str(error)
        return
    is_named = config.delegate not in {AUTO, CPU}
    if is_named and (config.engine not in {AUTO, *TFLITE} or model.path.suffix != ".tflite"):
        yield (
            "delegate",
            f"expected {AUTO} or {CPU}: delegates are for .tflite files in {' or '.join(TFLITE)}",
        )
    if config.delegate_options and not is_named:
        yield "delegate_options", "expected none unless delegate names the one that they are for"


def vain_wishes(config: ModelConfig, model: Model) -> Iterator[tuple[str, str]]:
    """What can be meant and comes to nothing as things are, since the CPU will serve: the key, and why."""
    why = lacks_twin(config.delegate, model)
    if why:
        yield "delegate", f"the CPU will serve in the place of {config.delegate}: {why}"


def with_delegate(
    cpu: Engine, model: Model, wish: Wish, *, timeout_ms: int | None, told: Callable[[Change], None]
) -> Engine:
    """The engine itself, or one that has an accelerator serve in its place whenever that works.

    Args:
        cpu: open and tested; it is closed with what is returned.
        model: what it runs.
        wish: which delegate.
        timeout_ms: how long an inference may take; None: as the rule says.
        told: hears what serves, from any thread.

    Raises:
        EngineError: the CPU fails.
    """
    if cpu.info.runtime not in TFLITE:
        return cpu
    choice = choose(wish, model, dtype=cpu.input.dtype, plugged_in=find_accelerators())
    if choice is None:
        return cpu
    own = choice.use.engine == "litert"
    order = Order(
        choice.model,
        choice.sha256,
        cpu.info.runtime if own else choice.use.engine,
        choice.use,
        cpu.info.threads,
        cpu.input,
        cpu.output,
    )
    known = synthetic_tensor(model.card.input, cpu.input)
    try:
        return IsolatedEngine(
            cpu,
            order,
            known=known,
            told=told,
            timeout_ms=timeout_ms,
            signs=partial(_signs, choice),
            is_seen=partial(_is_seen, choice),
        )
    except BaseException:
        cpu.close()
        raise


def _signs(choice: Choice) -> object:
    """What is there of device, library and model; while it stays the same, so will a reason that lasts."""
    paths = [Path(name) for name in choice.use.libraries if "/" in name]
    return (
        find_accelerators(),
        find_library(choice.use.libraries),
        [stamp(path) for path in (*paths, choice.model)],
    )


def _is_seen(choice: Choice) -> bool:
    """False: the kernel shows none of its devices."""
    preset = find_delegate(choice.use.name)
    return preset is None or not preset.devices or not set(preset.devices).isdisjoint(find_accelerators())
