"""One pipeline tells an event, others wait for it: once each, and not too often."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.background import shown
from tests.e2e.conftest import Place

PIPELINES = """
from stackyard import pipeline, step, trigger


@step
def measure(value: int) -> bool:
    return value > 3


@step
def describe(value: int) -> str:
    return f"value is {value}"


@step
def learn(month: str) -> str:
    return f"learned {month}"


@pipeline
def watch(value: int = 9, month: str = "2013-07"):
    trigger("data.moved", measure(value), {"month": month}, why=describe(value), COOLDOWN)


@pipeline(on="data.moved")
def retrain(month: str = "2013-01"):
    learn(month)


@pipeline(on="data.moved")
def audit():
    learn.named("note")("all")
"""


@pytest.fixture
def loop(place: Place) -> Place:
    write(place, 'cooldown="0s", per_day=2')
    return place


def write(place: Place, limits: str) -> None:
    place.write("dags/loop.py", PIPELINES.replace("COOLDOWN", limits))


def triggered(place: Place, *words: str) -> list[dict[str, Any]]:
    return place.json("run", *words, "--triggered")["runs"]


def test_an_event_is_answered_once_by_each_that_waits(loop: Place) -> None:
    assert triggered(loop) == []
    told = loop.json("run", "watch")
    assert {s["name"]: s["status"] for s in told["steps"]}["tell_data_moved"] == "succeeded"
    said = loop.run("run", "--triggered").stderr
    assert "retrain: data.moved: value is 9" in said
    runs = {r["pipeline"]: r for r in loop.json("runs", "list")["runs"]}
    assert {p: r["reason"] for p, r in runs.items() if p != "watch"} == {
        "retrain": "event", "audit": "event",
    }  # fmt: skip
    assert shown(loop, runs["retrain"]["run_id"])["params"] == {"month": "2013-07"}
    assert triggered(loop) == []


def test_events_that_pile_up_are_answered_by_one_run_with_the_newest(loop: Place) -> None:
    for month in ("2013-05", "2013-06"):
        loop.run("run", "watch", "--param", f"month={month}")
    (run,) = triggered(loop, "retrain")
    assert shown(loop, run["run_id"])["params"] == {"month": "2013-06"}
    assert triggered(loop, "retrain") == []
    assert len(triggered(loop, "audit")) == 1


def test_what_is_not_wanted_or_too_often_is_not_told(loop: Place) -> None:
    quiet = loop.json("run", "watch", "--param", "value=1")
    assert {s["name"]: s["status"] for s in quiet["steps"]}["tell_data_moved"] == "skipped"
    (why,) = shown(loop)["evidence"]
    assert (why["kind"], why["name"], why["value"]) == ("trigger", "data.moved", "not told")
    assert why["text"] == "not wanted"
    for _ in range(2):
        assert loop.steps("watch")["tell_data_moved"] == "succeeded"
    assert loop.steps("watch")["tell_data_moved"] == "skipped"
    assert shown(loop)["evidence"][0]["text"] == "told 2 times in 24 hours; the limit is 2"
    write(loop, 'cooldown="1h", per_day=9')
    assert loop.steps("watch")["tell_data_moved"] == "skipped"
    assert "the cool-down is 3600 s" in shown(loop)["evidence"][0]["text"]


def test_a_failed_answer_is_the_runs_and_can_be_resumed(loop: Place) -> None:
    text = PIPELINES.replace("COOLDOWN", 'cooldown="0s", per_day=2')
    loop.write("dags/loop.py", text.replace('return f"learned {month}"', "raise OSError(month)"))
    loop.run("run", "watch")
    done = loop.run("run", "retrain", "--triggered", check=False)
    assert done.returncode == 1
    assert triggered(loop, "retrain") == []
    write(loop, 'cooldown="0s", per_day=2')
    assert loop.steps("--resume", "latest") == {"learn": "succeeded"}


def test_bad_requests(loop: Place) -> None:
    for words, said in {
        ("watch", "--triggered"): "pipeline 'watch' waits for no event",
        ("--triggered", "--param", "month=x"): "the event says with which parameters",
    }.items():
        done = loop.run("run", *words, check=False)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    text = PIPELINES.replace("COOLDOWN", "per_day=2")
    loop.write("dags/loop.py", text.replace('on="data.moved"', 'on="data moved"'))
    done = loop.run("run", "audit", check=False)
    assert done.returncode == 2
    assert "event 'data moved': use up to 100 ASCII letters" in done.stderr
