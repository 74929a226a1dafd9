"""Write what is generated from the schema of the configuration: its reference and its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

from edgecam.config.reference import json_schema, markdown

DOCS = Path(__file__).resolve().parent.parent / "docs"


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        DOCS / "configuration.md": markdown(),
        DOCS / "schemas" / "config.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False)
        + "\n",
    }


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
