"""Label groups: many fine classes under the name that a user would give them."""

from __future__ import annotations

from pathlib import Path

from edgecam.model.fields import read_fields


def read_groups(path: Path, *, classes: int, offset: int) -> dict[str, tuple[int, ...]]:
    """Read a `groups.yaml`: group name to output indices.

    Args:
        path: the file; each entry is `name: {about: text, classes: [indices]}`, an index counting the
            lines of labels.txt from 0.
        classes: outputs of the network.
        offset: the card's background offset, added to each index.

    Raises:
        ModelError: a fault in the file, or an index that has no label.
    """
    fields = read_fields(path)
    groups = {}
    for name in fields:
        entry = fields.section(name)
        entry.only(("about", "classes"))
        entry.text("about", "")
        groups[name] = tuple(index + offset for index in entry.integers("classes", below=classes - offset))
    return groups
