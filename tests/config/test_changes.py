"""What a changed configuration costs a run: every key has its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.config.changes import EFFECTS, Change, Effect, changes, effect_of
from edgecam.config.schema import Config
from edgecam.config.words import Schema, config_schema, resolved

CAMERA = {"source": "pattern:"}


def config(**parts: Any) -> Config:
    """A configuration of one camera, `a`, and of what is given."""
    models = Config().model_dump()["models"]
    return Config.model_validate({"cameras": {"a": CAMERA}, "models": models, **parts})


def told(old: Config, new: Config) -> list[tuple[str, Effect]]:
    """The changes as texts."""
    return [(change.path, change.effect) for change in changes(old, new)]


def schema_keys(schema: Schema, above: str = "") -> Iterator[str]:
    """Every key of the schema that holds a value; cameras and models by `*`."""
    for key, part in resolved(schema)["properties"].items():
        path = f"{above}.{key}".lstrip(".")
        entries = part.get("additionalProperties")
        if "$ref" in part:
            yield from schema_keys(part, path)
        elif key in {"cameras", "models"} and isinstance(entries, dict):
            yield f"{path}.*"
            yield from schema_keys(entries, f"{path}.*")
        else:
            yield path


def test_every_key_of_the_schema_has_an_effect() -> None:
    """Who adds a key says what a change of it costs; none is forgotten."""
    keys = list(schema_keys(config_schema()))
    assert len(keys) > 40
    missing = [key for key in keys if not any(_covers(pattern, key) for pattern in EFFECTS)]
    assert not missing, f"add them to edgecam/config/changes.py: {missing}"
    for key in keys:
        assert effect_of(tuple(key.replace("*", "x").split("."))) in set(Effect)


def test_a_camera_key_is_not_covered_by_its_entry_alone() -> None:
    """`cameras.*` is for cameras that come and go: each key of one names its own effect."""
    keys = [key for key in schema_keys(config_schema()) if key.startswith(("cameras.*.", "models.*."))]
    assert [key for key in keys if key not in EFFECTS] == []


def test_no_effect_is_of_a_key_that_is_no_more() -> None:
    """A key that left the schema leaves the table."""
    keys = list(schema_keys(config_schema()))
    assert [pattern for pattern in EFFECTS if not any(_covers(pattern, key) for key in keys)] == []


def _covers(pattern: str, key: str) -> bool:
    """The pattern is the key, or a block that holds it; an entry covers only itself."""
    return key == pattern or (not pattern.endswith("*") and key.startswith(f"{pattern}."))


def test_an_unknown_key_is_refused() -> None:
    """A table that answers anything would hide a forgotten key."""
    with pytest.raises(KeyError):
        effect_of(("no_such_key",))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({}, {"budget_ms": 100}, [("budget_ms", Effect.LIVE)]),
        (
            {},
            {"cameras": {"a": {**CAMERA, "fps": 5, "roi": [0, 0, 0.5, 0.5]}}},
            [("cameras.a.fps", Effect.CAMERA), ("cameras.a.roi", Effect.LIVE)],
        ),
        (
            {"cameras": {"a": {**CAMERA, "watch": {"cat": {}, "dog": {}}}}},
            {"cameras": {"a": {**CAMERA, "watch": {"cat": {"enter": 0.9}}}}},
            [("cameras.a.watch.cat.enter", Effect.LIVE), ("cameras.a.watch.dog", Effect.LIVE)],
        ),
        (
            {},
            {"cameras": {"b": CAMERA}},
            [("cameras.b", Effect.CAMERA), ("cameras.a", Effect.CAMERA)],
        ),
        (
            {"mqtt": {"tls": {"ca": "a"}, "url": "mqtts://host"}},
            {"mqtt": {"tls": {"ca": "b"}, "url": "mqtts://host"}},
            [("mqtt.tls.ca", Effect.LINK)],
        ),
        ({}, {"mqtt": {"outbox": {"path": "memory"}}}, [("mqtt.outbox.path", Effect.RESTART)]),
    ],
)
def test_what_differs_is_told_by_its_path(
    before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, Effect]]
) -> None:
    """A value by its own path; a camera, a label or a control that came or went as a whole."""
    assert told(config(**before), config(**after)) == expected


LARGE = {"cameras": {"a": {**CAMERA, "main_size": [1920, 1080]}, "b": CAMERA}}
SHOWN = {"mqtt": {"snapshots": {"enabled": True}}}
KEPT = {"history": {"enabled": True}}
KEPT_WITHOUT_PICTURES = {"history": {"enabled": True, "pictures": False}}


@pytest.mark.parametrize(
    ("before", "after", "reopened"),
    [
        ({}, SHOWN, ["cameras.a.main_size"]),
        (SHOWN, {}, ["cameras.a.main_size"]),
        ({}, KEPT, ["cameras.a.main_size"]),
        ({}, KEPT_WITHOUT_PICTURES, []),
        (SHOWN, {**SHOWN, **KEPT}, []),
    ],
)
def test_a_camera_whose_main_stream_comes_to_be_wanted_is_opened_anew(
    before: dict[str, Any], after: dict[str, Any], reopened: list[str]
) -> None:
    """The stream runs only while somebody wants its pictures; a camera without one works on."""
    found = told(config(**LARGE, **before), config(**LARGE, **after))
    assert [path for path, effect in found if effect is Effect.CAMERA] == reopened


def test_a_main_size_that_differs_is_told_once() -> None:
    """Also where pictures come to be wanted at the same time."""
    found = told(config(), config(cameras={"a": {**CAMERA, "main_size": [1920, 1080]}}, **SHOWN))
    assert [path for path, _ in found] == ["cameras.a.main_size", "mqtt.snapshots.enabled"]


cameras = st.fixed_dictionaries(
    {"source": st.just("pattern:")},
    optional={
        "fps": st.sampled_from([5.0, 10.0]),
        "weight": st.sampled_from([1.0, 2.0]),
        "watch": st.dictionaries(st.sampled_from(["cat", "dog"]), st.just({})),
        "model": st.sampled_from(["default", "light"]),
    },
)
configs = st.builds(
    lambda cameras, **parts: config(cameras=cameras, **parts),
    cameras=st.dictionaries(st.sampled_from("abc"), cameras, min_size=1),
    budget_ms=st.sampled_from([100, 200]),
    log=st.sampled_from([{}, {"level": "debug"}]),
)


@given(configs, configs)
def test_what_is_told_is_all_that_differs_and_nothing_else(old: Config, new: Config) -> None:
    """The same configuration differs in nothing; there and back differs in the same places."""
    found = changes(old, new)
    assert changes(new, new) == []
    assert bool(found) == (old != new)
    assert {change.keys for change in changes(new, old)} == {change.keys for change in found}
    assert all(_value(old, change) != _value(new, change) for change in found)


def _value(config: Config, change: Change) -> Any:
    value: Any = config.model_dump(mode="json")
    for key in change.keys:
        value = value.get(key, "absent") if isinstance(value, dict) else "absent"
    return value
