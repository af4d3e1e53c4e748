"""A stack at work: components, resources, what is missing, cache fingerprints, records."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard import plugins
from stackyard.components.base import Secret
from stackyard.components.orchestrator import Orchestrator
from stackyard.discovery import discover
from stackyard.errors import ConfigError, PluginError, SecretError, StackyardError
from stackyard.graph import Graph, Injection, Step
from stackyard.offers import DISABLED
from stackyard.preflight import missing
from stackyard.profile import load_profile
from stackyard.stack import Stack
from stackyard.stack_check import check
from tests.unit.stack_files import install, project

ACME = """
from dataclasses import dataclass
from stackyard import hookimpl
from stackyard.components.base import Secret
from stackyard.components.orchestrator import Orchestrator, RunOutcome
from stackyard.components.tracker import Tracker
from stackyard.errors import ConfigError
from stackyard.flavors import Flavor

@dataclass(frozen=True)
class Config:
    url: str = "http://127.0.0.1"
    depth: int = 3
    token: Secret | None = None

class AcmeTracker(Tracker):
    def open(self, run, tracking_id): ...
    def write(self, tracking_id, entries): ...
    def finish(self, tracking_id, run): ...
    def discard(self, tracking_id): ...

class Half(Tracker):
    def open(self, run, tracking_id): ...

class Compiler(Orchestrator):
    capabilities = frozenset({"compile"})
    def run(self, request, settings, watch): return RunOutcome("succeeded")
    def compile(self, graph, settings, stack):
        if "pol" in settings.options:
            raise ConfigError(f"pipelines.{graph.name}.compiler.pol: unknown option")
        return {f"{graph.name}.txt": self.config.url}

@hookimpl
def stackyard_flavors():
    here = __name__
    for kind, name, target, config in (
        ("tracker", "acme", "AcmeTracker", "Config"), ("tracker", "half", "Half", "Config"),
        ("tracker", "wrong", "Compiler", "Config"), ("tracker", "gone", "Gone", "Config"),
        ("tracker", "unfrozen", "AcmeTracker", "AcmeTracker"),
        ("orchestrator", "compiler", "Compiler", "Config"),
    ):
        yield Flavor(kind, name, f"{here}:{target}", f"{here}:{config}")
"""
FLIGHTS = """
from dataclasses import dataclass
from stackyard import Resource, Secret

@dataclass(frozen=True)
class Warehouse(Resource):
    dsn: Secret
    size: int = 3

class NotOne:
    pass
"""
STACK = """
components:
  orchestrator: {flavor: compiler}
  tracker: {flavor: acme, url: "${env:ACME_URL}", token: "${secret:ACME_TOKEN}"}
resources:
  warehouse: {class: "flights:Warehouse", dsn: "${secret:DSN}"}
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[plugins.Plugins]:
    for name in (DISABLED, "ACME_URL", "ACME_TOKEN", "DSN", "STACKYARD_SECRETS_FILE"):
        monkeypatch.delenv(name, raising=False)
    site = tmp_path / "site"
    install(site, "stackyard", "", entry="stackyard.builtin")
    install(site, "acme", ACME)
    monkeypatch.syspath_prepend(str(site))
    path = list(sys.path)
    before = set(sys.modules)
    yield discover([str(site)])
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name in ("acme_plugin", "flights", "good"):
            del sys.modules[name]


def stack(root: Path, installed: plugins.Plugins, text: str = STACK, **files: str) -> Stack:
    here = project(root / "p", {"s": text, "dags/flights.py": FLIGHTS, **files})
    return Stack(load_profile(here, "s"), here, installed)


def graph(*injections: Injection) -> Graph:
    named = {f"a{n}": i for n, i in enumerate(injections)}
    return Graph(
        "p", (Step("one", "m:one", injections=named), Step("two", "m:two", injections=named))
    )


