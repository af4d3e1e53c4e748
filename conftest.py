"""Which tests share a process: with ``-n 2`` each server is still started once."""

from __future__ import annotations

import pytest

SERVERS = ("airflow", "server", "s3_endpoint")  # session fixtures that start something slow


@pytest.hookimpl(tryfirst=True)  # before the names of groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one server together, and else those of one file."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        group = next((name for name in SERVERS if name in fixtures), item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(group))
