"""What the plugin offers, at what cost, and what its configuration may say."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.rollout import Rollout
from stackyard.errors import NotFound
from stackyard.supervisor import NAME
from stackyard_bentoml import state as states
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.packing import tag_of
from stackyard_bentoml.plugin import stackyard_flavors
from stackyard_bentoml.running import FOLDER, service_name
from stackyard_bentoml.server import BentomlServer
from stackyard_bentoml.state import State


def test_describing_imports_nothing_heavy() -> None:
    """Plugin, configuration and the component's own modules."""
    code = """
import sys
import stackyard_bentoml.plugin, stackyard_bentoml.config, stackyard_bentoml.server
heavy = {"bentoml", "pandas", "numpy", "sklearn", "starlette", "aiohttp", "pyarrow"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_flavors_name_what_exists() -> None:
    (flavor,) = stackyard_flavors()
    assert (flavor.kind, flavor.name) == ("server", "bentoml")
    for target in (flavor.target, flavor.config):
        assert target is not None
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
        assert (found.kind == flavor.kind) if target == flavor.target else is_dataclass(found)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"port": 0}, "port: 0"), ({"port": 70000}, "port: 70000"), ({"answer_within": 0}, "answer_")],
)
def test_what_the_configuration_refuses(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BentomlConfig(**given)


def test_no_two_endpoints_share_their_processes() -> None:
    """Whatever the components and the endpoints are called."""
    names = [
        service_name(component, endpoint)
        for component in ("server", "server.x", "server.x_y", "server." + "n" * 100)
        for endpoint in ("flights", "x-flights", "e" * 50, "e" * 49)
    ]
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)


def test_no_two_versions_share_a_bento() -> None:
    """Also those that differ in their letters' case only, or after many letters."""
    versions = ["RC", "rc", "v" * 62 + "1", "v" * 62 + "2"]
    tags = [tag_of("flights", version, digest * 64) for version in versions for digest in "01"]
    assert len(set(tags)) == len(tags)
    for tag in tags:
        assert len(tag.partition(":")[2]) <= 63
        assert tag == tag.lower()


def test_an_endpoint_without_a_log_says_so(tmp_path: Path) -> None:
    """To a component that has one."""
    server = BentomlServer(BentomlConfig(), Context(name="server", state_dir=tmp_path))
    states.write(tmp_path / "quiet", State("quiet", 1, BentomlConfig(log=False), Rollout("1")))
    with pytest.raises(NotFound, match=r"'quiet' has no inference log.*log: false"):
        server.inferences("quiet")


def test_bentoml_waits_as_long_as_the_configuration_says(tmp_path: Path) -> None:
    """Its own limit of 60 seconds would cut off a model that takes longer to be read."""
    states.write(tmp_path, State("slow", 1, BentomlConfig(ready_within=300)))
    code = """
from stackyard_bentoml.gateway import Gateway, SlotA, SlotB
print(*(service.config["traffic"]["timeout"] > 300 for service in (Gateway, SlotA, SlotB)))
"""
    around = os.environ | {FOLDER: str(tmp_path), "BENTOML_HOME": str(tmp_path / "home")}
    around |= {"BENTOML_DO_NOT_TRACK": "True"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=around)
    assert done.stdout.split() == ["True"] * 3, done.stderr
