"""Every key of a recipe: which steps lead from pictures to models, and what each may cost.

The steps stand in the order in which they are done; each names the step whose network it goes on from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from edgecam.config.schema import Block, Text
from edgecam.config.tree import Path as Keys

Family = Literal["mobilenet_v2", "efficientnet_lite0", "efficientnet_b0", "micro_mobilenet"]
SchemeName = Literal["int8", "int16x8", "float16", "dynamic"]
Kind = Literal["train", "transfer", "prune", "distil", "qat", "quantize", "tiny"]
"""What a step does."""

KINDS: tuple[Kind, ...] = ("train", "transfer", "prune", "distil", "qat", "quantize", "tiny")
STARTS = frozenset({"train", "transfer"})
"""Kinds that go on from no other step."""
NETWORKS = frozenset({"train", "transfer", "prune", "distil", "qat"})
"""Kinds that make a network which others can go on from."""


# The smallest networks that see something take some hundred thousand.
_LEAST_MACS = 10_000
_PERCENT = 100
# Of the three targets of pruning.
_ALL_BUT_ONE = 2


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError("expected a name of a-z, 0-9, _ and -, the first no sign")
    return name


Name = Annotated[str, Field(max_length=60), AfterValidator(_check_name)]
Points = Annotated[float, Field(ge=0, le=100)]
Epochs = Annotated[int, Field(ge=1, le=1000)]
Rate = Annotated[float, Field(gt=0, le=10)]


def _check_macs(macs: float) -> float:
    if not 1 < macs < _LEAST_MACS:
        return macs
    meant = f"for {macs:g} % write {macs / 100:g}" if macs < _PERCENT else "for a half write 0.5"
    raise ValueError(f"{macs:g} means {macs:g} multiply-accumulates, which is no network; {meant}")


Macs = Annotated[float, Field(gt=0), AfterValidator(_check_macs)]


class Learning(Block):
    """How a network learns; what a step does not say, the step's own default says."""

    epochs: Epochs | None = None
    """How often it sees each picture; null: as the step does by itself."""
    learning_rate: Rate | None = None
    """The highest, which falls to nothing along a cosine; null: as the step does by itself."""
    batch: int = Field(default=32, ge=1, le=1024)
    """Pictures in one step of learning."""
    flip: bool = True
    """Half of the pictures are mirrored by chance; false for what has a left and a right, as writing has."""
    balanced: bool = False
    """All classes count alike, however many pictures each has."""


class TrainStep(Learning):
    """A network from scratch."""

    design: Family = "mobilenet_v2"
    """Its architecture: `edgecam compress architectures` lists them."""
    side_px: int = Field(default=96, ge=16, le=512)
    """The side of the square that it sees, in pixels."""
    width: float | None = Field(default=None, ge=0.1, le=2.0)
    """Factor on its channels, only for `mobilenet_v2` and `micro_mobilenet`; null: the family's own."""


class TransferStep(Learning):
    """A network that somebody trained, taught your classes: its last layer first, then all of it."""

    backbone: Literal["mobilenet_v2", "efficientnet_lite0"] = "efficientnet_lite0"
    """Which; its weights come from a package or from `weights`."""
    weights: Text | None = None
    """A file of weights; null: those of the installed package."""
    side_px: int = Field(default=224, ge=32, le=512)
    """The side of the square that it sees, in pixels."""
    frozen_epochs: int | None = Field(default=None, ge=0, le=1000)
    """Epochs in which only the last layer learns; null: as the step does by itself."""


class PruneStep(Learning):
    """Whole channels go, the least needed first, in rounds with learning between; one target is needed.

    With `sparsity`, single weights go instead, which makes an archive smaller and nothing else.
    """

    macs: Macs | None = None
    """Multiply-accumulates that may be left: up to 1 a share of those before, above that their number."""
    ms: Annotated[float, Field(gt=0)] | None = None
    """Milliseconds that one inference may take as int8, on this machine or by `measure_with`."""
    sparsity: float | None = Field(default=None, gt=0, lt=1)
    """The share of single weights that become zero: no channel goes, and the network is as large and slow."""
    measure_with: Text | None = None
    """A command that gets a `.tflite`'s path and prints the milliseconds that it takes on another device."""
    rounds: int = Field(default=3, ge=1, le=100)
    """In how many rounds."""
    importance: Literal["taylor", "magnitude", "batch_norm"] = "taylor"
    """What a channel is worth: by what the loss would feel of its going, by its weights, or by its scale."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if [self.macs, self.ms, self.sparsity].count(None) != _ALL_BUT_ONE:
            raise ValueError("expected one of macs, ms and sparsity")
        return self


class DistilStep(Learning):
    """The network learns from a teacher's answers beside the labels."""

    teacher: Name
    """The step whose network teaches."""
    temperature: float = Field(default=4.0, ge=1, le=100)
    """How far the teacher's answers are softened."""
    weight: float = Field(default=0.7, ge=0, le=1)
    """The teacher's share beside the labels'."""
    unlabelled: Text | None = None
    """A folder of pictures without labels, of your own camera, that the teacher labels softly."""


class QatStep(Learning):
    """The network learns with the roundings of int8 in it; for what plain quantization loses."""


class QuantizeStep(Block):
    """Smaller numbers."""

    scheme: SchemeName = "int8"
    """`int8`, `int16x8`, `float16`, or `dynamic`."""
    pictures: int = Field(default=100, ge=1, le=100_000)
    """How many of the training pictures show it how far its numbers go."""


