"""What each ImageNet class is called: WordNet's first word for it, mended where that would mislead.

A mended name is another of the class's own words, or the first word with its sense added. No label equals
a group's name, and no two labels differ by case alone: both are what a user writes into a configuration.
"""

from __future__ import annotations

MENDED = {
    7: "rooster",
    21: "kite (bird)",
    134: "crane (bird)",
    248: "husky",
    263: "Pembroke Welsh corgi",
    264: "Cardigan Welsh corgi",
    296: "polar bear",
    313: "walking stick (insect)",
    321: "admiral butterfly",
    322: "ringlet butterfly",
    323: "monarch butterfly",
    332: "Angora rabbit",
    339: "sorrel horse",
    383: "ring-tailed lemur",
    387: "red panda",
    408: "amphibious vehicle",
    436: "station wagon",
    458: "memorial tablet",
    517: "crane (machine)",
    553: "filing cabinet",
    639: "tank suit",
    673: "computer mouse",
    680: "nipple (of a bottle)",
    681: "notebook computer",
    714: "plectrum",
    724: "pirate ship",
    726: "carpenter's plane",
    738: "flowerpot",
    751: "race car",
    769: "ruler",
    782: "CRT screen",
    840: "mop",
    881: "upright piano",
    897: "washing machine",
    947: "edible mushroom",
    968: "tea cup",
    989: "rose hip",
    990: "horse chestnut",
    998: "ear of grain",
}


def label(index: int, words: str) -> str:
    """The label of class `index`, whose WordNet words are `words`, comma-separated."""
    return MENDED.get(index, words.partition(",")[0].strip())
