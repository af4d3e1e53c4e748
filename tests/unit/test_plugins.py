"""Plugins are loaded each by itself: a broken one is listed and hurts nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackyard import discovery, plugins
from stackyard.errors import PluginError
from stackyard.offers import DISABLED
from stackyard.plugins import Plugins
from tests.unit.stack_files import install

ACME = """
    from stackyard import hookimpl
    from stackyard.flavors import ArtifactFormat, Flavor, SecretProvider

    @hookimpl
    def stackyard_flavors():
        yield Flavor("tracker", "acme", "acme.tracker:Tracker", "acme.config:Config")
"""

Discover = Callable[[], Plugins]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of distributions; the core itself is installed in it too."""
    monkeypatch.delenv(DISABLED, raising=False)
    folder = tmp_path / "site"
    install(folder, "stackyard", "", version="9.9", entry="stackyard.builtin")
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.endswith("_plugin"):
            del sys.modules[name]


def discover(site: Path) -> Plugins:
    return discovery.discover([str(site)])


def reason(site: Path, code: str) -> str:
    """Why a plugin with this code is broken; a good one beside it must work all the same."""
    install(site, "acme", ACME)
    install(site, "bad", code)
    found = discover(site)
    assert [p.name for p in found.loaded] == ["stackyard", "acme"]
    assert found.flavor("tracker", "acme").target == "acme.tracker:Tracker"
    (broken,) = found.broken
    assert (broken.distribution, broken.version) == ("bad", "1.0")
    assert not found.manager.has_plugin("bad")
    return broken.reason


def test_the_core_comes_through_the_same_door(site: Path) -> None:
    found = discover(site)
    assert found.flavor("orchestrator", "local").target == "stackyard.local:LocalOrchestrator"
    assert "plain" in {f.name for f in found.formats()}
    assert [s.name for s in found.secret_providers()] == ["file"]
    assert str(found.loaded[0]) == "stackyard 9.9"
    assert found.broken == ()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "importing bad_plugin failed: ModuleNotFoundError: No module"),
        ("raise SystemExit(3)", "importing bad_plugin failed: SystemExit: 3"),
        ("def broken(:", "importing bad_plugin failed: SyntaxError: "),
        (
            ACME.replace("yield", "raise RuntimeError('two\\nlines')\n        yield"),
            "hook stackyard_flavors raised RuntimeError: two lines",
        ),
        (
            ACME.replace('"acme"', '"worse"') + "        raise KeyError('x')",
            "hook stackyard_flavors raised KeyError: 'x'",
        ),
        (ACME.replace("yield Flavor", "yield object() or Flavor"), "yielded object, not Flavor"),
        (
            ACME.replace('Config")', 'Config", api=2)'),
            "Flavor 'acme' speaks version 2 of the plugin interface, this Stackyard speaks 1",
        ),
        (
            ACME.replace('"tracker"', '"traker"'),
            "flavor 'acme' is of unknown kind 'traker'. Kinds: orchestrator, tracker, registry, "
            "data_versioner, feature_store, validator, monitor, server. Did you mean 'tracker'?",
        ),
        (ACME.replace('"acme"', '"../acme"'), "name '../acme': use ASCII letters"),
        (ACME.replace("acme.config:Config", "acme.config"), "names 'acme.config'; write it as"),
        (ACME.replace("flavors()", "flavours()"), "unknown hook 'stackyard_flavours'. Did"),
        (ACME.replace("flavors()", "flavors(extra)"), "PluginValidationError: "),
        (ACME.replace("    yield", "    raise SystemExit('no licence')\n        yield"),
         "hook stackyard_flavors raised SystemExit: no licence"),
        (ACME.replace("@hookimpl", "@hookimpl(wrapper=True)"), "wrappers are not supported"),
        (
            """
            from stackyard import hookimpl
            from stackyard.flavors import ArtifactFormat

            @hookimpl
            def stackyard_formats():
                yield ArtifactFormat("plain", ("acme.Frame",), "acme.formats:Frame")
            """,
            "format 'plain' is already provided by stackyard 9.9. "
            "Disable one: STACKYARD_DISABLED_PLUGINS=stackyard",
        ),
        (
            """
            from stackyard import hookimpl
            from stackyard.flavors import SecretProvider

            @hookimpl
            def stackyard_secret_providers():
                yield SecretProvider("file", "acme.secrets:find")
            """,
            "secret provider 'file' is already provided by stackyard 9.9",
        ),
    ],
)  # fmt: skip
def test_a_broken_plugin_is_listed_and_hurts_nothing_else(site: Path, code: str, why: str) -> None:
    assert why in reason(site, code)


