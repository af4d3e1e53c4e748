"""JSON Schema of stack files with the flavors that are installed here, for editors and reviews.

A stack file names it in its first line: ``# yaml-language-server: $schema=stack.schema.json``.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from stackyard.choice import STACK_NAME
from stackyard.errors import PluginError
from stackyard.flavors import Flavor
from stackyard.graph import KINDS, NAME, TARGET
from stackyard.plugins import Plugins
from stackyard.registry import config_class
from stackyard.shape import Key, field_docs, members, plain_type, shape_of, takes_secret

Schema = dict[str, Any]

REFERENCE: Schema = {"type": "string", "pattern": r"\$\{(env|var):"}
_NONE = type(None)
SECRET: Schema = {"type": "string", "pattern": r"\$\{(secret|var):"}
DURATION: Schema = {
    "type": ["number", "string"],
    "description": "Seconds, or text such as 90s, 20m, 2h, 1d",
}


def stack_schema(plugins: Plugins) -> Schema:
    """The schema of a stack file (JSON Schema draft 2020-12); equal plugins give equal schemas."""
    definitions: dict[str, Schema] = {}
    components: dict[str, Schema] = {}
    for kind in KINDS:
        refs = []
        for name in sorted({f.name for f in plugins.flavors(kind)}):
            try:
                definitions[f"{kind}.{name}"] = _flavor(plugins.flavor(kind, name))
            except PluginError:  # a flavor that cannot be used is not offered
                continue
            refs.append({"$ref": f"#/$defs/{kind}.{name}"})
        definitions[kind] = _kind(kind, plugins, refs)
        components[f"^{kind}(\\.{NAME.pattern})?$"] = {"$ref": f"#/$defs/{kind}"}
    definitions["pipeline"] = _pipeline(plugins)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stackyard stack",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "extends": {
                "description": "The stack that this one is laid over",
                "type": ["string", "null"],
                "pattern": f"^{STACK_NAME.pattern}$",
            },
            "description": {"type": "string"},
            "store": {
                "type": "string",
                "description": "Folder or URL of artifacts and records; default .stackyard/store",
            },
            "durable": {
                "type": "boolean",
                "description": "Whether finished steps survive a power loss; default false",
            },
            "pickle": {
                "enum": ["allow", "forbid"],
                "description": "Whether pickle may be the last resort of storing a value",
            },
            "plugins": {
                "description": "Plugins that may be used, with versions: acme-tracker >=1.2",
                "type": ["array", "null"],
                "items": {"type": "string"},
            },
            "vars": {
                "description": "Values for ${var:name}",
                "type": ["object", "null"],
                "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            },
            "components": {
                "type": ["object", "null"],
                "patternProperties": components,
                "additionalProperties": False,
            },
            "resources": {
                "description": "The project's own connections, injected into steps",
                "type": ["object", "null"],
                "patternProperties": {f"^{NAME.pattern}$": _resource()},
                "additionalProperties": False,
            },
            "pipelines": {
                "description": "What this environment says about a pipeline",
                "type": ["object", "null"],
                "patternProperties": {f"^{NAME.pattern}$": {"$ref": "#/$defs/pipeline"}},
                "additionalProperties": False,
            },
        },
        "$defs": definitions,
    }


def _kind(kind: str, plugins: Plugins, refs: list[Schema]) -> Schema:
    names = sorted({f.name for f in plugins.flavors(kind)})
    # A file that extends another may leave out the flavor; then any key may stand.
    choose: list[Schema] = [
        {
            "if": {
                "type": "object",
                "required": ["flavor"],
                "properties": {"flavor": {"const": _name(ref)}},
            },
            "then": ref,
        }
        for ref in refs
    ]
    schema: Schema = {"type": ["object", "null"]}
    if names:
        schema["properties"] = {"flavor": {"enum": names}}
    if choose:
        schema["allOf"] = choose
    return schema


def _name(ref: Schema) -> str:
    return str(ref["$ref"]).partition(".")[2]


def _flavor(flavor: Flavor) -> Schema:
    cls = config_class(flavor)
    made = _object(cls, required=False)  # a key may come from the file that this one extends
    made["properties"] = {"flavor": {"const": flavor.name}, **made["properties"]}
    if flavor.doc:
        made["description"] = flavor.doc
    return made


def _object(cls: Any, *, required: bool) -> Schema:
    shape = shape_of(cls)
    docs = field_docs(cls)
    properties: Schema = {}
    for name, key in shape.keys.items():
        about = {"description": docs[name].replace("``", "")} if name in docs else {}
        properties[name] = {**_key(key), **about}
    schema: Schema = {
        "type": "object", "properties": properties, "additionalProperties": shape.open,
    }  # fmt: skip
    needed = [name for name, key in shape.keys.items() if key.required]
    if required and needed:
        schema["required"] = needed
    return schema


def _key(key: Key) -> Schema:
    schema = _type(key.type, removable=True)
    default = key.default
    plain = isinstance(default, str | int | float | bool)
    return {**schema, "default": default} if plain and not key.required else schema


def _type(kind: Any, *, removable: bool = False) -> Schema:
    """The schema of a value; ``removable``: null takes away what another file says."""
    kind = plain_type(kind)
    wanted = [plain_type(m) for m in members(kind)]
    schemas = [SECRET] if takes_secret(kind) else [_member(m) for m in wanted if m is not _NONE]
    if {} in schemas:
        return {}
    if not takes_secret(kind) and not any(s.get("type") == "string" for s in schemas):
        schemas.append(REFERENCE)
    if removable or _NONE in wanted:
        schemas.append({"type": "null"})
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _member(kind: Any) -> Schema:
    import msgspec

    if kind is Any:
        return {}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _object(kind, required=True)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, tuple, set, frozenset) or (origin and _is_abstract(origin, "Sequence")):
        return {"type": "array", "items": _type(arguments[0]) if arguments else {}}
    if origin is dict or (origin and _is_abstract(origin, "Mapping")):
        inner = _type(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object", "additionalProperties": inner}
    schema: Schema = msgspec.json.schema(kind, schema_hook=lambda custom: {"type": "string"})
    return schema


def _is_abstract(origin: Any, name: str) -> bool:
    return getattr(origin, "__module__", "") == "collections.abc" and name in origin.__name__


def _resource() -> Schema:
    return {
        "type": ["object", "null"],
        "properties": {"class": {"type": "string", "pattern": f"^{TARGET.pattern}$"}},
    }


def _pipeline(plugins: Plugins) -> Schema:
    orchestrators = sorted({f.name for f in plugins.flavors("orchestrator")})
    options: dict[str, Schema] = {
        name: {"type": "object", "description": f"Read by the orchestrator {name}"}
        for name in orchestrators
    }
    step: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "retries": {"type": "integer", "minimum": 0},
            "retry_delay": DURATION,
            "timeout": {**DURATION, "type": ["number", "string", "null"]},
            "cache": {"type": ["boolean", "number", "string", "null"]},
            "resources": {"type": "object", "description": "Such as {cpu: 4, memory: 8Gi}"},
        },
    }
    return {
        "type": ["object", "null"],
        "properties": {
            "schedule": {
                "type": ["string", "null"],
                "description": "Cron expression or preset such as @daily; null: no schedule",
            },
            "params": {"type": "object", "propertyNames": {"pattern": f"^{NAME.pattern}$"}},
            "steps": {"type": "object", "patternProperties": {f"^{NAME.pattern}$": step},
                      "additionalProperties": False},
            **options,
        },
        "additionalProperties": {"type": "object"},
    }  # fmt: skip
