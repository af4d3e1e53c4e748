"""The contract of a resource as tests; numbered in docs/reference/resources.md."""

from __future__ import annotations

import json
import logging
import os
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stackyard import distributions
from stackyard.errors import ConfigError
from stackyard.plugins import GROUP
from stackyard.shape import shape_of, takes_secret
from stackyard.signature import Resource
from stackyard.testing.contract import Contract
from stackyard.testing.elsewhere import elsewhere
from stackyard.testing.in_stack import give_secrets, secrets_in
from stackyard.testing.manners import held, logged, unconnected
from stackyard.testing.processes import imported_for
from stackyard.testing.resource_work import NAME, run_in_pipeline, stack_with, use_once
from stackyard.tree import Node

_MAKING = """
import json, sys
given = json.loads(sys.argv[1])
from pathlib import Path
from stackyard.testing.resource_work import NAME, stack_with
stack_with(given, Path()).resource(NAME)
"""


class ResourceContract(Contract, ABC):
    """Inherit, say what a stack says of the resource, and how a step uses it."""

    @pytest.fixture
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What a stack says: ``{"class": "acme_tools:Warehouse", "url": "..."}``.

        The tests run in an empty folder. Secrets are references, ``"${secret:ACME_TOKEN}"``: one
        that is not in the environment is given a value.
        """

    @abstractmethod
    def use(self, resource: Any) -> object:
        """Use it as a step does; return plain data, the same in each process and each time."""

    # Fixtures

    @pytest.fixture(autouse=True)
    def secrets(
        self, settings: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, str]:
        """The values of the secrets that the settings refer to; the folder is empty."""
        (tmp_path / "project").mkdir()
        monkeypatch.chdir(tmp_path / "project")
        names = secrets_in(_node(settings))
        give_secrets(names, monkeypatch)
        return {name: os.environ[name] for name in names}

    @pytest.fixture
    def cls(self, settings: Mapping[str, Any]) -> type:
        """The class that the settings name."""
        stack = stack_with(settings, Path.cwd())
        return stack.resource_class(stack.profile.resources[NAME])

    # What a stack says

    def test_01_made_of_what_a_stack_says(self, settings: Mapping[str, Any], cls: type) -> None:
        """A new one for each step, and each key has a type that a stack is held to."""
        stack = stack_with(settings, Path.cwd())
        one, other = stack.resource(NAME), stack.resource(NAME)
        assert type(one) is type(other) is cls
        assert issubclass(cls, Resource)
        assert one is not other
        untyped = [name for name, key in shape_of(cls).keys.items() if key.type is Any]
        assert untyped == [], "no stack is held to a type of these keys"

    def test_02_a_key_that_is_unknown_is_refused(self, settings: Mapping[str, Any]) -> None:
        """With its place, and the keys that there are."""
        stack = stack_with({**settings, "no_such_key": 1}, Path.cwd())
        with pytest.raises(ConfigError, match=r"contract\.yaml:\d+:\d+.*unknown key 'no_such_key'"):
            stack.resource(NAME)

    def test_03_a_value_of_a_wrong_type_is_refused(
        self, settings: Mapping[str, Any], cls: type
    ) -> None:
        """Whichever key it is of, with its place; a secret may not be written out."""
        for name, key in shape_of(cls).keys.items():
            wrong: Any = "written out" if takes_secret(key.type) else [{"no": ["such", "type"]}]
            with pytest.raises(ConfigError, match=rf"contract\.yaml:\d+:\d+.*{name}"):
                stack_with({**settings, name: wrong}, Path.cwd()).resource(NAME)

    def test_04_it_joins_the_cache_key_without_secrets(
        self, settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> None:
        """A step runs again where a stack says otherwise, and not for a new password."""
        fingerprint = stack_with(settings, Path.cwd()).fingerprint("resource", NAME)
        assert fingerprint["class"] == settings["class"]
        plain = {k for k, part in _node(settings).value.items() if not secrets_in(part)}
        assert fingerprint["config"].keys() == plain
        assert not [name for name, value in secrets.items() if value in json.dumps(fingerprint)]

    # Manners

    def test_05_silent_until_used(self, settings: Mapping[str, Any]) -> None:
        """Making and closing it writes nothing, connects to nothing, starts nothing."""
        before = held(Path.cwd())
        with unconnected():
            made = stack_with(settings, Path.cwd()).resource(NAME)
            made.close()
            made.close()
        assert held(Path.cwd()) <= before
        assert list(Path.cwd().iterdir()) == []

    def test_06_the_tool_is_imported_when_it_is_used(
        self, settings: Mapping[str, Any], cls: type
    ) -> None:
        """Every command that reads a pipeline imports the module of the class."""
        package = settings["class"].partition(":")[0].partition(".")[0]
        for found in distributions.installed(GROUP).values():
            if any(value.partition(".")[0] == package for _, value in found.entry_points):
                assert imported_for(found.name, _MAKING, dict(settings)) == []
                return
        pytest.skip("its class belongs to no plugin")

    def test_07_secrets_are_not_shown(
        self,
        settings: Mapping[str, Any],
        cls: type,
        secrets: Mapping[str, str],
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Neither by what prints the resource, nor in its output, its log and its errors."""
        takers = [name for name, key in shape_of(cls).keys.items() if takes_secret(key.type)]
        if not takers:
            pytest.skip("it takes no secret")
        assert secrets, f"let 'settings' say {takers[0]}: '${{secret:NAME}}', so that it is tested"
        shown = []
        with caplog.at_level(logging.DEBUG), logged() as log:
            made = stack_with(settings, Path.cwd()).resource(NAME)
            shown += [repr(made), str(made), repr(vars(made))]
            try:
                self.use(made)
            except Exception:  # whatever it is, people see it
                shown.append(traceback.format_exc())
            shown += [repr(made), str(made), repr(vars(made))]
            made.close()
        text = "".join([*shown, log.getvalue(), *capfd.readouterr()])
        assert [name for name, value in secrets.items() if value in text] == []

    def test_08_closing_releases_what_it_holds(self, settings: Mapping[str, Any]) -> None:
        """No file, connection or thread stays; it may be closed again."""
        before = held(Path.cwd())
        made = stack_with(settings, Path.cwd()).resource(NAME)
        self.use(made)
        made.close()
        made.close()
        assert held(Path.cwd()) <= before, "held after close"

    # At work

    def test_09_two_processes_at_once(self, settings: Mapping[str, Any]) -> None:
        """Each uses one of its own, twice."""
        given = dict(settings), str(Path.cwd())
        one, other = elsewhere(type(self), use_once, *given, times=2)
        assert one == other

    def test_10_in_a_step(self, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """It is given to the step, and closed once; another secret runs nothing again."""
        given = dict(settings), str(Path.cwd()), list(secrets)
        [seen] = elsewhere(type(self), run_in_pipeline, *given)
        assert seen == {"first": {"ask": "succeeded"}, "second": {"ask": "cached"}, "closed": 1}


def _node(settings: Mapping[str, Any]) -> Node:
    """What the settings say but for the class, as a stack's file has it."""
    return stack_with(settings, Path.cwd()).profile.resources[NAME].node