def test_components_are_built_when_asked_for(
    tmp_path: Path, installed: plugins.Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stack(tmp_path, installed)
    assert made.orchestrator_flavor == "compiler"
    assert made.has("tracker") and not made.has("tracker", "other") and not made.has("server")
    assert made.has("resource", "warehouse") and not made.has("resource", "other")
    with pytest.raises(SecretError, match=r"stacks/s\.yaml:4:32 environment variable ACME_URL"):
        made.component("tracker")
    monkeypatch.setenv("ACME_URL", "http://acme")
    tracker = made.component("tracker", run="r", step="load", deadline=5.0)
    assert type(tracker).__name__ == "AcmeTracker"
    assert tracker.config.url == "http://acme"
    context = tracker.context
    assert (context.name, context.stack, context.project) == ("tracker", "s", tmp_path / "p")
    assert (context.run, context.step, context.deadline) == ("r", "load", 5.0)
    assert context.cache_dir == tmp_path / "p" / ".stackyard" / "cache" / "tracker"
    assert context.state_dir == tmp_path / "p" / ".stackyard" / "state" / "tracker"
    assert context.actor and not context.cache_dir.exists(), "building one writes nothing"
    with pytest.raises(SecretError, match="secret 'ACME_TOKEN' is not set"):
        tracker.config.token.reveal()
    monkeypatch.setenv("ACME_TOKEN", "hunter2")
    assert tracker.config.token.reveal() == "hunter2"
    assert "hunter2" not in repr(tracker.config)


def test_a_literal_component_needs_no_environment(
    tmp_path: Path, installed: plugins.Plugins
) -> None:
    made = stack(tmp_path, installed, STACK.replace("compiler}", 'compiler, url: "${env:X}"}'))
    orchestrator: Orchestrator = made.component("orchestrator", literal=True)
    assert orchestrator.config.url == "http://127.0.0.1"


@pytest.mark.parametrize(
    ("component", "error", "says"),
    [
        ("flavor: acne", PluginError, "3:21 tracker.flavor: unknown flavor 'acne'. Installed for "
         "tracker: acme, gone, half, unfrozen, wrong. Did you mean 'acme'?"),
        ("flavor: acme, dpth: 2", ConfigError, "3:27 tracker (acme): unknown key 'dpth'. Keys: "
         "url, depth, token. Did you mean 'depth'?"),
        ("flavor: half", PluginError, "3:21 tracker 'half': acme_plugin:Half lacks methods of "
         "Tracker: discard, finish, write"),
        ("flavor: wrong", PluginError, "3:21 tracker 'wrong': acme_plugin:Compiler is not a "
         "subclass of Tracker"),
        ("flavor: gone", PluginError, "3:21 tracker 'gone': importing acme_plugin:Gone failed: "
         "AttributeError: "),
        ("flavor: unfrozen", PluginError, "3:21 tracker 'unfrozen': configuration "
         "acme_plugin:AcmeTracker is not a frozen dataclass"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_names_its_place(
    tmp_path: Path, installed: plugins.Plugins, component: str, error: type, says: str
) -> None:
    text = f"components:\n  orchestrator: {{flavor: compiler}}\n  tracker: {{{component}}}\n"
    made = stack(tmp_path, installed, text)
    with pytest.raises(error) as caught:
        made.component("tracker")
    assert str(caught.value).startswith(f"stacks/s.yaml:{says}")
    assert check(made, []).errors == [str(caught.value)]


def test_what_the_stack_lacks_is_said(tmp_path: Path, installed: plugins.Plugins) -> None:
    made = stack(tmp_path, installed, "components: {tracker: {flavor: acme}}\n")
    for ask, says in (
        (
            lambda: made.component("server"),
            "stacks/s.yaml: stack 's' has no server. It has: tracker. Flavors installed: none. "
            "Add: components: {server: {flavor: FLAVOR}}",
        ),
        (
            lambda: made.component("tracker", "eu"),
            "has no tracker.eu. It has: tracker. Flavors installed: acme, gone, half, unfrozen, "
            "wrong. Add: components: {tracker.eu: {flavor: FLAVOR}}",
        ),
        (lambda: made.resource("house"), "stack 's' has no resource 'house'. Resources: none."),
        (lambda: made.orchestrator_flavor, "has no orchestrator"),
    ):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert says in str(caught.value)


def test_missing_names_the_steps(tmp_path: Path, installed: plugins.Plugins) -> None:
    made = stack(tmp_path, installed)
    assert missing(made, graph(Injection("tracker"), Injection("resource", "warehouse"))) == []
    assert missing(made, graph(Injection("server", optional=True))) == []
    lines = missing(made, graph(Injection("tracker", "eu"), Injection("resource", "warehose")))
    assert lines == [
        "stacks/s.yaml: pipeline 'p': steps one, two need a tracker.eu, which stack 's' lacks. "
        "Flavors installed: acme, gone, half, unfrozen, wrong. "
        "Add: components: {tracker.eu: {flavor: FLAVOR}}",
        "stacks/s.yaml: pipeline 'p': steps one, two need resource 'warehose', which stack 's' "
        "lacks. "
        "Resources: warehouse. Did you mean 'warehouse'? "
        "Add: resources: {warehose: {class: module:Class}}",
    ]


def test_resources_are_made_of_their_keys(
    tmp_path: Path, installed: plugins.Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = stack(tmp_path, installed).resource("warehouse")
    assert warehouse.size == 3 and isinstance(warehouse.dsn, Secret)
    monkeypatch.setenv("DSN", "postgres://hunter2")
    assert warehouse.dsn.reveal() == "postgres://hunter2"
    for keys, says in {
        'class: "flights:Warehouse"': "2:14 resources.warehouse: missing key 'dsn' (${secret",
        'class: "flights:Warehouse", dsn: plain': "2:48 resources.warehouse: dsn: holds a secret",
        'class: "flights:Warehous"': "2:22 resources.warehouse.class: importing flights:Warehous",
        'class: "flights:NotOne"': "2:22 resources.warehouse.class: flights:NotOne is not a",
        'class: "flightz:Warehouse"': "2:22 resources.warehouse.class: importing flightz:Warehouse",
    }.items():
        made = stack(tmp_path, installed, f"resources:\n  warehouse: {{{keys}}}\n")
        with pytest.raises(ConfigError) as caught:
            made.resource("warehouse")
        assert str(caught.value).startswith(f"stacks/s.yaml:{says}")
        assert str(caught.value) in check(made, []).errors


def test_fingerprints_hold_defaults_and_no_secret(
    tmp_path: Path, installed: plugins.Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stack(tmp_path, installed)
    with pytest.raises(SecretError):
        made.fingerprint("tracker")
    monkeypatch.setenv("ACME_URL", "http://a")
    monkeypatch.setenv("ACME_TOKEN", "hunter2")
    expected = {"flavor": "acme", "config": {"url": "http://a", "depth": 3}}
    assert made.fingerprint("tracker") == expected
    assert made.fingerprint("resource", "warehouse") == {"class": "flights:Warehouse", "config": {}}
    assert made.fingerprint("server") is None
    assert made.fingerprint("resource", "other") is None
    assert "flights" not in sys.modules, "a cache key imports no user code"
    monkeypatch.setenv("ACME_URL", "http://b")
    again = stack(tmp_path, installed).fingerprint("tracker")
    assert json.loads(json.dumps(again)) != expected


def test_a_record_describes_the_stack_without_secrets(
    tmp_path: Path, installed: plugins.Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_TOKEN", "hunter2")
    made = stack(tmp_path, installed)
    assert made.describe()["tracker"] == {
        "flavor": "acme", "url": "${env:ACME_URL}", "token": "${secret:ACME_TOKEN}",
    }  # fmt: skip
    monkeypatch.setenv("ACME_URL", "http://a")
    described = made.describe()
    assert described["tracker"]["url"] == "http://a"
    assert described["resources.warehouse"] == {
        "class": "flights:Warehouse",
        "dsn": "${secret:DSN}",
    }
    assert "hunter2" not in json.dumps(described)
    assert made.packages() == {"acme": "1.0", "stackyard": "1.0"}


WRONG = "import nowhere\nfrom stackyard import pipeline\n@pipeline\ndef wrong(): ...\n"
GOOD = """
    from stackyard import Tracker, from_stack, pipeline, step
    from flights import Warehouse

    class House(Warehouse): ...

    @step
    def log(*, tracker: Tracker = from_stack(), warehouse: {annotation} = from_stack()) -> int:
        return 1

    @pipeline
    def good(depth: int = 1) -> None:
        log()
"""


def test_check_finds_everything_at_once(
    tmp_path: Path, installed: plugins.Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        components:
          orchestrator: {flavor: compiler, wrkers: 2}
          tracker: {flavor: acme, depth: deep, url: "${env:ACME_URL}"}
          server: {flavor: kserve}
        pipelines:
          good: {params: {dept: 3}}
          bad: {schedule: null, kompiler: {}}
        """
    pipelines = {
        "dags/good.py": GOOD.replace("{annotation}", "Warehouse"),
        "dags/wrong.py": WRONG,
    }
    made = stack(tmp_path, installed, text, **pipelines)
    found = check(made)
    assert [line.split(" ")[0] for line in found.errors] == [
        "stacks/s.yaml:3:36", "stacks/s.yaml:4:34", "stacks/s.yaml:5:20", "stacks/s.yaml:",
        "stacks/s.yaml:7:19",
    ], found.errors  # fmt: skip
    assert "step 'log' needs resource 'warehouse'" in found.errors[3]
    assert found.pipelines == ["good"]
    warnings = "\n".join(found.warnings)
    assert "stacks/s.yaml:4:45 tracker: environment variable ACME_URL is not set" in warnings
    assert (
        "stacks/s.yaml:8:3 pipelines: there is no pipeline 'bad'. Pipelines: good, wrong."
        in warnings
    )
    assert (
        "'kompiler' is no orchestrator that is installed here. Installed: compiler, loca"
        in warnings
    )
    assert "dags/wrong.py:1: ModuleNotFoundError" in warnings
    assert len(found.warnings) == 4
    assert "dags/wrong.py:1" in check(made, ["wrong"]).errors[-1]


def test_check_holds_resources_against_what_steps_ask_for(
    tmp_path: Path, installed: plugins.Plugins
) -> None:
    fits = stack(tmp_path, installed, **{"dags/good.py": GOOD.replace("{annotation}", "Warehouse")})
    assert check(fits, ["good"]).errors == []
    del sys.modules["good"], sys.modules["flights"]
    other = stack(tmp_path, installed, **{"dags/good.py": GOOD.replace("{annotation}", "House")})
    (line,) = check(other, ["good"]).errors
    assert line == (
        "stacks/s.yaml:6:22 resources.warehouse: flights:Warehouse is not a good.House, which step "
        "'log' of pipeline 'good' asks for as 'warehouse'"
    )


def test_check_lets_the_orchestrator_compile(tmp_path: Path, installed: plugins.Plugins) -> None:
    text = "components: {orchestrator: {flavor: compiler}}\npipelines:\n  p: {compiler: {pol: x}}\n"
    code = (
        "from stackyard import pipeline, step\n@step\ndef a() -> int: return 1\n@pipeline\n"
        "def p() -> None: a()\n"
    )
    made = stack(tmp_path, installed, text, **{"dags/good.py": code})
    assert check(made).errors == ["stacks/s.yaml:3:23 pipelines.p.compiler.pol: unknown option"]


def test_check_asks_for_an_orchestrator(tmp_path: Path, installed: plugins.Plugins) -> None:
    (line,) = check(stack(tmp_path, installed, "description: nothing\n")).errors
    assert line.startswith("stacks/s.yaml: stack 's' has no orchestrator, so nothing can run.")


def test_the_local_orchestrator_is_a_flavor_like_others(tmp_path: Path) -> None:
    here = project(tmp_path, {"s": "components: {orchestrator: {flavor: local, workers: 0}}\n"})
    made = Stack(load_profile(here, "s"), here)
    with pytest.raises(
        StackyardError, match=r"1:53 orchestrator \(local\): workers: 0 is not at le"
    ):
        made.config("orchestrator")
