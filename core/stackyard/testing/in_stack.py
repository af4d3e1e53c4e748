"""A component made as a stack makes it: from what a stack file says of it, through its plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Component, Context
from stackyard.profile import build
from stackyard.project import Project
from stackyard.references import Reference, Template
from stackyard.specs import ComponentSpec
from stackyard.stack import Stack
from stackyard.tree import Node
from stackyard.yaml_source import parse

if TYPE_CHECKING:
    import pytest

FILE = "stacks/contract.yaml"
_FOLDERS = ("project", "cache_dir", "state_dir")
_TEXTS = ("name", "stack", "pipeline", "run", "step", "actor", "deadline")


def stack_of(kind: str, settings: Mapping[str, Any], project: Path) -> Stack:
    """A stack whose component of ``kind`` is as ``settings`` say; no file is written.

    Raises:
        ConfigError: the settings are none of a component.
    """
    return stack_saying({"components": {kind: dict(settings)}}, project)


def stack_saying(said: Mapping[str, Any], project: Path) -> Stack:
    """A stack whose file says this; no file is written.

    Raises:
        ConfigError: it is none of a stack.
    """
    text = json.dumps(said, ensure_ascii=False, indent=1)  # JSON is YAML
    profile = build("contract", parse(text, FILE), (FILE,))
    return Stack(profile, Project(project, ()))


def spec_of(stack: Stack, kind: str) -> ComponentSpec:
    """What the stack says of its component of ``kind``."""
    found = stack.profile.component(kind)
    assert found is not None
    return found


def made_of(kind: str, settings: Mapping[str, Any], context: Context) -> Component:
    """The component that a stack with ``settings`` gives, in a test's own context.

    Raises:
        ConfigError, PluginError, SecretError: as where a stack is used.
    """
    stack = stack_of(kind, settings, context.project)
    return stack.component_class(spec_of(stack, kind))(stack.config(kind), context)


def facts_of(context: Context) -> dict[str, Any]:
    """What a context says, as plain data for another process."""
    return {name: getattr(context, name) for name in _TEXTS} | {
        name: str(getattr(context, name)) for name in _FOLDERS
    }


def context_of(facts: Mapping[str, Any]) -> Context:
    """The context that says this, without journal, claims and history."""
    return Context(**{**facts, **{name: Path(facts[name]) for name in _FOLDERS}})


def give_secrets(names: Iterable[str], patch: pytest.MonkeyPatch) -> None:
    """Let the environment have these secrets; an empty one is none."""
    for name in names:
        if not os.environ.get(name):
            patch.setenv(name, f"not-to-be-seen-{name}")


def secrets_of(kind: str, settings: Mapping[str, Any] | None) -> list[str]:
    """Names of the secrets that ``settings`` of a component refer to."""
    return secrets_in(spec_of(stack_of(kind, settings, Path()), kind).node) if settings else []


def secrets_in(node: Node) -> list[str]:
    """Names of the secrets that a part of a stack refers to."""
    templates = [leaf.value for _, leaf in node.leaves() if isinstance(leaf.value, Template)]
    parts = [part for template in templates for part in template.parts]
    return [p.name for p in parts if isinstance(p, Reference) and p.kind == "secret"]
