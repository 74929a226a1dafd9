"""edgecam and what a user would pick instead, on the same model and pictures: run in turn, as a table.

Alone: `PYTHONPATH=scripts python -m benchmarks.contenders`. scripts/bench calls `measure`, too.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.contender import WARM_UP_S, Job, Outcome
from benchmarks.environment import ROOT, NotInstallable, environment, last_line
from benchmarks.rows import LIMIT, Round, Row, rows_of, table
from benchmarks.uint8_model import write_uint8_package

MEDIAPIPE = "MediaPipe Tasks, live stream"
NAIVE = "naive loop"
_MODEL = ROOT / "models" / "efficientnet_lite0_int8"
_PHOTOS = ROOT / "tests" / "data"
_MEDIAPIPE_PINS = ("mediapipe==1.2.2", "numpy==2.4.6")
_PILLOW_PIN = "pillow==13.0.0"
_WINDOWS = 4
# How much larger than a window the photograph is made.
_ROOM = 1.1
# Starting, importing and loading, on a slow board.
_START_S = 60.0


class ContenderError(Exception):
    """A contender failed; the text is what it said last."""


@dataclass(frozen=True)
class Contender:
    """A name for the table, and how to run it once."""

    name: str
    run: Callable[[Job], Outcome]


def child(name: str, module: str, *, python: Path | str = sys.executable) -> Contender:
    """A contender that is a module of this folder, run in a process of its own."""

    def run(job: Job) -> Outcome:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
        command = [python, "-m", f"benchmarks.{module}", *job.arguments]
        limit_s = _START_S + WARM_UP_S + job.seconds
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=environ, timeout=limit_s
            )
        except subprocess.TimeoutExpired as error:
            raise ContenderError(f"did not end within {limit_s:g} s") from error
        if done.returncode:
            raise ContenderError(last_line(done.stderr) or f"exit {done.returncode}")
        return Outcome(**json.loads(last_line(done.stdout)))

    return Contender(name, run)


def known_contenders(*, folder: Path | None = None) -> list[Contender]:
    """Those of this folder, the limit first; what cannot be installed is left out, aloud.

    Args:
        folder: where the environments are kept; default `.venvs`.
    """
    found = [
        child(LIMIT, "bare_invoke"),
        child("edgecam's chain alone", "edgecam_chain"),
        child("edgecam, published over MQTT", "edgecam_live"),
    ]
    # The runtime and numpy that edgecam has here, so that only the loop differs.
    same = tuple(f"{name}=={importlib.metadata.version(name)}" for name in ("ai-edge-litert", "numpy"))
    others = (
        (NAIVE, "naive_loop", (*same, _PILLOW_PIN), "import PIL.Image"),
        (MEDIAPIPE, "mediapipe_live", _MEDIAPIPE_PINS, "from mediapipe.tasks.python import vision"),
    )
    for name, module, pins, proof in others:
        try:
            python = environment(f"bench-{module}", pins, proof=proof, folder=folder)
        except NotInstallable as error:
            _skip(name, f"{', '.join(pins)} cannot be used here: {error}")
        else:
            found.append(child(name, module, python=python))
    return found


def measure(
    contenders: Sequence[Contender],
    *,
    size_px: tuple[int, int] = (640, 480),
    fps: float = 30,
    repeats: int = 5,
    seconds: float = 5,
    model: Path | None = None,
) -> list[Row]:
    """Run all in turn, `repeats` rounds: paced, then as fast as each can; one thread each.

    Args:
        contenders: the limit among them; one that fails is left out, aloud.
        size_px: width and height of the pictures.
        fps: of the paced source.
        repeats: how many rounds.
        seconds: of each run; there are two a contender and round.
        model: a `.tflite` with uint8 ends; None builds one of the shipped model.

    Raises:
        ContenderError: the limit itself failed, so there is nothing to compare with.
    """
    rounds: dict[str, list[Round]] = {one.name: [] for one in contenders}
    with tempfile.TemporaryDirectory(prefix="edgecam-bench-") as name:
        pictures = Path(name) / "pictures.npy"
        np.save(pictures, windows_of_photos(size_px))
        file = model or write_uint8_package(_MODEL, Path(name) / "model")
        job = Job(model=file, pictures=pictures, fps=fps, seconds=seconds)
        for _ in range(repeats):
            for one in contenders:
                if one.name not in rounds:
                    continue
                try:
                    rounds[one.name].append(Round(one.run(job), one.run(replace(job, fps=0))))
                except ContenderError as error:
                    if one.name == LIMIT:
                        raise
                    del rounds[one.name]
                    _skip(one.name, str(error))
    return rows_of(rounds)


def windows_of_photos(size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """The tests' photographs by turns, in several windows each: (count, height, width, 3), RGB."""
    width_px, height_px = size_px
    windows = []
    for number in range(_WINDOWS):
        for path in sorted(_PHOTOS.glob("*.jpg")):
            photo = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
            if photo is None:
                raise ValueError(f"{path}: is no picture")
            factor = _ROOM * max(width_px / photo.shape[1], height_px / photo.shape[0])
            large = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB), None, fx=factor, fy=factor)
            left = (large.shape[1] - width_px) * number // (_WINDOWS - 1)
            top = (large.shape[0] - height_px) // 2
            windows.append(large[top : top + height_px, left : left + width_px])
    return np.asarray(np.stack(windows), np.uint8)


def _skip(name: str, reason: str) -> None:
    print(f"SKIPPED: {name}: {reason}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run; two a contender and round")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--model", type=Path, help="a .tflite with uint8 ends; default: the shipped model's")
    rows = measure(known_contenders(), **vars(parser.parse_args()))
    print(table(rows))
    for row in rows:
        used = ", ".join(f"{package} {version}" for package, version in row.versions.items())
        print(f"{row.contender}: best class of each picture {row.answers}; {used}")


if __name__ == "__main__":
    main()
