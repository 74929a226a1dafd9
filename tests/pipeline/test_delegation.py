"""From the keys `delegate` and `delegate_options` to the engine that serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from house import House
from moody_delegate import MoodyDelegate
from numpy.typing import NDArray
from stand_ins import CAT, MS, S, ScriptedEngine

from edgecam.config.loader import LoadedConfig, load_config
from edgecam.errors import ConfigError
from edgecam.inference.choice import Wish, choose
from edgecam.inference.engine import EngineInfo
from edgecam.inference.isolated import Change, IsolatedEngine, Ran
from edgecam.pipeline import delegation
from edgecam.pipeline.assembly import assemble
from edgecam.pipeline.build import kinship, open_served
from edgecam.pipeline.deadline import EngineCalls
from edgecam.reports import NoticeKind

Load = Callable[..., LoadedConfig]
HERE, NPU = EngineInfo("made", "1", "cpu", 1), EngineInfo("made", "1", "npu", 1)


@pytest.fixture
def load(tmp_path: Path, tiny: ModuleType) -> Load:
    """Loads a configuration with one small model; the keys are its own."""

    def with_keys(**keys: Any) -> LoadedConfig:
        (tmp_path / "net.tflite").write_bytes(tiny.make(tiny.Tiny(dtype="uint8")))
        path = tmp_path / "config.yaml"
        config = {
            "cameras": {"a": {"source": "pattern:", "model": ["m"]}},
            "models": {"m": {"path": "net.tflite", **keys}},
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return load_config(path, environ={})

    return with_keys


@pytest.mark.parametrize(
    ("keys", "where", "said"),
    [
        ({"delegate": "corall"}, "models.m.delegate", 'got "corall"; did you mean "coral"?'),
        ({"delegate": "npu.so"}, "models.m.delegate", "or a library's path"),
        ({"delegate_options": {"device": "usb"}}, "models.m.delegate_options", "expected none unless"),
        ({"delegate": "coral", "engine": "onnx"}, "models.m.delegate", "delegates are for .tflite files"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(
    load: Load, keys: dict[str, Any], where: str, said: str
) -> None:
    """A slip of the pen must not run on the CPU in silence."""
    with pytest.raises(ConfigError) as caught:
        assemble(load(**keys))
    [problem] = [problem for problem in caught.value.problems if problem.path == where]
    assert said in problem.text
    assert problem.where.rpartition("config.yaml:")[2].count(":") == 1


@pytest.mark.parametrize("value", [True, [1], {"a": 1}])
def test_an_option_is_a_text_or_a_number(load: Load, value: object) -> None:
    """Libraries disagree on how to write a truth: the user says it in theirs."""
    with pytest.raises(ConfigError, match="delegate_options"):
        load(delegate="coral", delegate_options={"fast": value})


def test_another_delegate_or_option_is_another_engine(load: Load) -> None:
    """A reload must not leave the old one running."""
    kin = []
    for keys in (
        {},
        {"delegate": "cpu"},
        {"delegate": "coral"},
        {"delegate": "coral", "delegate_options": {"device": "usb"}},
    ):
        loaded = load(**keys)
        plan = assemble(loaded)
        kin.append(kinship(loaded, plan, plan.cameras))
    assert [one for one in kin if kin.count(one) > 1] == []


def test_without_an_accelerator_the_engine_is_the_cpus_own(load: Load) -> None:
    """No child, no detour."""
    loaded = load(delegate="cpu")
    with open_served(loaded, assemble(loaded), lambda *_: None, "m") as engine:
        assert not isinstance(engine, IsolatedEngine)


def test_a_named_library_runs_in_a_child_and_says_which_model_it_is_for(load: Load, tmp_path: Path) -> None:
    """Beside the configuration; what it has to say reaches whoever asked."""
    MoodyDelegate(tmp_path)
    loaded = load(delegate="./libmoody.so", delegate_options={"control": "nowhere", "core": 1})
    told: list[tuple[str, Change]] = []
    with open_served(loaded, assemble(loaded), lambda *change: told.append(change), "m") as engine:
        assert isinstance(engine, IsolatedEngine)
        use = engine._keeper._order.delegate
        assert use is not None
        assert use.libraries == (str(tmp_path / "libmoody.so"),)
        assert use.options == {"control": "nowhere", "core": "1"}
        while not told:
            engine.invoke(engine._keeper._known.tensor)
    assert told[0][0] == "m"
    assert "takes over none" in told[0][1].why


def test_a_device_is_seen_as_the_kernel_shows_it(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of a preset's; of a library without a preset, and where nothing can be seen, nobody knows."""
    loaded = load()
    plan = assemble(loaded)
    for plugged_in, wanted, is_seen in (
        ([], "coral", False),
        (["Coral Edge TPU (PCIe)"], "coral", True),
        (["VeriSilicon NPU"], "coral", False),
        ([], "armnn", True),
        ([], "/opt/libnpu.so", True),
    ):
        monkeypatch.setattr(delegation, "find_accelerators", lambda found=plugged_in: found)
        chosen = choose(Wish(wanted), plan.models["m"], dtype="uint8", plugged_in=plugged_in)
        assert chosen is not None
        assert delegation._is_seen(chosen) is is_seen


