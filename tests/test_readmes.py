"""The two READMEs say the same, as far as that can be told without reading both languages."""

from __future__ import annotations

import re
from pathlib import Path

from edgecam.config.loader import load_config

ROOT = Path(__file__).parents[1]
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """The lines of all code blocks, without their comments."""
    blocks = re.findall(r"```(?:sh|yaml)\n(.*?)```", text, re.DOTALL)
    return [line.split("  #")[0].rstrip() for block in blocks for line in block.splitlines()]


def rows(text: str) -> list[int]:
    """How many rows each table has, heading by heading."""
    return [len(re.findall(r"^\| ", part, re.MULTILINE)) for part in text.split("\n## ")]


def links(text: str) -> set[str]:
    """What is linked to, but for the other language."""
    return set(re.findall(r"\]\(([^)]+)\)", text)) - {"README.md", "README.zh-CN.md"}


def test_both_readmes_have_the_same_commands_tables_and_links() -> None:
    """Whoever changes one of them changes the other."""
    assert commands(ENGLISH) == commands(CHINESE)
    assert rows(ENGLISH) == rows(CHINESE)
    assert links(ENGLISH) == links(CHINESE)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """A newcomer follows them."""
    assert len(links(ENGLISH)) > 10
    assert [link for link in links(ENGLISH) if not (ROOT / link.split("#")[0]).exists()] == []


def test_every_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    """A newcomer copies them as they stand."""
    blocks = re.findall(r"```yaml\n(.*?)```", ENGLISH, re.DOTALL)
    assert len(blocks) > 1
    for block in blocks:
        file = tmp_path / "config.yaml"
        file.write_text(block, encoding="utf-8")
        assert load_config(file, sets=(), environ={}).path == file
