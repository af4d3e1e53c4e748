"""What the tasks of a run are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.components.orchestrator import RunRequest, task_environment, task_params
from stackyard.graph import FromStep, Graph, Param, Step

GRAPH = Graph(
    "chain",
    (Step("one", "m:one"), Step("two", "m:two", {"x": FromStep("one")})),
    (Param("text", {"type": "string"}),),
)
REQUEST = RunRequest(
    "20261121-093014-a8b6c75f",
    GRAPH,
    "dev",
    Path("/project"),
    "s3://store",
    {"text": "größe\n\x01"},
    reason="retrain",
    actor="Zoë",
)


def test_the_parameters_say_what_the_run_was_asked_for() -> None:
    asked = {"reason": "retrain", "actor": "Zoë"}
    assert task_params(REQUEST) == {"text": "größe\n\x01", "stackyard": asked}
    more = replace(REQUEST, resume="20261120-093014-a8b6c75f", only="two", cache=False)
    asked |= {"resume": "20261120-093014-a8b6c75f", "only": "two", "cache": False}
    assert task_params(more)["stackyard"] == asked


def test_a_task_is_told_what_its_step_reads() -> None:
    references = {"one": {"run": "r", "step": "one", "attempt": 1}, "other": {}}
    env = task_environment(REQUEST, GRAPH.step("two"), references, 3)
    assert json.loads(env.pop("STACKYARD_INPUTS")) == {"one": references["one"]}
    assert json.loads(env.pop("STACKYARD_PARAMS")) == task_params(REQUEST)
    assert env == {
        "STACKYARD_PIPELINE": "chain",
        "STACKYARD_STACK": "dev",
        "STACKYARD_GRAPH": GRAPH.digest(),
        "STACKYARD_RUN": REQUEST.run_id,
        "STACKYARD_TRY": "3",
        "STACKYARD_PROJECT": "/project",
        "STACKYARD_STORE": "s3://store",
    }
    assert all(value.isascii() for value in env.values())
    assert task_environment(REQUEST)["STACKYARD_INPUTS"] == "{}"


def test_a_reference_that_is_missing_is_not_passed_over() -> None:
    with pytest.raises(KeyError, match="one"):
        task_environment(REQUEST, GRAPH.step("two"))
