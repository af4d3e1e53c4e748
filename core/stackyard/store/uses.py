"""How often an artifact was asked something that wears it out: a test set, by a gate.

uses/<digest>/<n>.json      the n-th use, written once: by whom, of how many
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from stackyard.errors import GateRefused, InvalidInput

if TYPE_CHECKING:
    from stackyard.store.backend import Backend


class Use(NamedTuple):
    """The ``number``-th use of ``budget``."""

    number: int
    budget: int

    @property
    def left(self) -> int:
        """How many uses are left."""
        return self.budget - self.number


def spend(backend: Backend, digest: str, budget: int, key: str, who: str) -> Use:
    """Use the artifact once more, unless the very same question was asked before.

    Args:
        backend: where the store keeps its objects.
        digest: of the artifact.
        budget: how often it may be used; the first use of all lays it down.
        key: of the question; the same one again learns nothing new and costs nothing.
        who: run and step, for people.

    Raises:
        GateRefused: nothing is left.
        InvalidInput: another budget was laid down.
    """
    folder = f"uses/{digest}/"
    while True:
        spent = [
            json.loads(data) for _, data in sorted(backend.get_many(backend.list(folder)).items())
        ]
        if spent and spent[0]["budget"] != budget:
            raise InvalidInput(
                f"test set {digest[:12]} was given {spent[0]['budget']} uses by {spent[0]['who']}, "
                f"not {budget}. Keep to that, or take a new test set"
            )
        for number, use in enumerate(spent, 1):
            if use["key"] == key:
                return Use(number, budget)
        if len(spent) >= budget:
            raise GateRefused(
                f"all {budget} uses of test set {digest[:12]} are spent, the last one by "
                f"{spent[-1]['who']}: whoever made the next model has learned from its answers. "
                "Take a new test set"
            )
        number = len(spent) + 1
        row = {"key": key, "who": who, "budget": budget, "time": time.time()}
        if backend.put_if_absent(f"{folder}{number:06}.json", json.dumps(row).encode()):
            return Use(number, budget)
