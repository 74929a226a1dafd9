"""Write what is generated: the reference and JSON Schema of the configuration, and the text of --help."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from edgecam.cli import app
from edgecam.config.reference import json_schema, markdown

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        DOCS / "configuration.md": markdown(),
        DOCS / "schemas" / "config.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False)
        + "\n",
        ROOT / "edgecam" / "help.txt": help_text(),
    }


def help_text() -> str:
    """What the parser prints for `edgecam --help`, 80 columns wide."""
    return str(CliRunner().invoke(app, ["--help"], prog_name="edgecam", env={"COLUMNS": "80"}).stdout)


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
