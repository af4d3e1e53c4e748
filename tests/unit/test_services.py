"""The services of a stack's components, and how they are talked of while they start."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from stackyard import services
from stackyard.cli.services import Notes
from stackyard.components.base import Command, Component, Context, Service
from stackyard.errors import ConfigError
from stackyard.supervisor import Supervisor

IDLE = [sys.executable, "-c", "import time; time.sleep(300)"]


class Tool(Component):
    """A component whose configuration is the service it needs."""

    kind = "tracker"

    def services(self):
        return [self.config] if self.config else []

    def prepare(self, service):
        (self.context.project / f"prepared-{service.name}").touch()


def stack_of(root, **components):
    """A stack named ``dev`` with the components' services as their configuration."""

    def component(kind, instance=None):
        key = f"{kind}.{instance}" if instance else kind
        return Tool(components[key.replace(".", "_")], Context(name=key, project=root))

    keys = {key.replace("_", "."): None for key in components}
    return SimpleNamespace(
        profile=SimpleNamespace(
            name="dev", components=keys, origin=lambda route: f"stacks/dev.yaml:{route[1]}"
        ),
        project=SimpleNamespace(root=root),
        component=component,
    )


def test_up_starts_what_components_need_once_and_down_stops_it(tmp_path):
    server = Service("mlflow", [Command("server", IDLE)])
    other = Service("other", [Command("idle", IDLE)])
    stack = stack_of(tmp_path, tracker=server, registry=server, tracker_second=other, server=None)
    try:
        states = services.up(stack, say=lambda text: None)
        assert [s.name for s in states] == ["mlflow", "other"]
        assert (tmp_path / "prepared-mlflow").exists()
        assert Supervisor(tmp_path).health("other") == ("ready", "")
    finally:
        assert services.down(stack, say=lambda text: None) == ["other", "mlflow"]
    assert services.down(stack, say=lambda text: None) == []


def test_two_descriptions_of_one_service_are_refused(tmp_path):
    one, two = (Service("mlflow", [Command("server", [*IDLE, arg])]) for arg in "ab")
    with pytest.raises(ConfigError) as caught:
        services.up(stack_of(tmp_path, tracker=one, registry=two), say=lambda text: None)
    assert str(caught.value).startswith(
        "registry (stacks/dev.yaml:registry): describes the local service 'mlflow' otherwise than "
        "tracker (stacks/dev.yaml:tracker) does"
    )


def test_a_pipe_hears_of_each_new_thing_and_then_every_ten_seconds(capsys, monkeypatch):
    clock = iter([0, 1, 2, 11.5, 12.5])
    monkeypatch.setattr("stackyard.cli.services.time.monotonic", lambda: next(clock))
    with Notes() as notes:
        for text in ("a: waiting for x (1 s)", "a: waiting for x (2 s)", "a: waiting for y (3 s)"):
            notes(text)
        notes("a: waiting for y (12 s)")
        notes("a: waiting for y (13 s)")
    assert capsys.readouterr().err.splitlines() == [
        "a: waiting for x (1 s)",
        "a: waiting for y (3 s)",
        "a: waiting for y (13 s)",
    ]
