"""What the contracts of all points share: they stay whole, and deviations are declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import pytest

from stackyard import plugins
from stackyard.flavors import ArtifactFormat, SecretProvider
from stackyard.testing.guard import check_whole

Offer = TypeVar("Offer", ArtifactFormat, SecretProvider)


class Contract:
    """Base of every contract. None of its tests may be overridden or removed.

    Where what is tested deviates, its test says so::

        deviations = {"test_08_numbers_that_are_not_finite": "Acme stores NaN as null"}

    which expects that test to fail, and fails where it does not.
    """

    deviations: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_whole(cls, cls.deviations)

    @pytest.fixture(autouse=True)
    def _deviating(self, request: pytest.FixtureRequest) -> None:
        node = request.node  # a name without parameters stands for all of them
        reason = self.deviations.get(node.name) or self.deviations.get(node.originalname)
        if reason is not None:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


def offered(what: str, name: str, every: Iterable[Offer]) -> Offer:
    """What a plugin says of the one with this name; fails the test where none offers it."""
    found = {one.name: one for one in every}
    if name not in found:
        broken = "; ".join(f"{p}: {p.reason}" for p in plugins.load().broken)
        pytest.fail(
            f"no plugin offers a {what} {name!r}. There are {', '.join(found)}."
            + (f" Broken plugins: {broken}" if broken else "")
        )
    return found[name]
