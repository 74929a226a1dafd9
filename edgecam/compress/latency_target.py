"""How long candidates take on the device that counts, and how much work fits into a wanted time.

A network's time is no simple function of its work: a small layer costs its overhead, and every processor has
widths that it likes. So candidates of several widths are measured, in turns, and the work that takes the
wanted time is read off between them.
"""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecam.compress.latency_command import run_to_end
from edgecam.errors import EdgecamError, UnusableError
from edgecam.inference.bond import how_it_ended
from edgecam.inference.engine import Engine
from edgecam.inference.engines import EngineRequest, load_engine
from edgecam.measure.blocks import run_bare
from edgecam.measure.figures import percentile_ms
from edgecam.records import TensorSpec

PLACE = "{file}"
"""In a command: where the path of the `.tflite` goes; without it, at the end."""
_MOST_SAID_CHARS = 300


class Device(Protocol):
    """Where candidates are measured."""

    def measure(self, candidates: Sequence[Path]) -> list[float]:
        """The median time of one inference of each `.tflite`, in ms; all are measured in turns.

        Raises:
            UnusableError: one of them cannot be measured there.
        """
        ...


@dataclass(frozen=True, slots=True)
class ThisMachine:
    """The machine that this runs on, with LiteRT on its processor."""

    threads: int = 1
    """Of LiteRT."""
    rounds: int = 5
    """How often each candidate has its turn; every other round goes backwards."""
    seconds: float = 0.2
    """Of each turn."""

    def measure(self, candidates: Sequence[Path]) -> list[float]:
        """As `Device.measure`, by bare `invoke()` loops."""
        walls: list[list[float]] = [[] for _ in candidates]
        with ExitStack() as open_engines:
            engines = [
                open_engines.enter_context(load_engine("litert", EngineRequest(path, threads=self.threads)))
                for path in candidates
            ]
            tensors = [_noise(engine.input) for engine in engines]
            for places in _turns(len(candidates), self.rounds):
                for place in places:
                    walls[place].append(_block_ms(engines[place], tensors[place], self.seconds))
        return [statistics.median(rounds) for rounds in walls]


@dataclass(frozen=True, slots=True)
class CommandDevice:
    """Another device, reached by a command that gets a `.tflite`'s path and prints milliseconds.

    The command is split as a shell would, but run without one: the path takes the place of `{file}` in it, or
    else comes last, and stays one word whatever is in it. It prints a number, or what `edgecam bench --json`
    prints. Copying the file over and measuring it may be two commands in one:

        sh -c 'scp -q "$0" pi:/tmp/m.tflite && ssh pi edgecam bench /tmp/m.tflite --threads 1 --json'
    """

    command: str
    rounds: int = 3
    """How often each candidate has its turn; every other round goes backwards."""
    timeout_s: float = 120.0
    """For one run of the command; then it is ended, with all that it started."""

    def measure(self, candidates: Sequence[Path]) -> list[float]:
        """As `Device.measure`."""
        walls: list[list[float]] = [[] for _ in candidates]
        for places in _turns(len(candidates), self.rounds):
            for place in places:
                walls[place].append(self._run(candidates[place]))
        return [statistics.median(rounds) for rounds in walls]

    def _run(self, path: Path) -> float:
        words = self._words(path)
        try:
            ended = run_to_end(words, timeout_s=self.timeout_s)
        except OSError as error:
            raise UnusableError(f"{self._who()} cannot be started: {error.strerror}: {words[0]}") from error
        if ended.code is None:
            raise UnusableError(
                f"{self._who()} did not end within {self.timeout_s:g} s; see whether the device answers, "
                "or let it measure for a shorter time (edgecam bench --rounds, --seconds)"
            )
        if ended.code:
            what = ended.complaint.strip() or ended.said.strip() or "it printed nothing"
            raise UnusableError(
                f"{self._who()} failed with {how_it_ended(ended.code)}: {what[-_MOST_SAID_CHARS:]}"
            )
        return self._milliseconds(ended.said)

    def _words(self, path: Path) -> list[str]:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise UnusableError(f"{self._who()} cannot be split into words: {error}") from error
        if not words:
            raise UnusableError(f"{self._who()} is empty: name a program that prints milliseconds")
        if not any(PLACE in word for word in words):
            words.append(PLACE)
        return [word.replace(PLACE, str(path)) for word in words]

    def _milliseconds(self, said: str) -> float:
        try:
            found = json.loads(said.strip().removesuffix("ms"))
            value = float(found if isinstance(found, (int, float)) else _median_ms(found))
        except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError):
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise UnusableError(
                f"{self._who()} printed {said.strip()[:_MOST_SAID_CHARS]!r}; it has to print milliseconds "
                "and nothing else, as in 12.3, or what edgecam bench … --json prints"
            )
        return value

    def _who(self) -> str:
        return f"the command that measures, `{self.command}`,"


def measure_ms(device: Device, candidates: Sequence[bytes]) -> list[float]:
    """Measure `.tflite` files that are in memory.

    Returns:
        The median of each, in ms.

    Raises:
        UnusableError: one of them cannot be measured there.
    """
    with TemporaryDirectory(prefix="edgecam-") as folder:
        paths = [Path(folder) / f"candidate{place}.tflite" for place in range(len(candidates))]
        for path, data in zip(paths, candidates, strict=True):
            path.write_bytes(data)
        return device.measure(paths)


def macs_within(target_ms: float, measured: Sequence[tuple[int, float]]) -> int:
    """The work that takes a wanted time.

    Args:
        target_ms: the wanted time.
        measured: (MACs, ms) of each candidate, in any order.

    Returns:
        MACs, between those of the candidates, as a straight line on logarithmic axes has it; those of the
        largest candidate if all of them are fast enough.

    Raises:
        EdgecamError: even the smallest candidate takes longer.
    """
    macs, ms = (np.asarray(column, np.float64) for column in zip(*sorted(measured), strict=True))
    if ms[0] > target_ms:
        raise EdgecamError(
            f"{target_ms:g} ms are out of reach: the narrowest candidate, with {macs[0] / 1e6:.2f} M MACs, "
            f"takes {ms[0]:.3g} ms and the whole network {ms[-1]:.3g} ms; allow more time, or take a smaller "
            "architecture or smaller pictures"
        )
    # More work is never quicker: where the measurement says so, it is noise.
    rising = np.maximum.accumulate(ms)
    return round(float(np.exp(np.interp(np.log(target_ms), np.log(rising), np.log(macs)))))


def _turns(count: int, rounds: int) -> list[Sequence[int]]:
    """The places in the order of their turns, a sequence a round."""
    return [range(count) if number % 2 == 0 else range(count - 1, -1, -1) for number in range(rounds)]


def _block_ms(engine: Engine, tensor: NDArray[Any], seconds: float) -> float:
    median = percentile_ms(run_bare(engine, tensor, seconds=seconds).walls_ns, 50)
    assert median is not None  # noqa: S101 - a block has at least one inference
    return median


def _noise(spec: TensorSpec) -> NDArray[Any]:
    """An input with no pattern in it, always the same one."""
    chance = np.random.default_rng(1)
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return chance.standard_normal(spec.shape).astype(dtype)
    limits = np.iinfo(dtype)
    return chance.integers(limits.min, limits.max, spec.shape, dtype=dtype, endpoint=True)


def _median_ms(report: Any) -> Any:
    """Of the first variant in what `edgecam bench --json` printed."""
    return report["parts"][0]["figures"]["invoke_p50_ms"]["value"]
