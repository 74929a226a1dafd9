"""From the configuration to workers: who shares an engine, which ladders stand, what reaches the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgecam.config.hours import ALWAYS, Schedule, parse_window
from edgecam.config.loader import load_config
from edgecam.config.schema import CameraConfig
from edgecam.decision.watchlist import Watchlist
from edgecam.errors import ConfigError
from edgecam.pipeline.assembly import CameraPlan, Plan, assemble
from edgecam.pipeline.build import camera_settings, families
from edgecam.pipeline.lane import Rung

NO_NAMES = Watchlist((), {})


def camera(name: str, models: Sequence[str]) -> CameraPlan:
    """A plan of which only the ladder counts."""
    plan = object.__new__(CameraPlan)
    object.__setattr__(plan, "camera", name)
    object.__setattr__(plan, "rungs", tuple(Rung(model, NO_NAMES) for model in models))
    return plan


def grouped(ladders: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """The families' cameras by name."""
    found = families([camera(name, models) for name, models in ladders.items()])
    return [{one.camera for one in family} for family in found]


def test_cameras_that_share_a_model_share_an_engine_and_others_do_not() -> None:
    """One interpreter per model, whoever uses it: memory is what a small board has least of."""
    assert grouped({"a": ["x"], "b": ["y"], "c": ["x"]}) in ([{"a", "c"}, {"b"}], [{"b"}, {"a", "c"}])


def test_cameras_are_joined_by_way_of_others() -> None:
    """`a` and `b` have nothing in common but a camera that can step down to the model of either."""
    assert grouped({"a": ["x"], "b": ["y"], "c": ["x", "y"]}) == [{"a", "b", "c"}]


ladders = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=3, unique=True),
    max_size=8,
)


@given(ladders)
def test_families_are_a_partition_in_which_all_is_connected_and_nothing_between(
    ladders: dict[str, list[str]],
) -> None:
    """Each camera is served once, and each model is in one place; who shares nothing waits for nobody."""
    found = grouped(ladders)
    assert sorted(name for family in found for name in family) == sorted(ladders)
    models = [{model for name in family for model in ladders[name]} for family in found]
    assert all(one.isdisjoint(other) for one, other in combinations(models, 2))
    for family in found:
        reached, before = {min(family)}, set[str]()
        while reached != before:
            before = set(reached)
            known = {model for name in before for model in ladders[name]}
            reached |= {name for name in family if known & set(ladders[name])}
        assert reached == family


class Setting:
    """Three tiny models in a folder: two of the same labels, one of others with the same groups."""

    def __init__(self, folder: Path, tiny: ModuleType) -> None:
        self._folder = folder
        for name, labels in (
            ("big", ("cat", "dog", "cup", "rocket")),
            ("small", ("cat", "dog", "cup", "rocket")),
            ("other", ("lion", "dog", "plate", "plane")),
        ):
            tiny.write_folder(folder / name, tiny.Tiny(), labels=labels)

    def plan(self, camera: dict[str, Any], **top: Any) -> Plan:
        """What `assemble` makes of a configuration with this one camera."""
        config = {
            "cameras": {"porch": {"source": "v4l2:/dev/video0", **camera}},
            "models": {name: {"path": name} for name in ("big", "small", "other")},
            **top,
        }
        path = self._folder / "config.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return assemble(load_config(path, environ={}))

    def only(self, camera: dict[str, Any], **top: Any) -> CameraPlan:
        """Its one camera."""
        [one] = self.plan(camera, **top).cameras
        return one

    def problem(self, camera: dict[str, Any]) -> tuple[str, str]:
        """The one problem of a configuration: the text at its place, key and words."""
        with pytest.raises(ConfigError) as caught:
            self.plan(camera)
        [problem] = caught.value.problems
        name, line, column = problem.where.rsplit(":", 2)
        assert Path(name).name == "config.yaml"
        at = (self._folder / "config.yaml").read_text(encoding="utf-8").splitlines()[int(line) - 1]
        return at[int(column) - 1 :], f"{problem.path}: {problem.text}"


@pytest.fixture
def setting(tmp_path: Path, tiny: ModuleType) -> Setting:
    """The models, and configurations beside them."""
    return Setting(tmp_path, tiny)


