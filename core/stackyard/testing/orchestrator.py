"""The contract of an orchestrator as tests; numbered in docs/reference/orchestrator.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.orchestrator import Orchestrator
from stackyard.errors import Unsupported
from stackyard.importing import use_roots
from stackyard.store.run_status import run_status
from stackyard.testing.component import ComponentContract
from stackyard.testing.orchestrator_runs import (
    ACTOR,
    HOSTILE,
    REASON,
    SMALL,
    STACK,
    Runs,
    ask_for,
    make,
    make_project,
)
from stackyard.testing.processes import compiled_by

ENDS = {"succeeded", "cached", "failed", "skipped", "interrupted"}


class OrchestratorContract(ComponentContract):
    """Inherit, and say what a stack says of the orchestrator.

    Most tests look at the records of a few runs, which are made once for the class: a run may take
    seconds. The project, which lies on this machine and which the steps have to reach, is the
    fixture ``project``.
    """

    kind = "orchestrator"

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """A project of its own, with the pipelines of the contract."""
        root = tmp_path_factory.mktemp("project")
        make_project(root)
        yield root
        use_roots(())

    @pytest.fixture(scope="class")
    @classmethod
    def context(cls, project: Path, settings: Mapping[str, Any] | None) -> Context:
        """A context as core gives it; writes the stack, which the steps open as well."""
        said = {"components": {"orchestrator": dict(settings or {})}}
        text = json.dumps(said, ensure_ascii=False, indent=1)  # JSON is YAML
        (project / "stacks" / f"{STACK}.yaml").write_text(text, encoding="utf-8")
        folder = project / ".stackyard"
        return Context(
            name="orchestrator",
            stack=STACK,
            project=project,
            cache_dir=folder / "cache",
            state_dir=folder / "state",
        )

    @pytest.fixture(scope="class")
    @classmethod
    def _made(cls, context: Context) -> Runs:
        return Runs(context)

    @pytest.fixture
    def runs(self, _made: Runs) -> Runs:
        """The runs that the tests look at."""
        _made.connect = self.connect
        return _made

    def ask(self, component: Orchestrator) -> object:
        """Make a run, with a parameter of its own."""
        given = {**SMALL, **self._notes(component), "texts": ["asked"]}
        return make(component, "contract_small", given).outcome

    @classmethod
    def do_at_once(cls, component: Orchestrator, number: int, token: str) -> Any:
        """Run the same pipeline, with the same parameters."""
        given = {**SMALL, **cls._notes(component), "texts": [token]}
        made = make(component, "contract_small", given)
        return {"run": made.request.run_id, "statuses": made.statuses, "ended": _ended(made)}

    def check_at_once(self, component: Orchestrator, results: list[Any], token: str) -> None:
        """Two runs, and both are whole."""
        assert results[0]["run"] != results[1]["run"]
        for result in results:
            assert result["ended"] == ["succeeded", "succeeded"]
            assert list(result["statuses"]) == ["one", "two", "three"]
            assert set(result["statuses"].values()) <= {"succeeded", "cached"}

    # A run

    def test_01_a_run_and_its_records(self, runs: Runs) -> None:
        """The outcome, an attempt with its artifacts for each step, the end of the run."""
        made = runs.small
        assert (made.outcome.status, made.outcome.error) == ("succeeded", None)
        assert made.statuses == {"one": "succeeded", "two": "succeeded", "three": "succeeded"}
        assert made.output("two")["texts"] == len(HOSTILE)
        assert isinstance(made.output("three"), int)
        assert _ended(made) == ["succeeded", "succeeded"]

    def test_02_parameters_arrive_as_they_are(self, runs: Runs) -> None:
        """Whatever text, and every digit of a number."""
        assert runs.small.output("one") == SMALL

    def test_03_what_was_asked_is_in_the_record(self, runs: Runs) -> None:
        """Why the run was made and for whom, the parameters, the stack, what it continues."""
        for name in ("small", "alone"):
            made = getattr(runs, name)
            record = made.store.records.run(made.request.run_id)
            assert (record.reason, record.actor) == (REASON, ACTOR)
            assert record.params == made.request.params
            assert (record.pipeline, record.stack) == ("contract_small", STACK)
            assert (record.resume, record.only) == (made.request.resume, made.request.only)
            assert record.graph_digest == made.request.graph.digest()

    def test_04_no_step_begins_before_what_it_waits_for(self, runs: Runs) -> None:
        """For the data that it reads, and for what it is only ``after``."""
        made = runs.shapes
        attempts = made.attempts
        for step in made.request.graph.steps:
            for before in step.upstream:
                ended = attempts[before][-1].started + attempts[before][-1].seconds
                assert ended <= attempts[step.name][-1].started + 0.05, (before, step.name)

    def test_05_a_condition_that_does_not_hold(self, runs: Runs) -> None:
        """Skips the steps under it; what joins the branches runs, and the run succeeds."""
        made = runs.shapes
        assert made.outcome.status == "succeeded"
        assert made.output("told") == "told common"
        assert made.told("rare")[-1].status == "skipped"
        assert made.statuses.get("rare", "skipped") == "skipped"
        assert made.statuses["last"] == "succeeded"

    # Failures

    def test_06_a_failed_step_is_an_outcome(self, runs: Runs) -> None:
        """Nothing is raised, and the error names the step; the record has it too."""
        made = runs.broken
        assert made.outcome.status == "failed"
        assert "wrong" in (made.outcome.error or "")
        assert "hopeless" in (made.outcome.error or "")
        assert made.statuses["wrong"] == made.statuses["hopeless"] == "failed"
        assert run_status(made.store.records, made.request.run_id) == "failed"

    def test_07_a_failed_step_holds_back_what_is_behind_it(self, runs: Runs) -> None:
        """By data or only ``after``, however far behind; what is beside it runs."""
        made = runs.broken
        assert made.statuses["beside"] == "succeeded"
        assert not {"behind", "aside"} & set(made.statuses)
        for name in ("behind", "aside"):
            assert [event.status for event in made.told(name)] == ["skipped"]

    def test_08_as_many_tries_as_asked(self, runs: Runs) -> None:
        """A step that raises or whose process is killed is tried again; each try is counted.

        One that says that no other try can help is not.
        """
        assert [a.attempt for a in runs.broken.attempts["wrong"]] == [1, 2]
        assert [a.attempt for a in runs.broken.attempts["hopeless"]] == [1]
        assert runs.shapes.attempts["flaky"][-1].attempt == 3
        assert runs.shapes.output("flaky") == 3

    def test_09_a_step_over_its_timeout(self, runs: Runs) -> None:
        """Is stopped, and has failed."""
        made = runs.late
        assert made.outcome.status == "failed"
        assert "late" in (made.outcome.error or "")
        assert made.statuses.get("late", "failed") == "failed"
        assert (made.told("late")[-1].seconds or 0.0) < 25
        runs.await_stillness("late-pulse")

    # What is told

    def test_10_each_change_is_told(self, runs: Runs) -> None:
        """Of which try; a step ends once, and nothing is told of it after its end."""
        for name in ("small", "broken", "shapes"):
            made = getattr(runs, name)
            steps = made.request.graph.steps
            assert {event.step for event in made.events} == {step.name for step in steps}
            for step in steps:
                statuses = [event.status for event in made.told(step.name)]
                assert [s for s in statuses if s in ENDS] == statuses[-1:]
                if statuses[-1] in ("succeeded", "failed"):
                    assert statuses[0] == "running"
        flaky = [(event.status, event.attempt) for event in runs.shapes.told("flaky")]
        assert [s for s, _ in flaky] == [*["running", "retrying"] * 2, "running", "succeeded"]
        assert [n for s, n in flaky if s == "running"] == [1, 2, 3]
        assert flaky[-1] == ("succeeded", 3)
        failed = runs.broken.told("wrong")[-1]
        assert (failed.status, failed.attempt) == ("failed", 2)
        assert "broken for now" in failed.text

    # What is known already

    def test_11_a_known_result_is_reused(self, runs: Runs) -> None:
        """It is told as ``cached``; an effect is had again."""
        made = runs.changed
        assert made.outcome.status == "succeeded"
        assert (made.statuses["one"], made.told("one")[-1].status) == ("cached", "cached")
        assert made.output("one") == SMALL
        assert (made.statuses["three"], made.told("three")[-1].status) == ("succeeded", "succeeded")

    def test_12_without_the_cache_every_step_runs(self, runs: Runs) -> None:
        """Where the request says ``cache=False``."""
        made = runs.uncached
        assert set(made.statuses.values()) == {"succeeded"}
        assert made.output("two") != runs.small.output("two")

    def test_13_changed_code_runs(self, runs: Runs) -> None:
        """The code that the project has when the run is made; what did not change is reused."""
        made = runs.changed
        assert made.statuses == {"one": "cached", "two": "succeeded", "three": "succeeded"}
        assert made.output("two")["code"] == "second"

    def test_14_one_step_alone(self, runs: Runs) -> None:
        """``only`` runs that step, with what the run before it gave, and no other one."""
        made = runs.alone
        assert made.outcome.status == "succeeded"
        assert made.statuses == {"two": "succeeded"}
        assert made.attempts["two"][-1].inputs == runs.small.attempts["two"][-1].inputs
        assert _ended(made) == ["succeeded", "succeeded"]

    def test_15_a_failed_run_is_resumed(self, runs: Runs) -> None:
        """What has finished is not done again, effects neither; the rest runs."""
        made = runs.mended
        assert (made.outcome.status, made.outcome.error) == ("succeeded", None)
        done = {"first": "cached", "beside": "cached"}
        rest = ("wrong", "hopeless", "behind", "aside")
        assert made.statuses == done | dict.fromkeys(rest, "succeeded")
        assert made.output("first") == runs.broken.output("first")

    # Stopping

    def test_16_ctrl_c_stops_the_run(self, runs: Runs) -> None:
        """KeyboardInterrupt: the outcome is ``cancelled``; the step is stopped, and none begins."""
        made = runs.stopped
        assert made.outcome.status == "cancelled"
        assert made.outcome.interrupted == ("long",)
        assert [event.status for event in made.told("long")] == ["running", "interrupted"]
        runs.await_stillness("long-pulse")
        assert made.statuses["first"] == "succeeded"
        assert "behind" not in made.statuses

    def test_17_a_stopped_run_is_resumed(self, runs: Runs) -> None:
        """As one that failed."""
        made = runs.continued
        assert made.outcome.status == "succeeded"
        assert made.statuses == {"first": "cached", "long": "succeeded", "behind": "succeeded"}

    # Files

    def test_18_compile(self, runs: Runs, stated: Mapping[str, Any]) -> None:
        """Equal pipelines give equal bytes, in every process; Unsupported where it has none."""
        component = runs.connect(runs.context)
        request, settings, _ = ask_for(component, "contract_shapes", self._notes(component))
        if "compile" not in component.capabilities:
            with pytest.raises(Unsupported, match=r"'compile'\. Capabilities: "):
                component.compile(request.graph, settings, STACK)
            component.close()
            return
        files = component.compile(request.graph, settings, STACK)
        component.close()
        assert files
        for name, text in files.items():
            path = PurePosixPath(name)
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert request.graph.digest() in text
        elsewhere = replace(runs.context, project=runs.context.project / "elsewhere")
        for seed in (1, 2):
            assert compiled_by(stated, elsewhere, request.graph, seed) == files

    @staticmethod
    def _notes(component: Orchestrator) -> dict[str, Any]:
        return {"notes": str(component.context.project / "notes")}


def _ended(made: Any) -> list[str]:
    """How the outcome and the record say that a run ended."""
    end = made.store.records.ended(made.request.run_id)
    return [made.outcome.status, end.status if end is not None else "not at all"]
