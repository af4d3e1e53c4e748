"""What a secret provider does in processes of its own, for its contract."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard import plugins, registry
from stackyard.testing.commands import run_flow

if TYPE_CHECKING:
    from stackyard.testing.secret_provider import SecretProviderContract

_FLOW = """
from stackyard import Resource, Secret, from_stack, pipeline, step


class Backend(Resource):
    def __init__(self, token: Secret) -> None:
        self.token = token


@step
def use(length: int, *, backend: Backend = from_stack()) -> None:
    value = backend.token.reveal()
    assert len(value) == length
    print("shown by mistake:", value)


@pipeline
def flow(length: int) -> None:
    use(length)
"""
_STACK = """
components: {orchestrator: {flavor: local, parallel: never}}
resources:
  backend: {class: "flow:Backend", token: "${secret:ACME_TOKEN}"}
"""


def find_all(case: SecretProviderContract, project: str, names: list[str]) -> dict[str, str | None]:
    """What the provider gives for names."""
    [found] = [p for p in plugins.load().secret_providers() if p.name == case.provider]
    find = registry.load(found.target, found.name)
    return {name: find(name, Path(project)) for name in names}


def run_in_pipeline(case: SecretProviderContract, project: str, length: int) -> dict[str, str]:
    """Run a step that prints a secret; return what became of it."""
    os.environ.pop("ACME_TOKEN", None)
    run = run_flow(Path(project), _FLOW, _STACK, "--param", f"length={length}")
    return {step["name"]: step["status"] for step in run["steps"]}
