"""What the contracts of all points share: they stay whole, and deviations are declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from stackyard.testing.guard import check_whole


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
