"""What is generated from the schema: the reference in Markdown, and the JSON Schema for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator

from edgecam.config.words import Schema, config_schema, expected, resolved

_HEAD = """\
<!-- Generated from edgecam/config/schema.py by scripts/generate_docs.py: change it there. -->

# Configuration

One YAML file. `config.yaml` in this repository holds every key with its default; leave out what you do not
change: a key that is absent, or has nothing after its colon, keeps its default. An empty file is the default
configuration: one camera `main` on `picamera2:0`. A file with `cameras` has just those. The models
`default` and `light` are always there, unless the file describes them otherwise.

`edgecam check` prints every value with its origin. What is wrong is told all at once, as
`file:line:column: key: expected …, got …`, and ends the program with exit code 78.

## Where values come from

The first that is there counts:

1. `--set cameras.main.fps=10`, as often as you like; a new camera may be made that way.
2. The environment: `EDGECAM_MQTT__URL` is `mqtt.url`; two underscores separate the keys, in upper or lower
   case. Of the variables without two underscores only those of single values at the top count
   (`EDGECAM_BUDGET_MS`), and `EDGECAM_CONFIG`, which names the file.
3. The file: the one that `--config` names, else `$EDGECAM_CONFIG`, else `./config.yaml`, else
   `/etc/edgecam/config.yaml`. That one is the installed service's, which only root and the service may read:
   for others it cannot be used, and the defaults do not take its place. `edgecam check` and `edgecam doctor`
   say which file they judge, and whether the service goes by another one.
4. The default.

The values of `--set` and of the environment are read like unquoted YAML (`10`, `true`, `null`); one that
begins with a bracket, a brace or a quote is read as YAML (`[640, 480]`, `{cat: {enter: 0.7}}`, `"5"`). A map
given so replaces the whole map.

Relative paths refer to the folder of the file; without a file, to the working directory. A
model that is not found there is looked for among the shipped ones.

## The form of the file

UTF-8, at most 1 MB. Unquoted values follow YAML 1.2: only `true` and `false` are booleans (`on`, `yes` and
`no` are texts), `1e3` is a number, `12:30` is a text. A text that ends in a colon needs quotes: `"pattern:"`.
Anchors and aliases (`&a`, `*a`) work. Duplicate keys, merge keys (`<<`), tags (`!`), more than 32 levels and
more than 20,000 values are refused.

## Secrets

No password stands in the file, on the command line or in the environment. `mqtt.password_file` names a file
that holds the password alone; without it the systemd credential `mqtt-password`
(`LoadCredential=mqtt-password:/etc/edgecam/mqtt-password`) is used if there is one.
"""
_TABLE = "| key | type | default | meaning |\n|---|---|---|---|"


def json_schema() -> Schema:
    """The JSON Schema of `config.yaml` (draft 2020-12), for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **config_schema()}


def markdown() -> str:
    """The reference: how values are found, then a table per block."""
    blocks = (_block(name, schema) for name, schema in _blocks("", config_schema()))
    return "\n".join([_HEAD, *blocks])


def _blocks(name: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """A block and, after it, those that it holds; the name of a map's key stands in angle brackets."""
    schema = resolved(schema)
    yield name, schema
    for key, part in schema["properties"].items():
        below = f"{name}.{key}".lstrip(".")
        entries = part.get("additionalProperties")
        if "$ref" in part:
            yield from _blocks(below, part)
        elif isinstance(entries, dict) and "$ref" in entries:
            yield from _blocks(f"{below}.<{_ENTRY_NAMES.get(key, 'name')}>", entries)


_ENTRY_NAMES = {"cameras": "id", "watch": "label"}


def _block(name: str, schema: Schema) -> str:
    title = f"`{name}`" if name else "The keys at the top"
    rows = "\n".join(_row(key, part, schema) for key, part in schema["properties"].items())
    return f"## {title}\n\n{schema['description']}\n\n{_TABLE}\n{rows}\n"


def _row(key: str, part: Schema, block: Schema) -> str:
    if "$ref" in part:
        default = "its keys below"
    else:
        default = "required" if key in block.get("required", []) else f"`{_default(part)}`"
    # Pydantic leaves out a description that repeats the block's own.
    meaning = str(part.get("description") or resolved(part).get("description")).replace("\n", " ")
    if examples := part.get("examples"):
        meaning += f" For example {', '.join(f'`{_yaml(example)}`' for example in examples)}."
    return f"| `{key}` | {expected(part)} | {default} | {meaning} |"


def _default(part: Schema) -> str:
    """The default; of a map's entry only what an entry must have."""
    value = part["default"]
    entries = part.get("additionalProperties")
    if value and isinstance(entries, dict):
        needed = resolved(entries)["required"]
        value = {name: {key: entry[key] for key in needed} for name, entry in value.items()}
    return _yaml(value)


def _yaml(value: object) -> str:
    """A value in YAML's flow style."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
