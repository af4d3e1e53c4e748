"""References in stack files: ``${env:X}``, ``${env:X:-default}``, ``${secret:X}``, ``${var:x}``.

``$${`` writes a literal ``${``. Environment variables and secrets are looked up where a value is
used, never when a stack is loaded, shown or compiled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from stackyard.components.base import Secret
from stackyard.errors import ConfigError, SecretError, suggest
from stackyard.tree import Node, Place, kind_of

KINDS = ("env", "secret", "var")
MAX_EXPANSION = 1_000_000  # characters that all uses of variables may put in
Lookup = Callable[[str], str]  # name of a secret -> its value; SecretError where there is none

_NAMES = {
    "env": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}"),
    "secret": re.compile(r"[A-Za-z_][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*"),  # also vault/like.paths
    "var": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}"),
}
_START = re.compile(r"\$\$\{|\$\{")


@dataclass(frozen=True, slots=True)
class Reference:
    """One ``${kind:name}``; ``default`` only with ``env``."""

    kind: str
    name: str
    default: str | None = None

    def __str__(self) -> str:
        default = "" if self.default is None else f":-{self.default}"
        return f"${{{self.kind}:{self.name}{default}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """Text that is not known before it is used: literal parts and references."""

    parts: tuple[str | Reference, ...]

    @property
    def secret(self) -> bool:
        """Whether a secret is part of it."""
        return any(isinstance(p, Reference) and p.kind == "secret" for p in self.parts)

    def __str__(self) -> str:
        return "".join(p.replace("${", "$${") if isinstance(p, str) else str(p) for p in self.parts)


def parse(text: str, place: Place) -> str | Template:
    """Return ``text`` as a template, or as a string where it has no reference.

    Raises:
        ConfigError: a reference is not closed, of an unknown kind, or has no usable name.
    """
    parts: list[str | Reference] = []
    position = 0
    for start in _START.finditer(text):
        if start.start() < position:
            continue
        parts.append(text[position : start.start()])
        if start[0] == "$${":
            parts.append("${")
            position = start.end()
            continue
        end = text.find("}", start.end())
        if end < 0:
            raise ConfigError(f"{place} '${{' is not closed in {text!r}. A literal one is '$${{'")
        parts.append(_reference(text[start.end() : end], place))
        position = end + 1
    parts.append(text[position:])
    return _joined(parts)


def _joined(parts: list[str | Reference]) -> str | Template:
    """Neighbouring texts as one, empty ones left out."""
    merged: list[str | Reference] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    if all(isinstance(p, str) for p in merged):
        return "".join(p for p in merged if isinstance(p, str))
    return Template(tuple(merged))


def _reference(inside: str, place: Place) -> Reference:
    kind, colon, rest = inside.partition(":")
    if not colon:
        raise ConfigError(
            f"{place} reference '${{{inside}}}' names no kind. "
            f"Write ${{env:{inside}}}, ${{secret:{inside}}} or ${{var:{inside}}}"
        )
    if kind not in KINDS:
        raise ConfigError(
            f"{place} reference '${{{inside}}}' is of unknown kind {kind!r}. "
            f"Kinds: {', '.join(KINDS)}.{suggest(kind, KINDS)}"
        )
    name, dash, default = rest.partition(":-")
    if dash and kind != "env":
        raise ConfigError(f"{place} '${{{kind}:{name}}}' cannot have a default; only env can")
    if not _NAMES[kind].fullmatch(name):
        raise ConfigError(f"{place} reference '${{{kind}:...}}': {name!r} is not a usable name")
    return Reference(kind, name, default if dash else None)


def expand(node: Node, variables: Mapping[str, Node]) -> Node:
    """Return ``node`` with references understood and those to variables replaced.

    A value that is nothing but ``${var:x}`` takes the variable's value, whatever it is; within
    text a variable must be text, a number or a truth value.

    Raises:
        ConfigError: a reference is wrong, or a variable unknown or defined by itself.
    """
    return _Expansion(variables).expand(node)


@dataclass
class _Expansion:
    """Replacing variables; the budget stops definitions that double themselves."""

    variables: Mapping[str, Node]
    spent: int = 0

    def expand(self, node: Node, within: tuple[str, ...] = ()) -> Node:
        if isinstance(node.value, dict):
            return replace(node, value={k: self.expand(n, within) for k, n in node.value.items()})
        if isinstance(node.value, list):
            return replace(node, value=[self.expand(n, within) for n in node.value])
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        read = parse(node.value, node.place)
        if isinstance(read, str):
            return replace(node, value=read)
        first = read.parts[0]
        if len(read.parts) == 1 and isinstance(first, Reference) and first.kind == "var":
            found = self._variable(first, node, within)
            return replace(found, place=node.place, key=node.key)
        parts: list[str | Reference] = []
        for part in read.parts:
            if isinstance(part, str) or part.kind != "var":
                parts.append(part)
            else:
                parts += self._text(part, node, within)
        return replace(node, value=_joined(parts))

    def _text(
        self, part: Reference, node: Node, within: tuple[str, ...]
    ) -> tuple[str | Reference, ...]:
        value = self._variable(part, node, within).value
        if isinstance(value, Template):
            return value.parts
        if value is None or isinstance(value, dict | list):
            raise ConfigError(f"{node.place} {part} is {kind_of(value)} and cannot be part of text")
        return (str(value).lower() if isinstance(value, bool) else str(value),)

    def _variable(self, reference: Reference, node: Node, within: tuple[str, ...]) -> Node:
        name = reference.name
        if name in within:
            chain = " -> ".join([*within[within.index(name) :], name])
            raise ConfigError(f"{node.place} variable {name!r} is defined by itself: {chain}")
        if name not in self.variables:
            known = sorted(self.variables)
            raise ConfigError(
                f"{node.place} unknown variable {name!r}. "
                f"In vars: {', '.join(known) or 'none'}.{suggest(name, known)}"
            )
        found = self.expand(self.variables[name], (*within, name))
        # Every use counts, by the size of what it puts in.
        self.spent += sum(1 + len(str(leaf.value)) for _, leaf in found.leaves())
        if self.spent > MAX_EXPANSION:
            raise ConfigError(
                f"{node.place} the variables expand to more than {MAX_EXPANSION} characters"
            )
        return found


def resolve(node: Node, lookup: Lookup, environ: Mapping[str, str] | None = None) -> Any:
    """Return the plain value of an expanded node, environment variables looked up now.

    What has a secret in it becomes a ``Secret``, which is looked up when it is revealed.

    Raises:
        SecretError: an environment variable is not set and has no default.
    """
    environment = os.environ if environ is None else environ
    if isinstance(node.value, dict):
        return {k: resolve(n, lookup, environment) for k, n in node.value.items()}
    if isinstance(node.value, list):
        return [resolve(n, lookup, environment) for n in node.value]
    if not isinstance(node.value, Template):
        return node.value
    template = node.value
    if template.secret:
        return Secret(str(template), lambda: _reveal(template, node.place, lookup, environment))
    return "".join(_part(p, node.place, environment) for p in template.parts)


def _part(part: str | Reference, place: Place, environment: Mapping[str, str]) -> str:
    if isinstance(part, str):
        return part
    value = environment.get(part.name)
    if part.default is not None:  # as in a shell, ':-' also stands in for an empty value
        return value or part.default
    if value is None:
        raise SecretError(
            f"{place} environment variable {part.name} is not set. "
            f"Set it, or write ${{env:{part.name}:-default}}"
        )
    return value


def _reveal(
    template: Template, place: Place, lookup: Lookup, environment: Mapping[str, str]
) -> str:
    text = ""
    for part in template.parts:
        if isinstance(part, Reference) and part.kind == "secret":
            # Through a Secret of its own, so that the part alone is hidden in logs, too.
            try:
                text += Secret(str(part), partial(lookup, part.name)).reveal()
            except SecretError as exc:
                raise SecretError(f"{place} {exc}") from exc.__cause__
        else:
            text += _part(part, place, environment)
    return text


def unset(node: Node, known: Callable[[str], bool]) -> list[tuple[Place, Reference]]:
    """References of the expanded ``node`` for which there is no value now.

    Args:
        node: what is looked through.
        known: whether a secret of a name is to be found.
    """
    missing: list[tuple[Place, Reference]] = []
    for _, leaf in node.leaves():
        if not isinstance(leaf.value, Template):
            continue
        for part in leaf.value.parts:
            if isinstance(part, str):
                continue
            if part.kind == "env" and part.default is None and part.name not in os.environ:
                missing.append((leaf.place, part))
            if part.kind == "secret" and not known(part.name):
                missing.append((leaf.place, part))
    return missing
