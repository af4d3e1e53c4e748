"""A format's contract does not pass where it was given nothing to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stackyard.testing import FormatContract
from stackyard.testing.format import opened


class Plain(FormatContract):
    """A test class that lacks examples."""

    format = "plain"

    def values(self) -> list[Any]:
        return [1, 2]

    def equal(self) -> list[tuple[Any, Any]]:
        return []

    def refused(self) -> list[Any]:
        return []

    def change(self, value: Any) -> None:
        pass


def test_without_a_pair_of_equal_values_nothing_was_compared(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"equal\(\) gives no pair"):
        Plain().test_02_equal_values_have_equal_bytes(opened(tmp_path))


def test_a_format_that_refuses_nothing_is_not_asked_what_it_does_then(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"refused\(\) is empty"):
        Plain().test_07_what_it_does_not_store_is_for_the_next(opened(tmp_path))
