"""Prints what edgecam depends on, one requirement a line: for scripts that install without edgecam itself.

usage: dependencies.py [--without NAME]...
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path


def main() -> None:
    """Read pyproject.toml beside this folder and print."""
    parser = argparse.ArgumentParser(description="Print edgecam's dependencies.")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave this one out")
    without = parser.parse_args().without
    pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
    requirements: list[str] = pyproject["project"]["dependencies"]
    left = [line for line in requirements if not line.startswith(tuple(without))]
    if len(left) != len(requirements) - len(without):
        parser.error(f"pyproject.toml does not name each of {without} exactly once")
    print("\n".join(left))


if __name__ == "__main__":
    main()
