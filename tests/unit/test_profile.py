"""Stack files become typed profiles: parents, merge, names, what they say about pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard.choice import chosen, list_profiles, use
from stackyard.errors import ConfigError, SecretError
from stackyard.graph import Graph, Param, Step, StepOptions
from stackyard.profile import load_profile
from stackyard.specs import UNSET
from tests.unit.stack_files import LOCAL, profile, project

BASE = """
vars: {host: base, port: 1}
components:
  tracker: {flavor: mlflow, tracking_uri: "http://${var:host}", labels: {a: 1, b: 2}, list: [1, 2]}
  registry: {flavor: mlflow}
resources:
  warehouse: {class: "flights:Warehouse", dsn: "${secret:DSN}", size: 3}
"""
GRAPH = Graph(
    "flights",
    (Step("load", "m:load"), Step("train", "m:train", options=StepOptions(retries=1))),
    params=(
        Param("depth", {"type": "integer"}, 6, type="int"),
        Param("name", {"type": "string"}, required=True, type="str"),
        Param("limit", {"type": ["integer", "null"]}, 5, type="int | None"),
    ),
    schedule="@monthly",
)


def refused(root: Path, text: str, **others: str) -> str:
    with pytest.raises(ConfigError) as caught:
        profile(root, text, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_stack_is_laid_over_what_it_extends(tmp_path: Path) -> None:
    made = profile(
        tmp_path,
        """
        extends: _base
        description: mine
        vars: {host: child}
        components:
          tracker: {labels: {b: 3, c: 4}, list: [9]}
          registry: {flavor: acme, path: x}
        resources:
          warehouse: {size: null}
        """,
        _base=BASE,
    )
    tracker = made.components["tracker"]
    assert tracker.flavor == "mlflow"
    assert tracker.values == {
        "tracking_uri": "http://child", "labels": {"a": 1, "b": 3, "c": 4}, "list": [9],
    }  # fmt: skip
    assert made.components["registry"].values == {"path": "x"}
    assert made.resources["warehouse"].values == {"dsn": "${secret:DSN}"}
    assert made.vars == {"host": "child", "port": 1}
    assert made.files == ("stacks/s.yaml", "stacks/_base.yaml")
    assert made.origin(("components", "tracker", "labels", "a")) == "stacks/_base.yaml:4:77"
    assert made.origin(("components", "tracker", "labels", "b")) == "stacks/s.yaml:6:25"
    assert made.origin(("components", "registry")) == "stacks/s.yaml:7:3"
    assert made.origin(("components", "server")) == ""


def test_another_flavor_or_class_replaces_the_inherited_one_whole(tmp_path: Path) -> None:
    made = profile(
        tmp_path,
        """
        extends: _base
        components: {tracker: {flavor: acme, url: u}}
        resources: {warehouse: {class: "flights:Other", url: u}}
        """,
        _base=BASE,
    )
    assert made.components["tracker"].values == {"url": "u"}
    assert made.resources["warehouse"].values == {"url": "u"}
    same = profile(tmp_path, "extends: _base\ncomponents: {tracker: {flavor: mlflow}}\n")
    assert "tracking_uri" in same.components["tracker"].values


def test_null_removes_what_is_inherited(tmp_path: Path) -> None:
    made = profile(
        tmp_path,
        """
        extends: _middle
        components: {tracker: null, server: null}
        resources: null
        vars: {port: null}
        """,
        _middle="extends: _base\nstore: x\n",
        _base=BASE,
    )
    assert list(made.components) == ["registry"]
    assert made.resources == {}
    assert made.vars == {"host": "base"}
    assert made.files[1:] == ("stacks/_middle.yaml", "stacks/_base.yaml")
    assert made.store == "x"


def test_null_is_a_value_where_it_says_something(tmp_path: Path) -> None:
    base = (
        "pipelines: {flights: {schedule: '@daily', params: {limit: 3, depth: 2}, airflow: {a: 1}}}"
    )
    mine = "{flights: {schedule: null, params: {limit: null}, airflow: null}}"
    text = f"extends: _base\npipelines: {mine}"
    made = profile(tmp_path, text, _base=base)
    section = made.pipelines["flights"]
    assert section.schedule is None
    assert section.params == {"limit": None, "depth": 2}
    assert section.options == {}
    other = profile(tmp_path, "pipelines: {flights: {params: {depth: 1}}}")
    assert other.pipelines["flights"].schedule is UNSET


def test_defaults(tmp_path: Path) -> None:
    made = profile(tmp_path, "")
    assert (made.store, made.durable, made.pickle) == (".stackyard/store", False, True)
    assert (made.description, made.vars, made.components) == ("", {}, {})
    assert profile(tmp_path, "pickle: forbid\ndurable: true").pickle is False


def test_the_store_is_looked_up_at_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUCKET", raising=False)
    made = profile(tmp_path, "store: s3://${env:BUCKET}/x\n")
    with pytest.raises(SecretError, match=r"stacks/s\.yaml:1:8 environment variable BUCKET"):
        _ = made.store
    monkeypatch.setenv("BUCKET", "b")
    assert made.store == "s3://b/x"
    made = profile(tmp_path / "bare", "store: ${env:BUCKET}\n")
    monkeypatch.setenv("BUCKET", "")
    with pytest.raises((ConfigError, SecretError), match=r"s\.yaml:1:8 .*empty"):
        _ = made.store


def test_cycles_and_missing_parents_name_the_chain(tmp_path: Path) -> None:
    message = refused(tmp_path, "extends: a\n", a="extends: b\n", b="extends: a\n")
    assert message == (
        "stacks/b.yaml:1:10 extends: stacks extend each other in a circle: a -> b -> a"
    )
    assert refused(tmp_path, "extends: s\n").endswith("in a circle: s -> s")
    message = refused(tmp_path, "extends: c\n", c="description: c\nextends: _bse\n", _base="")
    assert message == (
        "stacks/c.yaml:2:10 extends: there is no stacks/_bse.yaml (s -> c -> _bse). "
        "There are: _base, a, b, c, s. Did you mean '_base'?"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "componets: {}\n",
            "1:1 unknown key 'componets' in a stack file. Keys: extends, description, store, "
            "durable, pickle, vars, components, resources, pipelines, plugins. "
            "Did you mean 'components'?",
        ),
        ("description: 3\n", "1:14 description: expected text, got a whole number"),
        ("store: ''\n", "1:8 store: is empty. Write a folder or a URL, or leave the key out"),
        ("store: ' '\n", "1:8 store: is empty"),
        ("store: [x]\n", "1:8 store: expected text, got a list"),
        ("store: s3://${secret:X}\n", "1:8 store: a secret may not stand in the store's address"),
        ("durable: 'true'\n", "1:10 durable: write true or false"),
        ("pickle: never\n", "1:9 pickle: write allow or forbid"),
        ("components: [x]\n", "1:13 components: a list, not a mapping"),
        ("components:\n  traker: {flavor: x}\n", "2:3 components: unknown kind 'traker'. Kinds: "
         "orchestrator, tracker, registry, data_versioner, feature_store, validator, monitor, "
         "server. Did you mean 'tracker'?"),
        ("components: {tracker: mlflow}\n", "1:23 tracker: text; write tracker: {flavor: ...}"),
        ("components: {tracker: {url: x}}\n", "1:23 tracker: missing key 'flavor'. See: stackyard"),
        ("components: {tracker: {flavour: x}}\n", "1:24 tracker: unknown key 'flavour'. Did you "
         "mean 'flavor'?"),
        ("components: {tracker: {flavor: 3}}\n", "1:32 tracker.flavor: write the name of a flavor"),
        ("components: {tracker: {flavor: '${env:F}'}}\n", "1:32 tracker.flavor: write the name"),
        ("components: {'tracker.': {flavor: x}}\n", "1:14 components: 'tracker.': after 'tracke"),
        ("resources: {w: {dsn: x}}\n", "1:16 resources.w: missing key 'class' (module:Class)"),
        ("resources: {w: {class: flights}}\n", "1:24 resources.w.class: 'flights' is not 'modul"),
        ("resources: {w: 3}\n", "1:16 resources.w: a whole number; write w: {class: module:Class}"),
        ("pipelines: {p: 3}\n", "1:16 pipelines.p: a whole number, not a mapping"),
        ("pipelines: {p: {schedule: 3}}\n", "1:27 pipelines.p.schedule: expected a cron expr"),
        ("pipelines: {p: {shedule: '@daily'}}\n", "1:17 pipelines.p: unknown key 'shedule'. Keys: "
         "schedule, params, steps, or an orchestrator's flavor with a mapping. Did you mean 'sche"),
        ("pipelines: {p: {steps: {a: {retry: 1}}}}\n", "1:29 unknown key 'retry' in pipelines.p."),
        ("pipelines: {p: {steps: {a: 1}}}\n", "1:28 pipelines.p.steps.a: not a mapping"),
        ("pipelines: {p: {params: {d: '${env:D}'}}}\n", "1:29 pipelines.p: ${env:D} is not known"),
        ("extends: [a, b]\n", "1:10 extends: a list; write the name of one stack"),
        ("vars: {a: '${var:b}'}\n", "1:11 unknown variable 'b'. In vars: a."),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    said = refused(tmp_path, text)
    assert said.startswith(f"stacks/s.yaml:{message}"), said


BAD_NAMES = ["../x", "a/b", "a'b", 'a"b', "a\nb", "{{ 7*7 }}", "", " ", "1x", "ä", "a;b", "x" * 101]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_are_held_to_an_allow_list(tmp_path: Path, name: str) -> None:
    import json

    quoted = json.dumps(name)  # JSON text is YAML text
    for text in (
        f"components: {{{json.dumps('tracker.' + name)}: {{flavor: x}}}}\n",
        f"resources: {{{quoted}: {{class: 'a:B'}}}}\n",
        f"pipelines: {{{quoted}: {{}}}}\n",
        f"pipelines: {{p: {{steps: {{{quoted}: {{}}}}}}}}\n",
        f"pipelines: {{p: {{params: {{{quoted}: 1}}}}}}\n",
        f"vars: {{{quoted}: 1}}\n",
        f"extends: {quoted}\n",
    ):
        assert refused(tmp_path, text).startswith("stacks/s.yaml:1:"), text
    if name:
        with pytest.raises(ConfigError, match="stack "):
            load_profile(project(tmp_path, {}), name)
        with pytest.raises(ConfigError, match="--stack: stack "):
            chosen(project(tmp_path, {}), name)


def test_unknown_stacks_list_what_there_is(tmp_path: Path) -> None:
    here = project(tmp_path, {"local": LOCAL, "prod": LOCAL, "_base": "", "stacks/dev.yml": LOCAL})
    assert list_profiles(here) == ["local", "prod"]
    for name, message in {
        "prd": "unknown stack 'prd': there is no stacks/prd.yaml. Stacks: local, prod. Did you "
        "mean 'prod'?",
        "dev": "unknown stack 'dev': there is no stacks/dev.yaml. Stacks: local, prod. Rename "
        "dev.yml to dev.yaml.",
        "_base": "stack '_base': files beginning with '_' are parents only. Stacks: local, prod",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load_profile(here, name)
        assert str(caught.value) == message


def test_which_stack_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STACKYARD_STACK", raising=False)
    here = project(tmp_path, {"local": LOCAL})
    assert chosen(here, None) == "local"
    use(here, "prod")
    assert chosen(here, None) == "prod"
    monkeypatch.setenv("STACKYARD_STACK", "dev")
    assert chosen(here, None) == "dev"
    assert chosen(here, "staging") == "staging"
    (tmp_path / ".stackyard" / "stack").write_text("../etc")
    monkeypatch.delenv("STACKYARD_STACK")
    with pytest.raises(ConfigError, match=r"^\.stackyard/stack: stack '\.\./etc'"):
        chosen(here, None)


def test_a_stack_rules_over_the_code(tmp_path: Path) -> None:
    made = profile(
        tmp_path,
        """
        vars: {pool: ml}
        components: {orchestrator: {flavor: airflow}}
        pipelines:
          flights:
            schedule: "0 6 * * *"
            params: {depth: 8, name: x, limit: null}
            airflow: {owner: ml, pool: "${var:pool}"}
            other: {a: 1}
            steps:
              train: {timeout: 2h, cache: false, resources: {cpu: 8}, retry_delay: 5}
        """,
    )
    graph, settings = made.apply(GRAPH)
    assert graph.schedule == "0 6 * * *"
    assert [(p.default, p.required) for p in graph.params] == [
        (8, False),
        ("x", False),
        (None, False),
    ]
    options = StepOptions(
        retries=1, retry_delay=5.0, timeout=7200.0, cache=False, resources={"cpu": 8}
    )
    assert graph.step("train").options == options
    assert graph.step("load") == GRAPH.step("load")
    assert settings.options == {"owner": "ml", "pool": "ml"}
    other = Graph("else", GRAPH.steps)
    assert made.apply(other)[0] is other


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("steps: {trian: {retries: 1}}", "1:31 pipeline 'flights' has no step 'trian'. Steps: "
         "load, train. Did you mean 'train'?"),
        ("params: {dept: 1}", "1:32 pipeline 'flights' has no parameter 'dept'. Parameters: "
         "depth, name, limit. Did you mean 'depth'?"),
        ("params: {depth: deep}", "1:39 pipelines.flights.params.depth: takes int, got 'deep'"),
        ("params: {depth: '8'}", "1:39 pipelines.flights.params.depth: takes int, got '8'"),
        ("params: {name: 8}", "1:38 pipelines.flights.params.name: takes str, got 8"),
        ("steps: {train: {timeout: soon}}", "1:48 step 'train': timeout: 'soon' is no duration"),
        ("steps: {train: {retries: -1}}", "1:48 step 'train': retries: -1 is not a number of"),
        ("schedule: sometimes", "1:33 pipelines.flights.schedule: "),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_pipeline_names_the_place(
    tmp_path: Path, section: str, message: str
) -> None:
    made = profile(tmp_path, f"pipelines: {{flights: {{{section}}}}}\n")
    with pytest.raises(ConfigError) as caught:
        made.apply(GRAPH)
    assert str(caught.value).startswith(f"stacks/s.yaml:{message}"), caught.value


def test_errors_that_begin_with_a_route_are_placed(tmp_path: Path) -> None:
    made = profile(tmp_path, "pipelines:\n  p:\n    airflow: {pool: 3}\n")
    text = "pipelines.p.airflow.pool: expected text"
    assert made.located(text) == f"stacks/s.yaml:3:21 {text}"
    assert made.located("pipelines.p.airflow.x: unknown").startswith("stacks/s.yaml:3:5 pipelines")
    assert made.located("something else") == "something else"


def test_a_pinned_project_has_its_own_stacks(tmp_path: Path) -> None:
    here = project(tmp_path / "now", {"s": "description: now\n"})
    project(tmp_path / "then", {"s": "description: then\n", "t": ""})
    pinned = here.at(tmp_path / "then", [])
    assert load_profile(pinned, "s").description == "then"
    assert list_profiles(pinned) == ["s", "t"]


def test_the_example_of_the_reference_page_loads(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "stacks.md"
    example = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    made = profile(tmp_path, example, _base=LOCAL)
    assert set(made.components) == {"orchestrator", "tracker", "feature_store.inhouse"}
    assert made.pipelines["flight_delays"].steps["train"]["timeout"] == "2h"
