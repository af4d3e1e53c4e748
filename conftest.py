"""Which tests share a process with ``pytest -n 2``: each server is still started once."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together the tests of one plugin, which share servers, and else those of one file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folders = nodeid.partition("::")[0].split("/")
            return "/".join(folders[:2] if folders[0] == "plugins" else folders)

    config.option.loadscopereorder = False  # the slow ones are not those with the most tests
    return Scheduling(config, log)
