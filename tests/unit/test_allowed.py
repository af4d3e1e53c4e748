"""A stack may list the plugins that it allows, with versions; no other is even imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard import plugins
from stackyard.errors import ConfigError
from stackyard.offers import DISABLED
from stackyard.profile import load_profile
from stackyard.stack import Stack
from stackyard.stack_check import check
from tests.unit.stack_files import LOCAL, install, project

ACME = """
    from stackyard import hookimpl
    from stackyard.flavors import Flavor

    @hookimpl
    def stackyard_flavors():
        yield Flavor("tracker", "acme", "acme.tracker:Tracker", "acme.config:Config")
"""


BAD = """
    import sys

    sys.modules["allowed_bad_plugin_ran"] = sys
    raise SystemExit('was imported')
"""


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Beside what is installed: acme 1.2, and one that cannot be imported."""
    monkeypatch.delenv(DISABLED, raising=False)
    install(tmp_path / "site", "allowed-acme", ACME, version="1.2")
    install(tmp_path / "site", "allowed-bad", BAD, version="3.0")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "allowed_bad_plugin_ran", raising=False)
    plugins._load.cache_clear()
    yield
    plugins._load.cache_clear()


def stack(root: Path, listed: str, **files: str) -> Stack:
    here = project(root / "p", {"s": f"plugins: {listed}\n{LOCAL}", **files})
    return Stack(load_profile(here, "s"), here)


@pytest.mark.parametrize("versions", ["", "==1.2", " >=1,<2", "~=1.0", "==1.*", "!=1.3"])
def test_what_is_listed_is_loaded_and_nothing_else(tmp_path: Path, versions: str) -> None:
    found = stack(tmp_path, f"['Allowed_Acme{versions}']").plugins
    assert [p.name for p in found.loaded] == ["stackyard", "allowed-acme"]
    assert found.broken == ()
    assert {"allowed-bad 3.0", "stackyard-mlflow 0.1.0"} <= set(found.left_out)


def test_without_a_list_every_plugin_is_loaded(tmp_path: Path) -> None:
    found = stack(tmp_path, "null").plugins
    assert {"stackyard", "allowed-acme", "stackyard-mlflow"} <= {p.name for p in found.loaded}
    assert [b.distribution for b in found.broken] == ["allowed-bad"]
    assert found.left_out == ()


def test_an_empty_list_leaves_the_core(tmp_path: Path) -> None:
    assert [p.name for p in stack(tmp_path, "[]").plugins.loaded] == ["stackyard"]


def test_the_nearest_stack_decides(tmp_path: Path) -> None:
    """A list is replaced by that of the stack which extends, like every list."""
    here = project(
        tmp_path / "p",
        {
            "_base": f"plugins: [allowed-bad]\n{LOCAL}",
            "s": "extends: _base\nplugins: [allowed-acme]\n",
        },
    )
    found = Stack(load_profile(here, "s"), here).plugins
    assert [p.name for p in found.loaded] == ["stackyard", "allowed-acme"]


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        ("allowed-acme", "s.yaml:1:10 plugins: expected a list, got text"),
        ("[{allowed-acme: 1}]", "s.yaml:1:11 plugins: {'allowed-acme': 1}: write a distribution"),
        ("['https://x']", "s.yaml:1:11 plugins: '://x' says no versions: write"),
        ("['-r x']", "s.yaml:1:11 plugins: '-r x': write a distribution"),
        ("['allowed-acme >> 1']", "s.yaml:1:11 plugins: '>> 1' says no versions: write '==1.2'"),
    ],
)
def test_what_is_no_list_of_plugins_is_refused(tmp_path: Path, listed: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        stack(tmp_path, listed)


def test_what_is_missing_or_of_another_version_is_said(tmp_path: Path) -> None:
    made = stack(tmp_path, "[allowed-acm, 'allowed-acme >=2', stackyard-plugins]")
    with pytest.raises(ConfigError) as caught:
        _ = made.plugins
    said = str(caught.value).splitlines()
    assert said == [
        "stacks/s.yaml:1:11 plugins: allowed-acm is not installed. Install it, or leave it out. "
        "Did you mean 'allowed-acme'?",
        "stacks/s.yaml:1:24 plugins: allowed-acme >=2 is asked for, 1.2 is installed. "
        "Install another version, or change the list",
        "stacks/s.yaml:1:44 plugins: there is no stackyard_plugins.py beside the stack files",
    ]
    assert check(made).errors == said


def test_what_is_of_another_version_is_not_imported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"allowed-bad ==2\.9 is asked for, 3\.0 is installed"):
        _ = stack(tmp_path, "['allowed-bad ==2.9']").plugins
    assert "allowed_bad_plugin_ran" not in sys.modules


def test_a_flavor_whose_plugin_is_not_allowed_says_so(tmp_path: Path) -> None:
    tracker = {"s": f"plugins: []\n{LOCAL}  tracker: {{flavor: acme}}\n"}
    here = project(tmp_path / "p", tracker)
    (said,) = check(Stack(load_profile(here, "s"), here)).errors
    assert "unknown flavor 'acme'" in said
    assert "Not allowed by the stack's 'plugins': " in said and "allowed-acme 1.2" in said


def test_the_single_file_has_to_be_listed_too(tmp_path: Path) -> None:
    file = {"stacks/stackyard_plugins.py": ACME}
    assert [p.name for p in stack(tmp_path, "[]", **file).plugins.loaded] == ["stackyard"]
    listed = stack(tmp_path, "[stackyard_plugins]", **file).plugins
    assert [p.name for p in listed.loaded] == ["stackyard", "stackyard-plugins"]
    with pytest.raises(ConfigError, match="is a file of the project and has no version"):
        _ = stack(tmp_path, "['stackyard_plugins ==1']", **file).plugins