def test_choosing_a_flavor_of_a_broken_plugin_says_so(site: Path) -> None:
    install(site, "acme", ACME.replace('Config")', 'Config", api=2)'))
    install(site, "worse", "import no_such_module")
    found = discover(site)
    with pytest.raises(PluginError, match=r"comes with plugin acme 1\.0, which is broken"):
        found.flavor("tracker", "acme")
    with pytest.raises(PluginError) as caught:
        found.flavor("tracker", "mlflow")
    assert "Broken plugins, one of which may have it: acme 1.0: " in str(caught.value)
    assert "worse 1.0: importing worse_plugin failed" in str(caught.value)


def test_unknown_flavors_get_a_suggestion(site: Path) -> None:
    install(site, "acme", ACME)
    found = discover(site)
    with pytest.raises(PluginError) as caught:
        found.flavor("tracker", "acne")
    assert str(caught.value) == (
        "unknown flavor 'acne'. Installed for tracker: acme. Did you mean 'acme'?"
    )
    with pytest.raises(PluginError, match=r"server: none\. Is its plugin installed\?"):
        found.flavor("server", "kserve")


def test_a_flavor_of_two_plugins_names_both_and_the_cure(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "zeta", ACME, version="2.0")
    install(site, "acme", ACME, version="1.1")
    found = discover(site)
    assert len(found.loaded) == 3, "both are loaded: other flavors of theirs may be used"
    with pytest.raises(PluginError) as caught:
        found.flavor("tracker", "acme")
    assert str(caught.value) == (
        "tracker 'acme' is provided by two plugins: acme 1.1, zeta 2.0. "
        "Disable one: STACKYARD_DISABLED_PLUGINS=zeta"
    )
    monkeypatch.setenv(DISABLED, "other, Zeta")
    assert discover(site).flavor("tracker", "acme").name == "acme"


def test_a_disabled_plugin_is_not_imported(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "acme-tracker", "import no_such_module")
    monkeypatch.setenv(DISABLED, "acme_tracker")
    found = discover(site)
    assert not found.broken
    said = "Disabled by STACKYARD_DISABLED_PLUGINS: acme-tracker."
    with pytest.raises(PluginError, match=said):
        found.flavor("tracker", "acme")


def test_the_second_of_two_with_one_name_is_refused(site: Path) -> None:
    """And the first goes on listening."""
    listens = """
        from stackyard import hookimpl

        @hookimpl
        def stackyard_after_step(event):
            pass
        """
    install(site, "ac-me", listens)
    (site / "other_plugin.py").write_text("")
    (site / "ac_me-1.0.dist-info" / "entry_points.txt").write_text(
        "[stackyard.plugins]\nac.me = ac_me_plugin\nac_me = other_plugin\n"
    )
    found = discover(site)
    assert [b.reason for b in found.broken] == ["another plugin is called ac-me already"]
    assert [name for name, _ in found.listeners("stackyard_after_step")] == ["ac-me"]


def test_listeners_are_given_what_they_ask_for(site: Path) -> None:
    install(
        site, "acme",
        """
        from stackyard import hookimpl
        heard = []

        @hookimpl
        def stackyard_after_step(event):
            heard.append(event)
        """,
    )  # fmt: skip
    found = discover(site)
    assert found.loaded[1].listens == ("stackyard_after_step",)
    ((name, listener),) = found.listeners("stackyard_after_step")
    listener(run="run", event="event")
    assert name == "acme" and sys.modules["acme_plugin"].heard == ["event"]
    assert found.listeners("stackyard_before_run") == []


def test_a_slow_import_is_noted(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "SLOW", 1.0)  # a busy machine may take its time for the others
    install(site, "acme", "import time\ntime.sleep(1.05)\n")
    install(site, "fast", "")
    slow = {p.name: p.slow for p in discover(site).loaded}
    assert slow == {"stackyard": False, "acme": True, "fast": False}


def test_distributions_are_found_as_importlib_finds_them() -> None:
    from importlib import metadata

    from stackyard.distributions import installed, normal_name

    ours = {(d.name, d.version) for d in installed(discovery.GROUP).values()}
    seen: dict[str, str] = {}
    for found in metadata.distributions():
        seen.setdefault(normal_name(found.metadata["Name"]), found.version)
    assert ours == set(seen.items())
    values = {(n, v) for d in installed("console_scripts").values() for n, v in d.entry_points}
    expected = {(e.name, e.value) for e in metadata.entry_points(group="console_scripts")}
    assert values == expected


def test_the_first_distribution_on_the_path_counts(tmp_path: Path) -> None:
    from stackyard.distributions import installed

    install(tmp_path / "one", "acme-x", "", version="1.0")
    install(tmp_path / "two", "acme-x", "", version="2.0")
    path = [str(tmp_path / "none"), str(tmp_path / "one"), str(tmp_path / "two")]
    assert [str(d) for d in installed(discovery.GROUP, path).values()] == ["acme-x 1.0"]


def test_loading_imports_no_tool_and_no_metadata_library() -> None:
    code = (
        "import sys; from stackyard import plugins; p = plugins.load(); assert p.loaded; "
        "heavy = {'importlib.metadata', 'yaml', 'msgspec', 'mlflow', 'airflow', 'pandas'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
