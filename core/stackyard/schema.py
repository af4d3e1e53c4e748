"""JSON Schema of annotations, and plain data that follows one."""

from __future__ import annotations

import enum
import importlib
import json
import math
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from operator import attrgetter
from typing import Any

from stackyard.annotation import Type
from stackyard.errors import ParameterError
from stackyard.graph import Json
from stackyard.period import Period

_SCALARS: dict[type, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}
_FORMATS: dict[type, str] = {datetime: "date-time", date: "date", Period: "period"}
_EXAMPLES = {
    "integer": "6", "number": "0.1", "boolean": "true", "string": "text", "array": "[1,2]",
    "object": '{"key":1}', "date": "2013-01-31", "date-time": "2013-01-31T06:00:00+00:00",
    "period": "2013-01",
}  # fmt: skip
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def schema_of(kind: Type) -> dict[str, Json]:
    """Return the JSON Schema of values of ``kind``.

    Raises:
        TypeError: there is none; the message is the name of the type.
    """
    if kind.form == "any":
        return {}
    if kind.form == "literal":
        if not all(type(value) in (str, int, bool, type(None)) for value in kind.values):
            raise TypeError(kind.name)
        return {"enum": list(kind.values)}
    if kind.form == "union":
        return _union_schema(kind)
    cls = kind.cls
    if cls in _SCALARS:
        return {"type": _SCALARS[cls]}
    if cls in _FORMATS:
        return {"type": "string", "format": _FORMATS[cls]}
    if cls is type(None):
        return {"type": "null"}
    if cls is list:
        return {"type": "array", **({"items": schema_of(kind.args[0])} if kind.args else {})}
    if cls is dict:
        return _dict_schema(kind)
    if cls is not None and issubclass(cls, enum.Enum):
        # The comment is for decode: it is JSON Schema's own keyword for what validators ignore.
        return {"enum": _choices(cls), "$comment": f"enum {cls.__module__}:{cls.__qualname__}"}
    raise TypeError(kind.name)


def _dict_schema(kind: Type) -> dict[str, Json]:
    if not kind.args:
        return {"type": "object"}
    if kind.args[0].cls not in (str, None):
        raise TypeError(kind.name)
    return {"type": "object", "additionalProperties": schema_of(kind.args[1])}


def _union_schema(kind: Type) -> dict[str, Json]:
    members = [schema_of(m) for m in kind.required.args or (kind.required,)]
    if len(members) > 1:
        return {"anyOf": [*members, *([{"type": "null"}] if kind.optional else [])]}
    one = members[0]
    if "enum" in one:
        return {**one, "enum": [*one["enum"], None]}
    return {**one, "type": [one["type"], "null"]} if "type" in one else one


def _choices(cls: type[enum.Enum]) -> list[Json]:
    """Values of the members where they are plain, else their names."""
    values = [member.value for member in cls]
    plain = all(type(value) in (str, int) for value in values)
    return values if plain else [member.name for member in cls]