class TinyStep(Block):
    """C sources for a microcontroller, of an int8 model, which is run in TFLite Micro, too."""


class Step(Block):
    """One step: what it goes on from, what it may cost, and just one of the things to do."""

    source: Name | None = Field(default=None, alias="from")
    """The step whose result this one goes on from; `train` and `transfer` go on from none."""
    max_loss_points: Points | None = None
    """Percentage points of accuracy that it may lose against that; null: the recipe's `max_loss_points`."""
    train: TrainStep | None = None
    """A network from scratch."""
    transfer: TransferStep | None = None
    """A network that somebody trained, taught your classes."""
    prune: PruneStep | None = None
    """Fewer channels."""
    distil: DistilStep | None = None
    """Taught by a larger network."""
    qat: QatStep | None = None
    """Taught to be int8."""
    quantize: QuantizeStep | None = None
    """Smaller numbers."""
    tiny: TinyStep | None = None
    """C sources for a microcontroller."""

    @model_validator(mode="before")
    @classmethod
    def _bare_deed(cls, data: Any) -> Any:
        """`tiny:` with nothing behind it is the deed with its defaults."""
        if not isinstance(data, dict):
            return data
        return {key: {} if value is None and key in KINDS else value for key, value in data.items()}

    @model_validator(mode="after")
    def _one_deed(self) -> Self:
        found = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(found) != 1:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got {' and '.join(found) or 'none'}")
        return self

    @property
    def kind(self) -> Kind:
        """What it does."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def settings(self) -> Block:
        """How."""
        block: Block = getattr(self, self.kind)
        return block

    @property
    def teacher(self) -> str | None:
        """The other step that it needs."""
        return None if self.distil is None else self.distil.teacher


class Pictures(Block):
    """Labelled pictures: folders of class folders, or CSVs with the columns `path` and `label`."""

    train: Text
    """What networks learn from, and what quantization looks at."""
    test: Text
    """What accuracy is measured on; no network sees them before."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.train == self.test:
            raise ValueError(
                "train and test are the same; accuracy on pictures that were learnt says nothing"
            )
        return self


class Timing(Block):
    """How latency is measured: all models in turns, in one process, on this machine."""

    rounds: int = Field(default=7, ge=1, le=100)
    """How often each model has its turn; every other round goes backwards."""
    seconds: float = Field(default=0.3, ge=0.01, le=60)
    """Of each turn."""
    threads: int = Field(default=1, ge=1, le=64)
    """Of the engine."""


class Recipe(Block):
    """From pictures to models, step by step."""

    name: Name
    """What its models' names begin with."""
    pictures: Pictures
    out: Text
    """The folder for results, report and models."""
    seeds: list[Annotated[int, Field(ge=0, le=2**31 - 1)]] = Field(
        default=[1, 2, 3], min_length=1, max_length=20
    )
    """Each step is done once for each: what differs is chance. The first one's models are kept."""
    max_loss_points: Points = 2.0
    """Percentage points of accuracy that a step may lose, the mean over the seeds; more ends the recipe."""
    licence: Text = "not stated"
    """Of the weights of networks that are trained from scratch, for the models' cards."""
    source: Text = "trained from scratch with edgecam compress"
    """Where those come from, for the models' cards."""
    timing: Timing = Timing()
    steps: dict[Name, Step] = Field(min_length=1)
    """By name, in the order in which they are done."""

    def network_of(self, name: str) -> str:
        """The step that made the network of a step's model: itself, or one that it went on from."""
        step = self.steps[name]
        while step.kind not in NETWORKS and step.source is not None:
            name, step = step.source, self.steps[step.source]
        return name

    @model_validator(mode="after")
    def _each_step_stands_on_another(self) -> Self:
        problems = [*self._faults()]
        if problems:
            text = "; ".join(f"{'.'.join(map(str, keys))}: {reason}" for keys, reason in problems)
            raise PydanticCustomError("several", "{text}", {"text": text, "problems": problems})
        return self

    def _faults(self) -> Iterator[tuple[Keys, str]]:
        if len(set(self.seeds)) < len(self.seeds):
            yield ("seeds",), "expected each seed once"
        above: dict[str, Step] = {}
        for name, step in self.steps.items():
            place: Keys = ("steps", name)
            if step.kind in STARTS and step.source is not None:
                yield (*place, "from"), f"{step.kind} goes on from no other step; leave this out"
            if step.kind not in STARTS:
                wanted = {"quantize"} if step.kind == "tiny" else NETWORKS
                yield from _stands(above, step.source, wanted, (*place, "from"))
            if step.teacher is not None:
                yield from _stands(above, step.teacher, NETWORKS, (*place, "distil", "teacher"))
            above[name] = step


def _stands(
    above: dict[str, Step], name: str | None, wanted: frozenset[str] | set[str], keys: Keys
) -> Iterator[tuple[Keys, str]]:
    """What is wrong with a step's word for another one."""
    fitting = [other for other, step in above.items() if step.kind in wanted]
    known = (
        f"expected one of {', '.join(fitting)}"
        if fitting
        else f"a step that does {' or '.join(sorted(wanted))} has to stand above"
    )
    if name is None:
        yield keys, f"this key is missing; {known}"
    elif name not in above:
        yield keys, f'no step "{name}" stands above; {known}'
    elif name not in fitting:
        yield keys, f'"{name}" does {above[name].kind}, from which nothing can go on here; {known}'
