"""A component made as a stack makes it: from what a stack file says of it, through its plugin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Component, Context
from stackyard.profile import build
from stackyard.project import Project
from stackyard.references import Reference, Template
from stackyard.specs import ComponentSpec
from stackyard.stack import Stack
from stackyard.yaml_source import parse

if TYPE_CHECKING:
    import pytest

FILE = "stacks/contract.yaml"


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


def give_secrets(kind: str, settings: Mapping[str, Any] | None, patch: pytest.MonkeyPatch) -> None:
    """Let the environment have the secrets that ``settings`` refer to."""
    for name in secrets_in(kind, settings) if settings else ():
        if name not in os.environ:
            patch.setenv(name, f"not-to-be-seen-{name}")


def secrets_in(kind: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """Names of the secrets that ``settings`` refer to."""
    for _, leaf in spec_of(stack_of(kind, settings, Path()), kind).node.leaves():
        if isinstance(leaf.value, Template):
            references = (p for p in leaf.value.parts if isinstance(p, Reference))
            yield from (r.name for r in references if r.kind == "secret")