class Falling(IsolatedEngine):
    """Serves from its accelerator, falls to the CPU on the third frame, and stays there."""

    def __init__(self) -> None:
        self.input, self.output, self.cpu_ns = ScriptedEngine.input, ScriptedEngine.output, 7 * MS
        self.on = [Ran(NPU, is_here=False)] * 2 + [Ran(HERE, is_here=False, is_second=True)]

    @property
    def info(self) -> EngineInfo:
        """What serves the next frame."""
        return self.on[0].info if self.on else HERE

    @property
    def deadline_ns(self) -> int:
        """Of the accelerator."""
        return 3 * S

    def invoke(self, _tensor: NDArray[Any], /) -> NDArray[Any]:
        """A cat."""
        self.ran = self.on.pop(0) if self.on else Ran(HERE)
        return CAT

    def close(self) -> None:
        """Nothing is held."""


def test_each_frame_is_counted_and_timed_for_the_engine_that_ran_it() -> None:
    """What a frame took that had waited for an accelerator in vain foretells nothing of either."""
    house = House()
    house.run(["f" * 6], open_engine=lambda _model: Falling())
    assert house.worker is not None
    names = [result.engine for result in house.fates.results]
    assert names == ["made/npu"] * 2 + ["made/cpu"] * 4
    assert house.lane.ledger.report(now_ns=S).engines == {"made/npu": 2, "made/cpu": 4}
    measured = {name: len(times._window) for name, times in house.worker._times._infer.items()}
    assert measured == {"default@made/npu": 2, "default@made/cpu": 3}
    # The CPU's own time of the test picture, and the three.
    assert house.worker.calls._deadlines["default"]._count == 4


def test_a_fall_to_the_cpu_and_the_way_back_are_told_per_camera() -> None:
    """Once each; that it serves for the first time is no news."""
    house = House()
    worker = house.engine_worker(lambda _model: Falling())
    worker.engine_changed("default", Change(NPU, "", 9, 60))
    assert house.ear.kinds == []
    worker.engine_changed("default", Change(HERE, "unplugged; plug it in"))
    worker.engine_changed("default", Change(NPU, "", 9, 60))
    assert house.ear.kinds == [NoticeKind.ENGINE_FALLBACK, NoticeKind.ENGINE_BACK]
    assert house.ear.notices[0].data == {
        "camera": "a", "model": "default", "engine": "made/cpu", "reason": "unplugged; plug it in",
    }  # fmt: skip
    assert worker.changes["default"].delegated == 9
    assert not worker._rungs.is_settled
    worker._take_up_revisions()
    assert worker._rungs.is_settled


def test_the_time_in_a_child_is_no_hang_of_the_engine_here() -> None:
    """The child has a deadline of its own, after which the CPU needs its time, too."""
    calls = EngineCalls({})
    calls.learn("m", 200 * MS)
    calls.begin("m", elsewhere_ns=3 * S)
    assert calls.allowed_ns == 3 * S + 4 * S
    calls.end()
    calls.begin("m")
    assert calls.allowed_ns == 4 * S
