"""The loop on real flights: drift, a model learned anew, a gate, a canary; on, or back.

One project lives through it once; each test looks at one part of what happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.background import until
from tests.e2e.conftest import Place
from tests.ports import free_port
from tests.projects import copy_flights, document, enter, stackyard, statuses

pytestmark = pytest.mark.timeout(900)  # all of them share one long story

ENDPOINT = "flight-delays"


class Story:
    """The project that is the current folder, and what was shown of its runs."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def run(self, name: str, pipeline: str, *words: str) -> None:
        """Run a command, and keep what its run of a pipeline rests on and what came of it."""
        made = document("run", *words)
        (run,) = (run for run in made.get("runs", [made]) if run["pipeline"] == pipeline)
        assert run["status"] == "succeeded", run
        shown = document("runs", "show", run["run_id"])
        self.told[name] = {
            "steps": statuses(shown),
            "evidence": {(e["kind"], e["step"]): e for e in shown["evidence"]},
            "reason": shown["reason"],
            "served": document("serve", "status")["endpoints"],
            "history": document("model", "history", "flight_delays")["changes"],
        }


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    made, july = Story(), ("--param", "period=2013-07")
    with pytest.MonkeyPatch.context() as patch:
        copy_flights(enter(tmp_path_factory.mktemp("loop"), patch))
        try:
            for months in ("2013-01..2013-02", "2013-07"):
                document("run", "flight_features", "--param", f"period={months}")
            document("run", "flight_delays", "--param", "period=2013-01")
            made.run("first", "flight_rollout", "--triggered")
            document("run", "flight_delays", "--param", "period=2013-01", "--param", "depth=1")
            made.run("refused", "flight_rollout", "--triggered")
            made.run("drifted", "flight_monitor", "flight_monitor", *july)
            made.run("learned", "flight_delays", "flight_delays", "--triggered")
            asked = (*july, "--param", "asked=2013-02")
            made.run("worse", "flight_rollout", "flight_rollout", *asked)
            made.run("promoted", "flight_rollout", "--triggered")
            made.run("usual", "flight_monitor", "flight_monitor", *july)
            yield made
        finally:
            stackyard("serve", "undeploy", ENDPOINT)


def test_the_first_model_goes_to_all(story: Story) -> None:
    first = story.told["first"]
    assert first["reason"] == "event"
    assert first["steps"]["promote"] == "succeeded"
    assert first["steps"]["canary"] == "skipped"
    assert [e["traffic"] for e in first["served"]] == [{"1": 100}]
    (change,) = (c for c in first["history"] if c["alias"] == "champion")
    assert (change["before"], change["after"]) == (None, "1")
    assert change["why"].startswith("gate: pass: auc > 0.55")


def test_a_model_that_is_not_better_is_refused_by_the_gate(story: Story) -> None:
    refused = story.told["refused"]
    assert refused["evidence"]["gate", "gate"]["value"] == "fail"
    assert refused["steps"]["deploy"] == "skipped"
    assert refused["served"] == story.told["first"]["served"]
    assert refused["history"][-1]["alias"] == "candidate"


def test_flights_of_july_have_drifted(story: Story) -> None:
    drifted = story.told["drifted"]
    assert drifted["evidence"]["drift", "monitor"]["value"] == "drifted"
    assert drifted["evidence"]["trigger", "due_flights_drifted"]["value"] == "told"


def test_drift_has_a_model_learned_from_the_newer_flights(story: Story) -> None:
    learned = story.told["learned"]
    assert learned["reason"] == "event"
    data = learned["evidence"]["data", "keep"]
    assert data["name"] == "flights-2013-07-01_2013-08-01"


def test_a_canary_that_is_worse_is_rolled_back(story: Story) -> None:
    """February's flights: July's model is shown to be worse, where the gate had not asked."""
    worse = story.told["worse"]
    assert worse["evidence"]["gate", "gate"]["value"] == "pass"
    assert worse["evidence"]["trial", "judge"]["value"] == "fail"
    assert worse["evidence"]["rollout", "canary"]["text"] == "1 75 %, 3 25 %"
    assert worse["steps"]["roll_back"] == "succeeded"
    assert worse["steps"]["go_live"] == "skipped"
    back = worse["evidence"]["rollout", "roll_back"]
    assert back["value"] == "3 rolled back"
    assert "brier_champion - brier" in back["text"]
    assert [e["traffic"] for e in worse["served"]] == [{"1": 100, "3": 0}]
    assert [c["after"] for c in worse["history"] if c["alias"] == "champion"] == ["1"]


def test_a_model_learned_anew_is_promoted(story: Story) -> None:
    promoted = story.told["promoted"]
    assert promoted["reason"] == "event"
    assert promoted["evidence"]["trial", "judge"]["value"] == "pass"
    assert promoted["steps"]["go_live"] == "succeeded"
    assert promoted["steps"]["roll_back"] == "skipped"
    (served,) = promoted["served"]
    assert (served["champion"], served["previous"]) == ("3", "1")
    last = promoted["history"][-1]
    assert (last["alias"], last["before"], last["after"]) == ("champion", "1", "3")
    assert last["why"].startswith("trial of version 3: pass")


def test_flights_of_july_are_usual_to_its_model(story: Story) -> None:
    """Its reference are answers about days that it has not seen, which are fewer and less sure."""
    usual = story.told["usual"]
    assert usual["evidence"]["drift", "monitor"]["value"] == "not drifted"
    assert usual["steps"]["tell_flights_drifted"] == "skipped"


@pytest.mark.full
def test_the_loop_on_a_real_airflow(tmp_path: Path) -> None:
    """Nobody runs anything but the monitor: events start the others, also the first rollout."""
    place = Place(tmp_path / "project")
    copy_flights(place.root)
    env = {"STACKYARD_AIRFLOW_PORT": str(free_port())}

    def run(pipeline: str, period: str) -> None:
        words = ("run", pipeline, "--stack", "dev", "--param", f"period={period}")
        assert place.json(*words, env=env)["status"] == "succeeded"

    def champion() -> str:
        served = place.json("serve", "status", "--stack", "dev", env=env, check=False)["endpoints"]
        return str(served[0]["champion"]) if served else ""

    def history() -> Any:
        words = ("model", "history", "flight_delays", "--stack", "dev")
        return place.json(*words, env=env, check=False).get("changes", [])

    def moved() -> str:
        return next((c["after"] for c in reversed(history()) if c["alias"] == "champion"), "")

    place.run("compile", "--all", "--stack", "dev", env=env)
    place.run("stack", "up", "--stack", "dev", env=env)
    try:
        for months in ("2013-01", "2013-07"):
            run("flight_features", months)
        run("flight_delays", "2013-01")
        until(lambda: moved() == "1", 240)
        run("flight_monitor", "2013-07")
        until(lambda: champion() == "2", 360)
        assert history()[-1]["why"].startswith("trial of version 2: pass")
        runs = place.json("runs", "list", "--stack", "dev", env=env)["runs"]
        told = [r["pipeline"] for r in runs if r["reason"] == "event"]
        assert sorted(told) == ["flight_delays", "flight_rollout", "flight_rollout"]
    finally:
        place.run("serve", "undeploy", ENDPOINT, "--stack", "dev", env=env, check=False)
        place.run("stack", "down", "--stack", "dev", env=env)
