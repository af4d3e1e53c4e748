"""The state of a feature store in the cache key of the steps that read it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.earlier import Earlier
from stackyard.errors import Unavailable
from stackyard.graph import Injection, Step, StepOptions
from stackyard.states import states
from stackyard.store.cachekey import UNTOLD
from stackyard.testing import MemoryFeatureStore


class Store(MemoryFeatureStore):
    """Says what it was made to say."""

    def __init__(self, said: Any) -> None:
        super().__init__(None, Context(name="feature_store"))
        self.said, self.closed = said, False

    def state(self) -> str | None:
        if isinstance(self.said, Exception):
            raise self.said
        return str(self.said) if self.said else None

    def close(self) -> None:
        self.closed = True


class Stack:
    """Has one feature store and nothing else."""

    def __init__(self, said: Any) -> None:
        self.store = Store(said)

    def has(self, kind: str, instance: str | None) -> bool:
        return instance is None

    def component(self, kind: str, instance: str | None) -> Store:
        assert (kind, instance) == ("feature_store", None)
        return self.store


def of(said: Any, *, injection: Injection | None = None, **options: Any) -> dict[str, str]:
    """The states of a step that is given a store that says ``said``."""
    given = {"store": injection or Injection("feature_store")}
    step = Step("join", "flow:join", {}, injections=given, options=StepOptions(**options))
    stack: Any = Stack(said)
    found = states(step, stack, "20250101-000000-00000000")
    assert stack.store.closed is bool(found)
    return found


@pytest.mark.parametrize("said", [None, Unavailable("gone")])
def test_a_store_that_cannot_tell_counts_as_changed_in_every_run(said: Any) -> None:
    """But not in a run that is resumed: it has the id of the first."""
    assert of(said) == {"store": f"{UNTOLD}20250101-000000-00000000"}


def test_the_state_counts_unless_the_step_says_itself() -> None:
    assert of("rows 7") == {"store": "rows 7"}
    assert of("rows 7", cache=3600.0) == of("rows 7", cache=True) == {}


def test_other_kinds_and_what_the_stack_lacks_are_not_asked() -> None:
    assert of("rows 7", injection=Injection("tracker")) == {}
    assert of("rows 7", injection=Injection("feature_store", "inhouse", optional=True)) == {}


def test_a_resumed_run_counts_as_the_one_it_began_with() -> None:
    """However often it is resumed; a circle in damaged records ends."""
    resumes = {"c": "b", "b": "a", "a": None, "x": "y", "y": "x"}
    runs: Any = {name: SimpleNamespace(run_id=name, resume=of) for name, of in resumes.items()}
    records: Any = SimpleNamespace(run=runs.__getitem__)
    assert [Earlier(runs[name], records).first for name in "abc"] == ["a", "a", "a"]
    assert Earlier(runs["x"], records).first in ("x", "y")
