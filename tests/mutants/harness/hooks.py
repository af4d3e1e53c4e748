"""Of a mutant only the test runs that is meant for it, and it has to fail where it tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not meant for the mutant."""
    kept, left = [], []
    for item in items:
        meant = getattr(getattr(item, "cls", None), "caught_by", None)
        names = (None, item.name, getattr(item, "originalname", None))
        only = item.name.startswith(getattr(getattr(item, "cls", None), "only", ""))
        (kept if meant in names and only else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[Any]:
    """A mutant that cannot even be made is not caught, it is a mistake."""
    report = yield
    if (
        call.when == "setup"
        and call.excinfo
        and not call.excinfo.errisinstance(pytest.skip.Exception)
    ):
        report.outcome = "failed"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return report
