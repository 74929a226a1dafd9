"""WordNet's nouns: which word means which synset, and what each synset is a kind of.

Reads the plain files of Debian's package wordnet-base (format: wndb(5WN)). An ImageNet class id such as
n02123045 is `n` and the synset's byte offset in data.noun of WordNet 3.0.
"""

from __future__ import annotations

from pathlib import Path

_HYPERNYMS = ("@", "@i")


class Nouns:
    """WordNet's noun hierarchy.

    Args:
        folder: holds `data.noun` and `index.noun`.
    """

    def __init__(self, folder: Path) -> None:
        self._senses = dict(map(_parse_index, _lines(folder / "index.noun")))
        self._parents = dict(map(_parse_synset, _lines(folder / "data.noun")))

    def synset(self, name: str) -> str:
        """The id of `word#sense`, as in `cat#1`: the first meaning of cat.

        Raises:
            KeyError: no such word or sense.
        """
        word, _, sense = name.partition("#")
        try:
            return self._senses[word][int(sense) - 1]
        except (KeyError, IndexError):
            raise KeyError(f"WordNet has no noun {name}") from None

    def ancestry(self, synset: str) -> frozenset[str]:
        """The synset itself and everything that it is a kind of."""
        found: set[str] = set()
        waiting = [synset]
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting.extend(self._parents[current])
        return frozenset(found)


def _lines(path: Path) -> list[str]:
    # The licence stands at the top of each file, indented by blanks.
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")]


def _parse_index(line: str) -> tuple[str, list[str]]:
    fields = line.split()
    count = int(fields[2])
    return fields[0], [f"n{offset}" for offset in fields[-count:]]


def _parse_synset(line: str) -> tuple[str, list[str]]:
    fields = line.partition(" | ")[0].split()
    words = int(fields[3], 16)
    pointers = fields[4 + 2 * words + 1 :]
    steps = zip(pointers[0::4], pointers[1::4], strict=False)
    return f"n{fields[0]}", [f"n{target}" for symbol, target in steps if symbol in _HYPERNYMS]
