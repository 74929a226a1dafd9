"""The table of accelerators, and what a configuration may make of it."""

from __future__ import annotations

import pytest

from edgecam.inference.delegates import DELEGATES, Delegate, get_twin, use_of
from edgecam.model.catalogue import find_entry
from edgecam.model.digests import is_digest


@pytest.mark.parametrize("delegate", DELEGATES, ids=lambda delegate: delegate.name)
def test_each_preset_says_where_its_library_comes_from(delegate: Delegate) -> None:
    """Who lacks one is told how to come by it, and which models it runs."""
    use = use_of(delegate.name, {})
    assert use.libraries or use.engine == "compiled", "which finds its own"
    assert use.remedy
    assert delegate.suits


@pytest.mark.parametrize(
    "delegate", [one for one in DELEGATES if one.twin], ids=lambda delegate: delegate.name
)
def test_who_lacks_a_twin_is_told_where_it_goes_and_of_a_model_that_has_one(delegate: Delegate) -> None:
    """The shipped model has none: `delegate: coral` alone would not be all it takes."""
    said = get_twin(delegate.name, "model_x.tflite")
    assert f"put one there as model_x.tflite, and name it under twins: {delegate.name}" in said
    assert said.endswith(f"edgecam models pull {delegate.known_model}") is bool(delegate.known_model)
    if delegate.known_model:
        entry = find_entry(delegate.known_model)
        assert is_digest(entry.model.sha256)
        assert is_digest(entry.twins[delegate.name].sha256)


def test_the_users_options_go_before_the_presets() -> None:
    """What a preset says is a default only."""
    use = use_of("armnn", {"backends": "CpuRef"})
    assert use.options == {"backends": "CpuRef", "logging-severity": "warning"}


def test_a_path_is_any_library() -> None:
    """An accelerator that has no preset needs no release of edgecam."""
    use = use_of("/opt/npu/libnpu.so", {"core": "1"})
    assert (use.name, use.libraries, use.options) == ("external", ("/opt/npu/libnpu.so",), {"core": "1"})


def test_a_name_that_is_neither_is_refused_with_those_that_are() -> None:
    """A slip of the pen must not run on the CPU in silence."""
    with pytest.raises(ValueError, match=r'auto, cpu, coral.*path.*"corral".*"coral"'):
        use_of("corral", {})
