"""Candidates are measured on the device that counts; the work for a wanted time is read off them."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from edgecam.compress.latency_target import CommandDevice, ThisMachine, macs_within, measure_ms
from edgecam.errors import EdgecamError, UnusableError

MODELS = Path(__file__).parents[2] / "models"


def python(code: str, *more: str) -> str:
    """A command that runs a line of Python."""
    return shlex.join([sys.executable, "-c", code, *more])


def test_the_work_lies_between_the_candidates_around_the_wanted_time() -> None:
    """Half the time of a network whose time is its work is half the work, in whatever order they come."""
    measured = [(8_000_000, 8.0), (1_000_000, 1.0), (2_000_000, 2.0)]
    assert macs_within(4.0, measured) == pytest.approx(4_000_000, rel=1e-6)


def test_a_network_that_is_fast_enough_stays_whole() -> None:
    """No work is taken away for a time that is reached already."""
    assert macs_within(50.0, [(8_000_000, 8.0), (1_000_000, 1.0)]) == 8_000_000


def test_noise_does_not_make_a_wider_network_quicker() -> None:
    """A candidate measured quicker than a narrower one counts as slow as that."""
    found = macs_within(3.0, [(8_000_000, 8.0), (4_000_000, 1.9), (2_000_000, 2.0), (1_000_000, 1.0)])
    assert 4_000_000 < found < 8_000_000


def test_a_time_out_of_reach_is_told_with_the_figures() -> None:
    """Whoever asks for the impossible hears what would be possible."""
    with pytest.raises(EdgecamError, match=r"0\.5 ms are out of reach.*1\.00 M MACs, takes 1 ms"):
        macs_within(0.5, [(8_000_000, 8.0), (1_000_000, 1.0)])


def test_a_command_gets_the_path_as_one_word() -> None:
    """A folder with blanks, quotes and dollars in its name is no part of the command's syntax."""
    code = "import sys; print(len(sys.argv) if sys.argv[1].endswith('$(x) \\'y.tflite') else 'no')"
    strange = Path("/nowhere/a b/$(x) 'y.tflite")
    assert CommandDevice(python(code), rounds=1).measure([strange]) == [2.0]


def test_the_path_takes_the_place_that_is_kept_for_it() -> None:
    """A command whose last word is not the file names the place."""
    code = "import sys; print(4.5 if sys.argv[1:] == ['--model=/m.tflite', '--json'] else 'no')"
    device = CommandDevice(python(code, "--model={file}", "--json"), rounds=1)
    assert device.measure([Path("/m.tflite")]) == [4.5]


def test_the_median_of_a_command_s_rounds_counts(tmp_path: Path) -> None:
    """One slow round is not believed, and the candidates have their turns forwards and backwards."""
    log = tmp_path / "log"
    code = (
        f"import sys; f = open({str(log)!r}, 'a+'); f.write(sys.argv[1] + ' '); f.seek(0); "
        "said = f.read().split(); print(99 if len(said) == 1 else 2 if sys.argv[1] == 'a' else 3)"
    )
    assert CommandDevice(python(code), rounds=3).measure([Path("a"), Path("b")]) == [2.0, 3.0]
    assert log.read_text().split() == ["a", "b", "b", "a", "a", "b"]


def test_what_bench_prints_is_understood() -> None:
    """`ssh pi edgecam bench … --json` needs no further tool."""
    report = {"parts": [{"figures": {"invoke_p50_ms": {"value": 7.25}}}, {"figures": {}}]}
    code = f"print({json.dumps(report)!r})"
    assert CommandDevice(python(code), rounds=1).measure([Path("m.tflite")]) == [7.25]


def test_bench_itself_is_such_a_command() -> None:
    """As the class tells it to be called, on a bare file."""
    bench = shlex.join([sys.executable, "-m", "edgecam", "bench", "{file}", "--threads", "1", "--json"])
    device = CommandDevice(f"{bench} --rounds 1 --seconds 0.1", rounds=1)
    (found,) = device.measure([MODELS / "efficientnet_lite0_160_int8" / "model.tflite"])
    assert found > 0


@pytest.mark.parametrize(
    "said",
    [
        "",
        "fast",
        "0",
        "-3",
        "nan",
        "Infinity",
        "null",
        "[1]",
        '{"parts": []}',
        '"3"',
        400 * "9",
        99_999 * "[",
    ],
)
def test_what_is_no_time_is_refused(said: str) -> None:
    """Nothing but a positive number of milliseconds is taken for one."""
    with pytest.raises(UnusableError, match="it has to print milliseconds"):
        CommandDevice(python(f"print({said!r})"), rounds=1).measure([Path("m.tflite")])


def test_a_command_that_fails_tells_why() -> None:
    """The reason that a remote device gave reaches the user."""
    code = "import sys; print('no route to pi', file=sys.stderr); sys.exit(3)"
    with pytest.raises(UnusableError, match="exit code 3: no route to pi"):
        CommandDevice(python(code), rounds=1).measure([Path("m.tflite")])


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/nowhere/at-all", "cannot be started"),
        ("ssh 'pi", "cannot be split into words"),
        (" ", "is empty"),
    ],
)
def test_a_command_that_is_none_is_refused(command: str, why: str) -> None:
    """A typing error is told, with the command."""
    with pytest.raises(UnusableError, match=why):
        CommandDevice(command).measure([Path("m.tflite")])


@pytest.mark.timeout(60)
def test_a_command_that_hangs_is_ended_with_all_that_it_started() -> None:
    """A shell's child that keeps the pipe open does not keep edgecam."""
    device = CommandDevice("sh -c 'sleep 600 & sleep 600'", rounds=1, timeout_s=0.3)
    with pytest.raises(UnusableError, match=r"did not end within 0\.3 s"):
        device.measure([Path("m.tflite")])


def test_this_machine_measures_files_in_memory() -> None:
    """Every candidate gets a time of its own, in the order in which they were given."""
    whole, light = (
        (MODELS / name / "model.tflite").read_bytes()
        for name in ("efficientnet_lite0_int8", "efficientnet_lite0_160_int8")
    )
    found = measure_ms(ThisMachine(rounds=3, seconds=0.05), [whole, light])
    assert len(set(found)) == 2
    assert min(found) > 0
