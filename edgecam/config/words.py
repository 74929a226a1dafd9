"""Types and values in words, the same in messages and in the reference; made from the JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from edgecam.config.rules import ID_PATTERN
from edgecam.config.schema import Config
from edgecam.config.source import hide_credentials
from edgecam.config.tree import Path, look_up

_SHOWN_CHARACTERS = 80
_FEW_ITEMS = 8

Schema = dict[str, Any]


@cache
def config_schema() -> Schema:
    """The JSON Schema of the configuration, as pydantic writes it."""
    return Config.model_json_schema(mode="validation")


def inlined(schema: Schema) -> Schema:
    """The JSON Schema of another file than the configuration, each reference replaced by what it names.

    Args:
        schema: as pydantic writes it; none of its definitions may hold itself.
    """
    definitions = schema.get("$defs", {})

    def whole(part: Any) -> Any:
        if isinstance(part, list):
            return [whole(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return whole(definitions[part["$ref"].removeprefix("#/$defs/")])
        return {key: whole(value) for key, value in part.items() if key != "$defs"}

    made: Schema = whole(schema)
    return made


def schema_at(path: Path, root: Schema | None = None) -> Schema:
    """The part of a schema that describes the value at a path; empty where there is none.

    Args:
        path: the keys that lead there.
        root: the whole schema, made by `inlined`; None: the configuration's.
    """
    part = config_schema() if root is None else root
    for key in path:
        part = _below(resolved(part), key)
    return resolved(part)


def keys_at(path: Path, root: Schema | None = None) -> list[str]:
    """The keys that a block knows; `root` as in `schema_at`."""
    return list(_with_keys(schema_at(path, root)).get("properties", {}))


def expected(schema: Schema) -> str:
    """A type in words: `a whole number from 1 to 64, or auto`."""
    schema = resolved(schema)
    if "anyOf" in schema:
        return ", or ".join(expected(choice) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        *most, last = (str(choice) for choice in schema.get("enum", [schema.get("const")]))
        return f"{', '.join(most)} or {last}" if most else last
    phrase = _PHRASES.get(schema.get("type", ""), "a value")
    return phrase if isinstance(phrase, str) else phrase(schema)


def shown(value: Any) -> str:
    """A value as it is quoted in a message: in YAML's words, short, without credentials."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map" if value else "an empty map"
    if isinstance(value, list):
        simple = len(value) <= _FEW_ITEMS and not any(isinstance(item, list | dict) for item in value)
        return f"[{', '.join(shown(item) for item in value)}]" if simple else f"a list of {len(value)} items"
    if len(text := value if isinstance(value, str) else str(value)) > _SHOWN_CHARACTERS:
        return f"{len(text)} characters"
    return json.dumps(hide_credentials(value) if isinstance(value, str) else value, ensure_ascii=False)


def _with_keys(schema: Schema) -> Schema:
    """A block itself, also where nothing may stand in its place."""
    return next(
        (resolved(choice) for choice in schema.get("anyOf", []) if "properties" in resolved(choice)), schema
    )


def _below(schema: Schema, key: str | int) -> Schema:
    for choice in schema.get("anyOf", [schema]):
        found = _below_one(resolved(choice), key)
        if found:
            return found
    return {}


def _below_one(schema: Schema, key: str | int) -> Schema:
    if isinstance(key, int):
        items = schema.get("prefixItems", [])
        found = items[key] if key < len(items) else schema.get("items", {})
    else:
        found = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
    return found if isinstance(found, dict) else {}


def resolved(schema: Schema) -> Schema:
    """The schema itself, or the definition that it refers to."""
    if "$ref" not in schema:
        return schema
    target: Schema = look_up(config_schema(), tuple(schema["$ref"].removeprefix("#/").split("/")))
    return target


def _limits(schema: Schema) -> str:
    keys = ("exclusiveMinimum", "minimum", "maximum")
    # A limit of a number may be written 1000 or 1000.0: 1000 is said of both.
    above, low, high = (f"{schema[key]:.10g}" if key in schema else None for key in keys)
    if low is not None and high is not None:
        return f" from {low} to {high}"
    parts = [] if above is None else [f"above {above}"]
    parts += [] if low is None else [f"at least {low}"]
    parts += [] if high is None else [f"at most {high}"]
    return f" {', '.join(parts)}" if parts else ""


def _list(schema: Schema) -> str:
    items = schema.get("prefixItems") or [schema.get("items", {})]
    low, high = schema.get("minItems"), schema.get("maxItems")
    count = f"{low} " if low is not None and low == high else ""
    return f"a list of {count}item{'' if count == '1 ' else 's'}, each {expected(items[0])}"


def _text(schema: Schema) -> str:
    return "an id of a-z, 0-9, _ and -" if schema.get("pattern") == ID_PATTERN else "a text"


_PHRASES: dict[str, str | Callable[[Schema], str]] = {
    "integer": lambda schema: f"a whole number{_limits(schema)}",
    "number": lambda schema: f"a number{_limits(schema)}",
    "string": _text,
    "array": _list,
    "boolean": "true or false",
    "null": "null",
    "object": "a map of keys",
}