def encoded(value: Any) -> Json:
    """Return a Python value as plain data; what has no plain form is returned as it is."""
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return value.item()
    if isinstance(value, enum.Enum):
        return value.value if value.value in _choices(type(value)) else value.name
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Period):
        return str(value)
    if isinstance(value, list | tuple):
        return [encoded(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encoded(item) for key, item in value.items()}
    return value


def decoded(schema: Mapping[str, Json], value: Json) -> Any:
    """Return the Python value behind plain data that follows ``schema``."""
    if value is None:
        return None
    if "anyOf" in schema:
        return decoded(_matching(schema["anyOf"], value), value)
    comment = schema.get("$comment", "")
    if comment.startswith("enum "):
        module, _, name = comment.removeprefix("enum ").partition(":")
        cls = attrgetter(name)(importlib.import_module(module))
        return cls(value) if value in [member.value for member in cls] else cls[value]
    match schema.get("format"):
        case "period":
            return Period.parse(value)
        case "date-time":
            return datetime.fromisoformat(value)
        case "date":
            return date.fromisoformat(value)
    if "items" in schema and isinstance(value, list):
        return [decoded(schema["items"], item) for item in value]
    if "additionalProperties" in schema and isinstance(value, dict):
        return {k: decoded(schema["additionalProperties"], v) for k, v in value.items()}
    if _type(schema) == "number" and isinstance(value, int):
        return float(value)
    return value


def coerce(
    schema: Mapping[str, Json], value: Json, timezone: str | tzinfo = "UTC", *, strict: bool = False
) -> Json:
    """Return ``value``, or what it says as text, as plain data that follows ``schema``.

    ``strict`` takes text only where the schema asks for text.

    Raises:
        ValueError: it does not follow; the message may say why.
    """
    if "anyOf" in schema:
        return _first(schema["anyOf"], value, timezone, strict)
    if "enum" in schema:
        for choice in schema["enum"]:
            if choice == value and type(choice) is type(value):
                return choice
        for choice in schema["enum"]:
            if not strict and isinstance(value, str) and value == _shown(choice):
                return choice
        raise ValueError(f"choose from {', '.join(map(_shown, schema['enum']))}")
    types = schema.get("type", [])
    wanted = _type(schema)
    if "null" in ([types] if isinstance(types, str) else types):
        if value is None or (value == "null" and not strict):
            return None
        if wanted is None:
            raise ValueError
    if wanted is None:
        return _any(value, strict)
    if wanted == "string":
        return _text(schema.get("format"), value, timezone)
    if isinstance(value, str):
        if strict:
            raise ValueError
        word = value.strip()
        if wanted == "array" and not word.startswith("["):
            parts = [part.strip() for part in word.split(",")] if word else []
            return [coerce(schema.get("items", {}), part, timezone) for part in parts]
        value = _parsed(wanted, word)
    return _checked(wanted, schema, value, timezone)


def example(schema: Mapping[str, Json]) -> str:
    """Return text that ``coerce`` would take."""
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    if "enum" in schema:
        return _shown(schema["enum"][0])
    return _EXAMPLES.get(schema.get("format") or _type(schema) or "", "VALUE")


def _type(schema: Mapping[str, Json]) -> str | None:
    """The one type beside null that a schema names."""
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types or []
    return next((name for name in names if name != "null"), None)


def _shown(choice: Json) -> str:
    return choice if isinstance(choice, str) else json.dumps(choice)


def _any(value: Json, strict: bool) -> Json:
    """Plain data without a schema: text that reads as JSON is that."""
    if isinstance(value, str) and not strict:
        try:
            return json.loads(value)
        except ValueError:
            return value
    json.dumps(value, allow_nan=False)
    return value


def _text(form: str | None, value: Json, timezone: str | tzinfo) -> str:
    if not isinstance(value, str):
        raise ValueError
    try:
        if form == "period":
            return str(Period.parse(value, timezone).astimezone(timezone))
        if form == "date":
            return date.fromisoformat(value).isoformat()
        if form == "date-time":
            return datetime.fromisoformat(value).isoformat()
    except ParameterError as exc:
        raise ValueError(str(exc)) from exc
    return value


def _parsed(wanted: str, word: str) -> Json:
    """Text of a command line as JSON data of the type ``wanted``."""
    if wanted == "boolean":
        if word.lower() in (*_TRUE, *_FALSE):
            return word.lower() in _TRUE
        raise ValueError("true or false")
    try:
        if wanted == "integer":
            return int(word)
        return float(word) if wanted == "number" else json.loads(word)
    except ValueError:
        raise ValueError from None  # what Python says of it helps nobody


def _checked(wanted: str, schema: Mapping[str, Json], value: Json, timezone: str | tzinfo) -> Json:
    kind = type(value)
    if wanted == "integer" and kind is int:
        return value
    if wanted == "number" and kind in (int, float) and math.isfinite(value):
        return float(value)
    if wanted == "boolean" and kind is bool:
        return value
    if wanted == "array" and kind is list:
        inner = schema.get("items", {})
        return [coerce(inner, item, timezone, strict=True) for item in value]
    if wanted == "object" and kind is dict and all(isinstance(key, str) for key in value):
        inner = schema.get("additionalProperties", {})
        return {key: coerce(inner, v, timezone, strict=True) for key, v in value.items()}
    raise ValueError


def _first(
    schemas: list[Mapping[str, Json]], value: Json, timezone: str | tzinfo, strict: bool
) -> Json:
    """``value`` by the first schema that it follows; plain text is tried last."""
    for schema in sorted(schemas, key=lambda s: s.get("type") == "string" and "format" not in s):
        try:
            return coerce(schema, value, timezone, strict=strict)
        except (ValueError, TypeError):
            continue
    raise ValueError


def _matching(schemas: list[Mapping[str, Json]], value: Json) -> Mapping[str, Json]:
    for schema in sorted(schemas, key=lambda s: s.get("type") == "string" and "format" not in s):
        try:
            coerce(schema, value, strict=True)
        except (ValueError, TypeError):
            continue
        return schema
    return {}
