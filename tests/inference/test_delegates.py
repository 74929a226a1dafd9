"""The table of accelerators, and what a configuration may make of it."""

from __future__ import annotations

import pytest

from edgecam.inference.delegates import DELEGATES, Delegate, use_of


@pytest.mark.parametrize("delegate", DELEGATES, ids=lambda delegate: delegate.name)
def test_each_preset_says_where_its_library_comes_from(delegate: Delegate) -> None:
    """Who lacks one is told how to come by it, and which models it runs."""
    use = use_of(delegate.name, {})
    assert use.libraries or use.engine == "compiled", "which finds its own"
    assert use.remedy
    assert delegate.suits


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
