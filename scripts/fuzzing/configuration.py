"""The loop over mutated configuration files; see scripts/fuzz-config."""

from __future__ import annotations

import argparse
import functools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from unittest import mock

from edgecam.commands.check import verified
from edgecam.errors import EdgecamError
from edgecam.model.store import load_model
from edgecam.pipeline import assembly
from fuzzing.config_mutations import mutated_config, seeds

MOST_S = 10.0
"""So long may one file take, on a busy machine."""
_COMMAND_S = 60.0
_EXIT_CODES = {0, 69, 78}


class Verdict(StrEnum):
    """What became of a file."""

    HOLDS = "holds"
    REFUSED = "refused"


class Broken(Exception):
    """A file that was not treated as it should be; the text tells how."""


def judge(path: Path) -> Verdict:
    """Read one file as `edgecam check` does.

    Raises:
        Broken: refused without a place, an exception of another kind, or too slow.
    """
    try:
        with _deadline():
            verified(path, environ={})
    except EdgecamError as error:
        place = re.compile(re.escape(str(path)) + r":[1-9][0-9]*:[1-9][0-9]*: ")
        lost = [line for line in _sentences(error) if not place.match(line)]
        if lost:
            raise Broken(f"refused without a line and a column: {lost[0][:300]!r}") from error
        return Verdict.REFUSED
    except Exception as error:
        raise Broken(f"an exception escaped: {error!r}"[:500]) from error
    return Verdict.HOLDS


def judge_command(path: Path, expected: Verdict) -> None:
    """Give one file to the real program.

    Raises:
        Broken: a traceback, an exit code that is none of ours, or another verdict than in process.
    """
    command = [sys.executable, "-m", "edgecam", "check", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    if "Traceback" in done.stderr or done.returncode not in _EXIT_CODES:
        raise Broken(f"edgecam check ended with {done.returncode}: {done.stderr[-500:]}")
    if (done.returncode == 0) != (expected is Verdict.HOLDS):
        raise Broken(f"edgecam check ended with {done.returncode}, in process the file {expected}")


def fuzz(folder: Path, *, inputs: int, commands: int, rng: random.Random) -> int:
    """Throw the files; 1 at the first that breaks the rules, which stays in `folder`."""
    # The models are the same each time: what is fuzzed is the way to them.
    remembered = mock.patch.object(assembly, "load_model", functools.lru_cache(load_model))
    path, texts, verdicts = folder / "config.yaml", seeds(), Counter[Verdict]()
    slowest_s, begun_s = 0.0, time.monotonic()
    through_command = set(rng.sample(range(inputs), min(commands, inputs)))
    try:
        remembered.start()
        for number in range(inputs):
            path.write_bytes(mutated_config(rng.choice(texts), rng))
            at_s = time.monotonic()
            verdict = judge(path)
            slowest_s = max(slowest_s, time.monotonic() - at_s)
            verdicts[verdict] += 1
            if number in through_command:
                judge_command(path, verdict)
    except Broken as broken:
        print(f"configuration: input {number}: {broken}\n  the file: {path}")
        return 1
    finally:
        remembered.stop()
    print(
        f"configuration: {inputs} files, {verdicts[Verdict.HOLDS]} hold, {verdicts[Verdict.REFUSED]} refused"
        f" with line and column, {len(through_command)} also through edgecam check; no exception escaped,"
        f" the slowest took {slowest_s:.2f} s; {time.monotonic() - begun_s:.0f} s"
    )
    return 0


def main() -> int:
    """Run it; 1 when a file was not treated as it should be."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz-config")
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--commands", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    wishes = parser.parse_args()
    print(f"seed {wishes.seed}")
    folder = Path(tempfile.mkdtemp(prefix="edgecam-fuzz-"))
    os.chdir(folder)
    code = fuzz(folder, inputs=wishes.inputs, commands=wishes.commands, rng=random.Random(wishes.seed))  # noqa: S311
    if code == 0:
        (folder / "config.yaml").unlink(missing_ok=True)
        folder.rmdir()
    return code


def _sentences(error: EdgecamError) -> list[str]:
    """One for each problem."""
    return [str(problem) for problem in getattr(error, "problems", [])] or [str(error)]


@contextmanager
def _deadline() -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {MOST_S:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, MOST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


if __name__ == "__main__":
    sys.exit(main())
