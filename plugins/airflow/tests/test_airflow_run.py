"""Generated DAGs in a real Airflow; a stand-in answers for the step process."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from plugins.airflow.tests.conftest import RealAirflow
from stackyard.components.base import Context
from stackyard.components.orchestrator import StepEvent
from stackyard.errors import InvalidInput, Unavailable, UsageError
from stackyard.graph import FromStep, Graph, Param, Step, StepOptions
from stackyard_airflow.config import AirflowConfig
from stackyard_airflow.orchestrator import AirflowOrchestrator
from tests.e2e.background import lives, until

PLAN = Param("plan", {"type": "object"}, {})
DEPTH = Param("depth", {"type": "integer", "minimum": 1}, 6)


def diamond(name: str, **options: StepOptions) -> Graph:
    """a -> b, c; b -> d; d also waits for c."""
    empty = StepOptions()
    return Graph(
        name,
        (
            Step("a", "m:a", options=options.get("a", empty)),
            Step("b", "m:b", {"x": FromStep("a")}, options=options.get("b", empty)),
            Step("c", "m:c", {"x": FromStep("a")}, options=options.get("c", empty)),
            Step("d", "m:d", {"x": FromStep("b")}, after=("c",), options=options.get("d", empty)),
        ),
        (PLAN, DEPTH),
        source=f"{name}.py:{name}",
    )


def test_a_run_tells_each_step_what_it_needs(airflow: RealAirflow) -> None:
    text = "{{ 7*7 }} {% raw %} 'quoted' \"twice\" \n line $HOME `id`"
    graph = replace(diamond("tells"), params=(PLAN, DEPTH, Param("text", {"type": "string"}, "x")))
    done = airflow.run(
        graph, {"plan": {}, "depth": 7, "text": text}, resume="latest", cache=False, reason="why"
    )
    assert done.outcome.status == "succeeded"
    assert done.outcome.error is None
    assert done.outcome.url.endswith(f"/dags/tells/runs/{done.request.run_id}")
    for step in "abcd":
        assert done.statuses(step) == ["running", "succeeded"]
    assert set(done.calls) == {"a@1", "b@1", "c@1", "d@1", "finish@1"}
    env = done.calls["d@1"]["env"]
    assert env["STACKYARD_PIPELINE"] == "tells"
    assert env["STACKYARD_STACK"] == "dev"
    assert env["STACKYARD_GRAPH"] == graph.digest()
    assert env["STACKYARD_RUN"] == done.request.run_id
    assert env["STACKYARD_TRY"] == "1"
    assert env["STACKYARD_PERIOD"] == ""
    assert env["STACKYARD_REASON"] == "manual"
    assert env["STACKYARD_PROJECT"] == str(airflow.root)
    assert env["LITERAL"] == "{{ 7*7 }}"
    asked = {"reason": "why", "actor": "tester", "resume": "latest", "cache": False}
    params = {"plan": {}, "depth": 7, "text": text, "stackyard": asked}
    assert json.loads(env["STACKYARD_PARAMS"]) == params
    reference = json.loads(env["STACKYARD_INPUTS"])  # of b, whose data it reads, and not of c
    assert list(reference) == ["b"]
    assert reference["b"]["outputs"] == {"result": "ab12"}
    assert "STACKYARD_INPUTS" not in done.calls["a@1"]["env"]
    last = max(done.calls.values(), key=lambda c: c["start"])
    assert last["step"] == "finish"


def test_retries_then_failures_and_what_never_ran(airflow: RealAirflow) -> None:
    quick = StepOptions(retries=2, retry_delay=0.1)
    graph = diamond("breaks", a=quick, b=replace(quick, retries=3), c=replace(quick, retries=1))
    plan = {"a": ["fail", "ok"], "b": ["wrong"], "c": ["fail"]}
    done = airflow.run(graph, {"plan": plan})
    assert done.statuses("a") == ["running", "retrying", "running", "succeeded"]
    assert done.statuses("b") == ["running", "failed"]  # exit code 2: not tried again
    assert done.statuses("c") == ["running", "retrying", "running", "failed"]
    assert done.statuses("d") == ["skipped"]
    assert set(done.calls) == {"a@1", "a@2", "b@1", "c@1", "c@2", "finish@1"}
    assert done.outcome.status == "failed"
    assert done.outcome.error == (
        "step 'b' failed: error: b is configured wrongly; "
        "step 'c' failed: ValueError: c cannot, try 2"
    )
    failed = next(e for e in done.events if e.step == "c" and e.status == "failed")
    assert failed.log == ("c: fail", "ValueError: c cannot, try 2")
    finish = done.calls["finish@1"]
    assert finish["start"] >= max(c["end"] for n, c in done.calls.items() if n != "finish@1")
    client = airflow.orchestrator._client()
    assert client.run_state("breaks", done.request.run_id) == "failed"  # though finish succeeded


def test_a_failed_leaf_does_not_hide_behind_others(airflow: RealAirflow) -> None:
    graph = Graph("leaves", (Step("good", "m:f"), Step("bad", "m:f")), (PLAN,))
    done = airflow.run(graph, {"plan": {"bad": ["chatter"]}})
    assert done.outcome.status == "failed"
    assert done.outcome.error == "step 'bad' failed: {'no': 'reference'}"
    assert done.statuses("good")[-1] == "succeeded"


def test_a_step_over_its_timeout_is_stopped(airflow: RealAirflow) -> None:
    graph = diamond("late", c=StepOptions(timeout=4, retries=1, retry_delay=0.1))
    done = airflow.run(graph, {"plan": {"c": ["sleep", "ok"], "b": ["skip"]}})
    assert done.statuses("c") == ["running", "retrying", "running", "succeeded"]
    retrying = next(e for e in done.events if e.status == "retrying")
    assert retrying.text == "timed out"
    stopped = done.calls["c@1"]
    assert stopped["signal"] == 15
    assert stopped["end"] - stopped["start"] < 15
    until(lambda: not lives(stopped["pid"]))
    assert done.statuses("b")[-1] == done.statuses("d")[-1] == "skipped"  # exit code 99
    assert done.outcome.status == "succeeded"
    assert "finish@1" in done.calls


def test_a_pool_limits_what_runs_at_once(airflow: RealAirflow) -> None:
    names = ["one", "two", "three"]
    graph = Graph("pooled", tuple(Step(n, "m:f") for n in names), (PLAN,))
    plan = {n: ["nap"] for n in names}
    done = airflow.run(graph, {"plan": plan}, {"pool": "narrow"})
    spans = sorted((done.calls[f"{n}@1"]["start"], done.calls[f"{n}@1"]["end"]) for n in names)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    free = airflow.run(replace(graph, name="unpooled"), {"plan": plan})
    spans = sorted((free.calls[f"{n}@1"]["start"], free.calls[f"{n}@1"]["end"]) for n in names)
    assert spans[1][0] < spans[0][1]  # without the pool they overlap
    with pytest.raises(UsageError, match="no pool 'deep'"):
        airflow.run(graph, {"plan": plan}, {"pool": "deep"})


def test_a_cleared_task_runs_again_with_all_behind_it(airflow: RealAirflow) -> None:
    done = airflow.run(diamond("cleared"), {"plan": {}})
    client = airflow.orchestrator._client()
    client.clear("cleared", done.request.run_id, ["b"])
    wanted = {"b@2", "d@2", "finish@2"}
    until(lambda: wanted <= set(airflow.called(done.request.run_id)))
    calls = airflow.called(done.request.run_id)
    assert not {"a@2", "c@2"} & set(calls)
    assert calls["b@2"]["env"]["STACKYARD_TRY"] == "2"


def test_parameters_are_checked_by_the_dags_schema(airflow: RealAirflow) -> None:
    graph = diamond("schema")
    airflow.run(graph, {"plan": {}, "depth": 1})
    client = airflow.orchestrator._client()
    with pytest.raises(InvalidInput, match="depth"):
        client.trigger("schema", "20260101-000000-00000000", {"depth": 0}, "")
    with pytest.raises(InvalidInput, match="depth"):
        client.trigger("schema", "20260101-000000-00000000", {"depth": "six"}, "")


def test_a_scheduled_run_knows_its_period(airflow: RealAirflow) -> None:
    graph = replace(
        diamond("hourly"), schedule="0 * * * *", start="2026-01-01", timezone="America/New_York"
    )
    done = airflow.run(graph, {"plan": {}})  # unpauses it: Airflow makes the last interval's run
    assert done.calls["a@1"]["env"]["STACKYARD_PERIOD"] == ""
    found = until(lambda: list(airflow.calls.glob("scheduled__*@finish@1")))
    call = json.loads(found[0].read_text())
    env = call["env"]
    assert env["STACKYARD_RUN"].startswith("scheduled__")
    assert env["STACKYARD_REASON"] == "schedule"
    start, end = (datetime.fromisoformat(t) for t in env["STACKYARD_PERIOD"].split("/"))
    assert (end - start).total_seconds() == 3600
    assert start.minute == 0
    zone = ZoneInfo("America/New_York")
    assert start.utcoffset() == start.astimezone(zone).utcoffset()  # as the period in process
    assert end.timestamp() <= time.time() < end.timestamp() + 3700


def test_a_changed_pipeline_is_parsed_before_it_runs(airflow: RealAirflow) -> None:
    first = airflow.run(diamond("changes"), {"plan": {}})
    began = time.monotonic()
    other = replace(diamond("changes"), doc="Otherwise.")
    second = airflow.run(other, {"plan": {}})
    assert time.monotonic() - began < 25  # and not after the usual half minute
    digests = [d.calls["a@1"]["env"]["STACKYARD_GRAPH"] for d in (first, second)]
    assert digests == [diamond("changes").digest(), other.digest()]


def test_ctrl_c_stops_the_steps_and_closes_the_record(airflow: RealAirflow) -> None:
    before = set(airflow.calls.glob("*@c@1"))

    def interrupt(event: StepEvent) -> None:
        if event.step == "c" and event.status == "running":
            until(lambda: set(airflow.calls.glob("*@c@1")) - before)  # Airflow tells it before
            raise KeyboardInterrupt

    done = airflow.run(diamond("stopped"), {"plan": {"c": ["sleep"]}}, watch=interrupt)
    assert done.outcome.status == "cancelled"
    assert "c" in done.outcome.interrupted
    assert done.statuses("c") == ["running", "interrupted"]
    # The task hears of it with its next heartbeat.
    until(lambda: airflow.called(done.request.run_id)["c@1"]["signal"] is not None)
    assert "d@1" not in done.calls
    assert "finish@1" in done.calls


def test_a_file_that_airflow_cannot_parse_is_shown(
    airflow: RealAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"broken.py": "from airflow.sdk import DAG\nraise ValueError('not today')\n"}
    monkeypatch.setattr(AirflowOrchestrator, "compile", lambda *a: broken)
    monkeypatch.setattr(airflow.orchestrator, "config", AirflowConfig(timeout=15.0))
    with pytest.raises((UsageError, Unavailable), match="not today"):
        airflow.run(diamond("broken"), {"plan": {}})


def test_an_existing_airflow_is_used_by_url_and_token(airflow: RealAirflow) -> None:
    from stackyard.components.base import Secret

    local = airflow.orchestrator._local()
    password = Secret("${secret:P}", local.password)
    config = AirflowConfig(url=f"{local.url}/", username="admin", password=password)
    context = Context(project=airflow.root, stack="dev")
    by_login = AirflowOrchestrator(config, context)
    token = by_login._client().token("admin", local.password())
    by_token = AirflowOrchestrator(
        AirflowConfig(url=local.url, token=Secret("${secret:T}", lambda: token)), context
    )
    assert by_token.services() == ()
    graph = diamond("existing")
    deployed = airflow.run(graph, {"plan": {}})
    assert deployed.outcome.status == "succeeded"
    for orchestrator in (by_login, by_token):
        other = RealAirflow(airflow.root, orchestrator, airflow.standin, airflow.calls)
        assert other.run(graph, {"plan": {}}).outcome.status == "succeeded"
        assert [f.ok for f in orchestrator.check()] == [True]
        with pytest.raises(UsageError, match="another version of the pipeline"):
            other.run(replace(graph, doc="new"), {"plan": {}})
        with pytest.raises(UsageError, match=r"has no DAG 'nowhere'.*stackyard compile nowhere"):
            other.run(replace(graph, name="nowhere"), {"plan": {}})
        orchestrator.close()
    wrong = Secret("${secret:W}", lambda: "wrong")
    stranger = AirflowOrchestrator(AirflowConfig(url=local.url, token=wrong), context)
    other = RealAirflow(airflow.root, stranger, airflow.standin, airflow.calls)
    with pytest.raises(InvalidInput, match="Is the login right"):
        other.run(graph, {"plan": {}})
    assert [f.ok for f in stranger.check()] == [True, False]
    stranger.close()


def test_the_dag_is_one_version_until_the_pipeline_changes(airflow: RealAirflow) -> None:
    client = airflow.orchestrator._client()
    airflow.run(diamond("versions"), {"plan": {}})
    dag = client.dag("versions")
    assert dag is not None
    client.parse_again(dag)
    until(lambda: (client.dag("versions") or dag).parsed > dag.parsed)
    versions = client._call("GET", "/api/v2/dags/versions/dagVersions")["dag_versions"]
    assert len(versions) == 1
    airflow.run(replace(diamond("versions"), doc="new"), {"plan": {}})
    versions = client._call("GET", "/api/v2/dags/versions/dagVersions")["dag_versions"]
    assert len(versions) == 2
