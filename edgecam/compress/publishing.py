"""The models of a recipe as model directories that a configuration can name, with all that led to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgecam.compress.report_words import COLUMNS, row, settings
from edgecam.model.card_text import card_text
from edgecam.model.staging import check_free, copy_file, publish, staged, write_text
from edgecam.model.store import CARD_FILE, load_model

_README = "README.md"
_HISTORY = "network_history.json"
_PROVENANCE = "PROVENANCE.md"
"""For a model whose README says how to build something of it."""


def publish_model(
    source: Path, models: Path, report: Mapping[str, Any], step: str, *, history: Sequence[Mapping[str, Any]]
) -> Path:
    """Put a step's model beside the others of its recipe, in the place of an older one.

    Args:
        source: the model directory that the step made.
        models: the folder of model directories.
        report: of the recipe.
        step: which.
        history: what was done to its network, in full, as the checkpoint tells it.

    Returns:
        The model directory.

    Raises:
        ModelError: it cannot be read or written.
    """
    name = f"{report['recipe']}_{step}"
    place = check_free(models, name, force=True)
    with staged(models, name) as folder:
        for file in sorted(source.iterdir()):
            if file.is_file() and file.name != CARD_FILE:
                copy_file(file, folder / file.name)
        card = load_model(source).card
        way = ", ".join(f"{entry['name']} ({entry['kind']})" for entry in lineage(report, step))
        card = replace(card, name=name, source=f"{card.source}; recipe {report['recipe']}: {way}")
        write_text(folder / CARD_FILE, card_text(card))
        readme = _README if not (folder / _README).exists() else _PROVENANCE
        write_text(folder / _HISTORY, json.dumps(history, indent=1, ensure_ascii=False) + "\n")
        write_text(folder / readme, "\n".join(_readme(report, step, card.licence, card.source)))
        load_model(folder)
        publish(folder, place)
    return place


def left_behind(models: Path, report: Mapping[str, Any]) -> list[Path]:
    """Model directories of this recipe that its report does not tell of: an earlier run made them.

    Args:
        models: the folder of model directories.
        report: of the recipe.
    """
    told = {f"{report['recipe']}_{entry['name']}" for entry in report["steps"]}
    return [place for place in sorted(models.glob(f"{report['recipe']}_*")) if place.name not in told]


def lineage(report: Mapping[str, Any], step: str) -> list[Mapping[str, Any]]:
    """All steps that led to one, teachers among them, in their order; that one is the last."""
    by_name = {entry["name"]: entry for entry in report["steps"]}
    wanted: set[str] = set()
    open_names = [step]
    while open_names:
        entry = by_name[open_names.pop()]
        wanted.add(entry["name"])
        open_names += [name for name in (entry["from"], entry["teacher"]) if name and name not in wanted]
    return [entry for entry in report["steps"] if entry["name"] in wanted]


def _readme(report: Mapping[str, Any], step: str, licence: str, source: str) -> Iterator[str]:
    steps = lineage(report, step)
    entry = steps[-1]
    yield f"# {report['recipe']}_{step}\n"
    yield f"Made by `edgecam compress run` with the recipe {report['recipe']}. Its step `{step}` gave:\n"
    yield "| | |\n|---|---|"
    for column, cell in zip(COLUMNS[2:], row(entry, report["steps"][0])[2:], strict=True):
        if cell:
            yield f"| {column} | {cell} |"
    seeds = report["seeds"]
    mean = f"the mean over the seeds {_listed(seeds)} with its standard deviation" if seeds[1:] else "that"
    yield (
        f"\nAccuracy is {mean} on {entry['accuracy']['pictures']} test pictures; all else is of this model, "
        f"seed {seeds[0]}. Latency was measured on: {report['machine'].get('cpu') or 'an unknown CPU'}, "
        f"threads: {report['timing']['threads']}; speed: times as fast as the recipe's first step.\n"
    )
    yield "## How it was made\n"
    for number, made in enumerate(steps, start=1):
        yield f"{number}. {_deed(made)}"
    yield f"\n`{_HISTORY}` has what was done to the network, with every setting in force.\n"
    yield "## Of what\n"
    for name, pictures in report["pictures"].items():
        yield f"- {name} pictures: {pictures['count']}, sha256 `{pictures['sha256']}`"
    yield f"- seed: {report['seeds'][0]}"
    yield f"- versions: {', '.join(f'{name} {version}' for name, version in report['versions'].items())}"
    yield f"- weights: {source}"
    yield f"- licence of the weights: {licence}\n"


def _deed(step: Mapping[str, Any]) -> str:
    """One step, its settings and what else is to be told."""
    begun = f" of `{step['from']}`" if step["from"] else ""
    taught = f", taught by `{step['teacher']}`" if step["teacher"] else ""
    return "; ".join([f"`{step['name']}`: {step['kind']}{begun}{taught} ({settings(step)})", *step["notes"]])


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
