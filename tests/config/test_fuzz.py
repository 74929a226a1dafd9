"""No configuration file brings out a traceback: some hundred files here, more by scripts/fuzz-config."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzzing import configuration
from fuzzing.config_mutations import mutated_config, seeds
from fuzzing.configuration import Broken, Verdict, fuzz, judge, judge_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecam.errors import ConfigError, Problem
from edgecam.pipeline.orders import OrderBook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_holds_or_is_refused_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And some hold: files that are all refused at the first byte would prove nothing."""
    assert fuzz(folder, inputs=400, commands=2, rng=random.Random(5)) == 0  # noqa: S311 - no secret
    held = int(capsys.readouterr().out.split(" files, ")[1].split()[0])
    assert 10 < held < 390


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(seeds()), st.randoms(use_true_random=False))
def test_no_mutation_escapes(folder: Path, seed: str, rng: random.Random) -> None:
    """Held or refused with a place, in bounded time; a failing file is made small."""
    path = folder / "config.yaml"
    path.write_bytes(mutated_config(seed, rng))
    judge(path)


@pytest.mark.parametrize("text", seeds())
def test_the_files_that_are_mutated_hold(folder: Path, text: str) -> None:
    """A seed that is refused would hide what lies behind its fault."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    assert judge(path) is Verdict.HOLDS


@pytest.mark.parametrize(
    ("failure", "found"),
    [
        (KeyError("oh"), "an exception escaped: KeyError"),
        (ConfigError([Problem(where="config.yaml", path="", text="bad")]), "without a line and a column"),
    ],
)
def test_the_fuzzer_tells(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, found: str
) -> None:
    """The check itself can fail."""

    def verified(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(configuration, "verified", verified)
    with pytest.raises(Broken, match=found):
        judge(folder / "config.yaml")


def test_the_fuzzer_tells_of_a_command_with_another_verdict(folder: Path) -> None:
    """The command and the process judge alike."""
    path = folder / "config.yaml"
    path.write_text("budget_ms: x\n", encoding="utf-8")
    judge_command(path, Verdict.REFUSED)
    with pytest.raises(Broken, match="ended with 78"):
        judge_command(path, Verdict.HOLDS)


def test_a_file_that_is_too_large_is_refused_where_it_gets_too_large(folder: Path) -> None:
    """A place in it, as for every other fault."""
    path = folder / "config.yaml"
    path.write_text("device: a\n" + "#" * 1_000_000, encoding="utf-8")
    assert judge(path) is Verdict.REFUSED


def test_a_model_that_is_not_there_is_refused_where_it_is_named(folder: Path) -> None:
    """The path is the configuration's fault, not the model's."""
    path = folder / "config.yaml"
    path.write_text("models:\n  default: {path: nowhere}\n", encoding="utf-8")
    assert judge(path) is Verdict.REFUSED


@pytest.mark.parametrize("mqtt", ["{username: me, password_file: nowhere}", "{tls: {ca: nowhere}}"])
def test_a_file_that_is_not_there_is_refused_where_it_is_named(folder: Path, mqtt: str) -> None:
    """By `check`, and by a run that starts or takes up a change."""
    path = folder / "config.yaml"
    path.write_text(
        f"device: a\nmqtt: {mqtt.removesuffix('}')}, url: 'mqtts://broker.example'}}\n", encoding="utf-8"
    )
    assert judge(path) is Verdict.REFUSED
    with pytest.raises(ConfigError, match=rf"^{path}:2:[0-9]+: mqtt\..*nowhere"):
        OrderBook(path, sets=[], environ={}).read()
