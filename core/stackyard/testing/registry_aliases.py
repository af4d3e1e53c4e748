"""The contract of a model registry as tests: aliases, their history, and requests for them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.registry import Registry
from stackyard.errors import InvalidInput, NotFound
from stackyard.testing.manners import needs
from stackyard.testing.registry_case import RegistryCase
from stackyard.testing.stand_ins import Journal


class RegistryAliases(RegistryCase):
    """Guarantees 08 to 11."""

    def test_08_an_alias_moves(self, registry: Registry, name: str, package: Any) -> None:
        """One version at a time has it; it is shown with the version; it can be removed."""
        needs(registry, "alias")
        first = registry.register(name, package(1), alias="champion")
        assert first.aliases == ("champion",)
        two = package(2)
        second = registry.register(name, two, alias="champion")
        assert registry.get(name, alias="champion") == second
        assert registry.get(name, "1").aliases == ()
        registry.set_alias(name, "champion", "1")
        registry.set_alias(name, "candidate", "1")
        assert registry.get(name, alias="champion").aliases == ("candidate", "champion")
        assert [v.aliases for v in registry.list(name)] == [(), ("candidate", "champion")]
        again = registry.register(name, two, alias="candidate")  # a step that is tried again
        assert (again.version, again.aliases) == ("2", ("candidate",))
        with pytest.raises(NotFound, match="champion"):
            registry.get(name, alias="challenger")
        with pytest.raises(NotFound):
            registry.set_alias(name, "champion", "7")
        registry.delete_alias(name, "champion")
        registry.delete_alias(name, "champion")
        with pytest.raises(NotFound):
            registry.get(name, alias="champion")
        with pytest.raises(NotFound):
            registry.set_alias(f"{name}-not", "champion", "1")
        with pytest.raises(NotFound):
            registry.delete_alias(f"{name}-not", "champion")

    @pytest.mark.parametrize("wrong", ["", "a/b", "latest", "Latest", "v1", "a b", "a\n"])
    def test_09_aliases_are_checked(
        self, registry: Registry, name: str, package: Any, wrong: str
    ) -> None:
        """An alias must not be taken for a version; nothing is registered with a wrong one."""
        needs(registry, "alias")
        with pytest.raises(InvalidInput):
            registry.register(name, package(), alias=wrong)
        assert list(registry.list(name)) == []

    def test_10_a_change_of_an_alias_is_written_down(
        self, context: Context, name: str, package: Any
    ) -> None:
        """Who, when, from, to and why, whichever way it was changed; no change, no entry."""
        history = Journal()
        registry = self.connect(replace(context, actor="anna", history=history))
        needs(registry, "alias")
        before = time.time()
        registry.register(name, package(1), alias="champion")
        registry.register(name, package(2))
        registry.set_alias(name, "champion", "2", why="gate: pass")
        registry.set_alias(name, "champion", "2", why="again")
        registry.delete_alias(name, "champion", why="retired")
        registry.delete_alias(name, "champion", why="again")
        with pytest.raises(NotFound):
            registry.set_alias(name, "champion", "7")
        changes = history.entries
        assert [(c.before, c.after) for c in changes] == [(None, "1"), ("1", "2"), ("2", None)]
        assert [c.why for c in changes[1:]] == ["gate: pass", "retired"]
        assert {(c.name, c.alias, c.actor) for c in changes} == {(name, "champion", "anna")}
        assert {(c.run, c.step) for c in changes} == {(context.run, "register")}
        assert all(before <= c.time <= time.time() for c in changes)
        registry.close()

    @pytest.mark.parametrize("grant", [True, False])
    def test_11_a_request_is_pending_until_it_is_decided(
        self, registry: Registry, name: str, package: Any, grant: bool
    ) -> None:
        """Granted, the alias is at the version; refused, it stays, and the reason is told."""
        needs(registry, "request")
        version = registry.register(name, package()).version
        asked = registry.request_alias(name, "champion", version, why="gate: pass")
        assert asked.status == "pending"
        assert registry.request_alias(name, "champion", version, why="again") == asked
        assert registry.pointed(name, "champion") is None
        self.decide(registry, asked.id, grant, "as it is")
        decided = registry.promotion(asked.id)
        assert (decided.status, decided.reason) == ("granted" if grant else "refused", "as it is")
        assert registry.pointed(name, "champion") == (version if grant else None)
        with pytest.raises(NotFound):
            registry.request_alias(name, "champion", "7")
        with pytest.raises(NotFound):
            registry.promotion("no-such-request")