def test_a_ladder_of_the_same_labels_stands_best_first(setting: Setting) -> None:
    """Each rung watches the same names; a model that no camera uses is not even loaded."""
    plan = setting.plan({"model": ["big", "small"]})
    [porch] = plan.cameras
    assert [rung.model for rung in porch.rungs] == ["big", "small"]
    assert porch.rungs[0].watchlist.names == porch.rungs[1].watchlist.names == ("cat", "dog", "cup", "rocket")
    assert list(plan.models) == ["big", "small"]


def test_a_ladder_of_other_labels_is_refused_with_its_place_and_remedy(setting: Setting) -> None:
    """Else a step would end every episode, and subscribers would meet labels that they do not know."""
    at, words = setting.problem({"model": ["big", "other"]})
    assert at.startswith("model:")
    assert words == (
        "cameras.porch.model: expected a ladder of models with the same labels, or labels and groups in "
        'watch that each of them has; "other" has other labels than "big"'
    )


def test_watched_names_that_each_rung_has_reconcile_other_labels(setting: Setting) -> None:
    """Groups and common labels mean the same on each; their members are each model's own."""
    porch = setting.only({"model": ["big", "other"], "watch": {"thing": {}, "dog": {}}})
    assert [rung.watchlist.names for rung in porch.rungs] == [("thing", "dog")] * 2


def test_a_watched_name_that_one_rung_lacks_is_refused_by_the_name_of_that_model(setting: Setting) -> None:
    """The place is that of the name, not of the ladder."""
    at, words = setting.problem({"model": ["big", "other"], "watch": {"pet": {}, "cat": {}}})
    assert at.startswith("cat")
    assert words.startswith('cameras.porch.watch.cat: other: the model has no label or group "cat"')


def test_a_rung_that_stands_twice_is_refused_at_its_place(setting: Setting) -> None:
    """A step from a model to itself is none."""
    at, words = setting.problem({"model": ["big", "small", "big"]})
    assert at.startswith("model:")
    assert words == 'cameras.porch.model: expected each model once, got "big" again'


def test_a_rung_that_is_no_model_is_refused_at_its_place(setting: Setting) -> None:
    """With the names that there are."""
    _, words = setting.problem({"model": ["big", "tiny"]})
    assert words.startswith("cameras.porch.model: expected one of the names in models (big, small, other,")


@pytest.mark.parametrize(
    ("window", "got"),
    [("mon-fri 25:00-18:00", "25:00"), ("monday 08:00-18:00", "monday"), ("08:00-08:00", "08:00-08:00")],
)
def test_a_window_that_is_none_is_refused_at_its_place(setting: Setting, window: str, got: str) -> None:
    """By file, line and column, with what was read there."""
    at, words = setting.problem({"schedule": ["06:00-07:00", window]})
    assert at.startswith("schedule:")
    assert words.startswith("cameras.porch.schedule")
    assert got in words


def test_schedule_gate_and_weight_reach_the_plan(setting: Setting) -> None:
    """In the units of the workers."""
    porch = setting.only(
        {
            "model": "big",
            "schedule": ["mon-fri 07:30-18:00", "sat 10:00-12:00"],
            "gate": "motion",
            "gate_area": 0.05,
            "gate_max_s": 20.0,
            "weight": 2.5,
            "budget_ms": 150,
            "max_fps": 10.0,
        },
        starve_s=3.0,
    )
    windows = tuple(parse_window(text) for text in ("mon-fri 07:30-18:00", "sat 10:00-12:00"))
    assert porch.schedule == Schedule(windows)
    assert porch.gate is not None
    assert porch.gate == replace(porch.gate, area=0.05, max_ns=20_000_000_000)
    policy = porch.policy
    assert (policy.weight, policy.budget_ns, policy.min_interval_ns) == (2.5, 150_000_000, 100_000_000)
    assert (policy.starve_ns, policy.lossless) == (3_000_000_000, False)


def test_the_main_stream_is_asked_for_only_where_somebody_wants_its_pictures() -> None:
    """It costs memory and work, whether it is looked at or not."""
    config = CameraConfig(source="picamera2:0", main_size=(1920, 1080))
    for wanted, size_px in ((True, (1920, 1080)), (False, None)):
        settings = camera_settings(config, folder=Path(), wants_pictures=wanted)
        assert (settings.size_px, settings.main_size_px) == ((640, 480), size_px)


def test_without_a_word_a_camera_works_always_and_looks_at_everything(setting: Setting) -> None:
    """Saving is asked for."""
    porch = setting.only({"model": "big"})
    assert porch.schedule is ALWAYS
    assert porch.gate is None
    assert porch.policy.weight == 1
    assert porch.policy.budget_ns == 200_000_000
