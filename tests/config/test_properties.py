"""Whatever the input, the loader gives a configuration or problems that say where they are."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgecam.config.loader import load_config
from edgecam.errors import ConfigError, Problem

DEFAULT = (Path(__file__).parents[2] / "config.yaml").read_bytes()
KEYS = sorted({*re.findall(r"^ *([a-z_]+):", DEFAULT.decode(), re.MULTILINE), "<<", "cat", "porch"})
SIGNS = [
    b"\t",
    b"\n",
    b": ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"&a ",
    b"*a",
    b"- ",
    b"!x ",
    b'"',
    b"\0",
    b"\xff",
    b"%",
    b"?",
]

# Correctness is tested here, not speed: a busy machine must not fail it.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(KEYS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner)
    ),
    max_leaves=20,
)


def problems(path: Path | None, *, sets: tuple[str, ...] = ()) -> list[Problem]:
    """The problems of a configuration; none if it loads."""
    try:
        load_config(path, sets=sets, environ={})
    except ConfigError as error:
        return error.problems or [Problem(where="", path="", text="an error without a problem")]
    return []


def load(content: bytes) -> None:
    """Load a file, and check that each of its problems has a line and a column inside it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.write_bytes(content)
        for problem in problems(path):
            line, column = map(int, problem.where.removeprefix(f"{path}:").split(":"))
            assert 1 <= line <= len(content) + 1
            assert column >= 1
            assert problem.text


@given(st.binary(max_size=300))
@UNHURRIED
def test_random_bytes_never_crash_the_loader(content: bytes) -> None:
    """Any file may be named by mistake."""
    load(content)


@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@,# \n\t\\01~<.", max_size=80))
@UNHURRIED
def test_random_yaml_signs_never_crash_the_loader(text: str) -> None:
    """Small texts made of YAML's own signs reach every corner of the parser."""
    load(text.encode())


@given(values)
@UNHURRIED
def test_random_yaml_never_crashes_the_loader(value: object) -> None:
    """Any value may stand at any key."""
    load(yaml.safe_dump(value, allow_unicode=True).encode())


@given(st.data())
@UNHURRIED
def test_a_damaged_default_file_never_crashes_the_loader(data: st.DataObject) -> None:
    """Cut, doubled and overwritten places of a real file."""
    content = DEFAULT
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.integers(0, 30))
        patch = data.draw(st.sampled_from([*SIGNS, content[start - 20 : start]]) | st.binary(max_size=3))
        content = content[:start] + patch + content[end:]
    load(content)


@given(st.sampled_from(["cameras.main", "cameras", "mqtt", "log", "models.default"]), values)
@UNHURRIED
def test_any_value_in_any_block_is_accepted_or_located(block: str, value: object) -> None:
    """Validation, not only parsing, keeps to its problems."""
    *above, last = block.split(".")
    tree = {last: value}
    for key in reversed(above):
        tree = {key: tree}
    load(yaml.safe_dump(tree, allow_unicode=True).encode())


@given(st.sampled_from([*KEYS, "cameras.main.fps", "mqtt.outbox.max_events", "cameras.x.source"]), st.text())
@UNHURRIED
def test_any_flag_is_accepted_or_names_itself(key: str, value: object) -> None:
    """A `--set` of any text: a configuration, or problems."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        path.touch()
        assert {problem.where for problem in problems(path, sets=(f"{key}={value}",))} <= {"--set"}
