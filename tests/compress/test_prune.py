"""A network becomes narrower in rounds, to a target of work or of time, and learns to do without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

WHY = "the extra compress is not installed: scripts/check-compress runs this"
torch = pytest.importorskip("torch", reason=WHY)
pytest.importorskip("torch_pruning", reason=WHY)
pytest.importorskip("litert_torch", reason=WHY)

from taught_network import made_pictures, taught  # noqa: E402

from edgecam.compress import latency_search  # noqa: E402
from edgecam.compress.channels import Importance  # noqa: E402
from edgecam.compress.checkpoint import load, save  # noqa: E402
from edgecam.compress.network import design_of  # noqa: E402
from edgecam.compress.prune import PruneSettings, epochs_of_rounds, prune  # noqa: E402
from edgecam.compress.training import Progress, accuracy  # noqa: E402
from edgecam.errors import EdgecamError, UsageError  # noqa: E402
from edgecam.model.graph import read_graph  # noqa: E402

PICTURES = made_pictures(256, seed=1)
OTHERS = made_pictures(200, seed=2)
HOW: dict[str, Any] = {"epochs": 4, "batch": 32, "learning_rate": 3e-3, "augmentation": None}


class WorkIsTime:
    """A device on which a million multiply-accumulates take ten milliseconds, and nothing else counts."""

    def measure(self, candidates: Sequence[Path]) -> list[float]:
        """As `Device.measure`, of files that hold a number of multiply-accumulates."""
        return [int(path.read_text()) / 1e5 for path in candidates]


@pytest.fixture
def quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Export takes seconds: here a file is its number of multiply-accumulates."""
    monkeypatch.setattr(
        latency_search, "network_to_tflite", lambda network, **_: b"%d" % design_of(network).macs
    )


def pruned(device: Any = None, told: Any = None, **settings: Any) -> Any:
    """The network that was taught, after pruning."""
    return prune(taught(), PICTURES, PruneSettings(**{**HOW, **settings}), seed=1, device=device, told=told)


@pytest.mark.parametrize("importance", list(Importance))
def test_a_third_of_the_work_tells_the_pictures_as_well(importance: Importance, tmp_path: Path) -> None:
    """The target is kept, the network still knows, and it is a checkpoint like any other."""
    made = pruned(macs=0.33, importance=importance)
    assert 0.2 * taught().design.macs < made.design.macs <= 0.33 * taught().design.macs
    save(made, tmp_path)
    network = load(tmp_path).network()
    assert accuracy(network, OTHERS, made.mean, made.std) > 0.95


def test_a_target_above_one_is_a_number_of_macs() -> None:
    """Whoever knows what the device can do says so."""
    assert 110_000 < pruned(macs=150_000, epochs=1, rounds=1).design.macs <= 150_000


def test_each_round_takes_its_share_and_is_recorded() -> None:
    """By the same factor each time, and half of the learning comes after the last."""
    heard: list[Progress] = []
    made = pruned(macs=0.25, told=heard.append)
    record = made.steps[-1]
    work = [record["macs_before"], *(entry["macs"] for entry in record["rounds"])]
    assert [entry["epochs"] for entry in record["rounds"]] == [1, 1, 2]
    for number, left in enumerate(work):
        assert 0.6 < left / (work[0] * 0.25 ** (number / 3)) <= 1
    assert record["step"] == "prune"
    assert work[-1] == made.design.macs
    done = [progress.done for progress in heard]
    assert done == sorted(done)
    assert done[-1] == 1
    assert {progress.stage for progress in heard} == {f"round {number} of 3" for number in (1, 2, 3)}


def test_the_same_seed_gives_the_same_network() -> None:
    """The same channels go, and what is left learns the same."""
    first, second = (pruned(macs=0.5, epochs=2).state for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.usefixtures("quick_export")
def test_a_target_of_time_is_kept_as_measured() -> None:
    """The widest that is in time on the device that counts; told beside the whole network's time."""
    made = pruned(WorkIsTime(), ms=1.2, epochs=2, rounds=2, int8=False)
    assert 80_000 < made.design.macs <= 120_000
    measured = made.steps[-1]["measured"]
    assert measured[0] == {"macs": taught().design.macs, "ms": round(taught().design.macs / 1e5, 4)}
    assert {"macs": made.design.macs, "ms": round(made.design.macs / 1e5, 4)} in measured


@pytest.mark.usefixtures("quick_export")
def test_a_time_out_of_reach_is_told_before_anything_is_learnt() -> None:
    """With what would be in reach."""
    heard: list[Progress] = []
    with pytest.raises(EdgecamError, match=r"0\.01 ms are out of reach"):
        pruned(WorkIsTime(), told=heard.append, ms=0.01, int8=False)
    assert heard == []


@pytest.mark.usefixtures("quick_export")
def test_a_device_that_becomes_slower_meanwhile_is_told() -> None:
    """A network that misses its time is not handed out as if it had kept it."""

    class Tired(WorkIsTime):
        factor = 1.0

        def measure(self, candidates: Sequence[Path]) -> list[float]:
            found = [ms * self.factor for ms in super().measure(candidates)]
            self.factor *= 10
            return found

    with pytest.raises(EdgecamError, match=r"took 1\.2 ms or less .* let the device do nothing else"):
        pruned(Tired(), ms=1.2, epochs=2, rounds=2, int8=False)


def test_what_is_measured_is_int8() -> None:
    """The time of the model that will run, not of the one that learns."""
    seen: list[str] = []

    class Device:
        def measure(self, candidates: Sequence[Path]) -> list[float]:
            seen.extend(read_graph(path).inputs[0].dtype for path in candidates)
            return [1.0 for _ in candidates]

    def narrow(_network: Any, _macs: int) -> Any:
        raise EdgecamError("no narrower")

    network = taught().network()
    search = latency_search.LatencySearch(2.0, Device(), narrow)
    assert search.work_within(network) == taught().design.macs
    assert seen == ["int8"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, "one target: macs or ms"),
        ({"macs": 0.5, "ms": 3.0}, "one target: macs or ms"),
        ({"macs": -1.0}, "a target above 0"),
        ({"macs": 0.5, "rounds": 0}, "at least 1 round"),
        ({"macs": 0.5, "least_share": 0.0}, "a least share above 0"),
    ],
)
def test_a_setting_without_sense_is_refused(wrong: dict[str, Any], why: str) -> None:
    """Before anything is done."""
    with pytest.raises(UsageError, match=why):
        pruned(**wrong)


@pytest.mark.parametrize(
    ("epochs", "rounds", "expected"),
    [(12, 3, [3, 3, 6]), (5, 1, [5]), (4, 3, [1, 1, 2]), (2, 3, [0, 0, 2]), (7, 2, [3, 4])],
)
def test_how_epochs_are_shared_out(epochs: int, rounds: int, expected: list[int]) -> None:
    """None is lost, and the last round has half of them or more."""
    assert epochs_of_rounds(epochs, rounds) == expected
