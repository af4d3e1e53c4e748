"""Broken orchestrators."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acme_tools.orchestrator import SKIPPED, WRONG, AcmeOrchestrator, AcmeOrchestratorConfig

from stackyard.errors import AlreadyExists, StackyardError


class NeverFinishes(AcmeOrchestrator):
    """The run's record is left open."""

    caught_by = "test_01_a_run_and_its_records"

    def _finish(self, request: Any) -> tuple[str, ...]:
        return ()


class PassesLinesOnly(AcmeOrchestrator):
    """Line ends do not survive the file in which the parameters are passed."""

    caught_by = "test_02_parameters_arrive_as_they_are"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        params = json.dumps(dict(request.params)).replace("\\r\\n", "\\n")
        return super().run(replace(request, params=json.loads(params)), settings, watch)


class SaysNotWho(AcmeOrchestrator):
    """Whoever asks, the scheduler's own user makes the run."""

    caught_by = "test_03_what_was_asked_is_in_the_record"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        return super().run(replace(request, actor="scheduler"), settings, watch)


class OrdersByData(AcmeOrchestrator):
    """What a step is only ``after`` does not count: what reads nothing runs first."""

    caught_by = "test_04_no_step_begins_before_what_it_waits_for"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        steps = sorted(request.graph.steps, key=lambda step: bool(step.reads))
        mixed = _Mixed(request.graph, tuple(steps))
        return super().run(replace(request, graph=mixed), settings, watch)


class _Mixed:
    """A graph in another order; in all else the one that it is given."""

    def __init__(self, graph: Any, steps: Any) -> None:
        self._graph, self.steps = graph, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)


class FailsWhereItSkips(AcmeOrchestrator):
    """To it, 99 is an exit code like every other one."""

    caught_by = "test_05_a_condition_that_does_not_hold"

    def _process(self, *given: Any) -> Any:
        code = super()._process(*given)
        return 1 if code == SKIPPED else code


class RaisesForAFailedStep(AcmeOrchestrator):
    """A step that fails ends the run with an exception."""

    caught_by = "test_06_a_failed_step_is_an_outcome"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        outcome = super().run(request, settings, watch)
        if outcome.error is not None:
            raise StackyardError(outcome.error)
        return outcome


class GoesOn(AcmeOrchestrator):
    """What is only ``after`` a failed step runs."""

    caught_by = "test_07_a_failed_step_holds_back_what_is_behind_it"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        steps = tuple(replace(s, after=()) for s in request.graph.steps)
        mixed = _Mixed(request.graph, steps)
        return super().run(replace(request, graph=mixed), settings, watch)


class TriesOnce(AcmeOrchestrator):
    """No step is tried again."""

    caught_by = "test_08_as_many_tries_as_asked"

    def _step(self, request: Any, step: Any, references: Any, watch: Any) -> Any:
        once = replace(step, options=replace(step.options, retries=0))
        return super()._step(request, once, references, watch)


class TriesInVain(AcmeOrchestrator):
    """It tries again what no other try can mend."""

    caught_by = "test_08_as_many_tries_as_asked"

    def _process(self, *given: Any) -> Any:
        code = super()._process(*given)
        return 1 if code == WRONG else code


class StopsAndForgets(AcmeOrchestrator):
    """A step that it stopped has not failed, to it."""

    caught_by = "test_09_a_step_over_its_timeout"

    def _process(self, *given: Any) -> Any:
        code = super()._process(*given)
        return SKIPPED if code is None else code


class LeavesItAlone(AcmeOrchestrator):
    """A step that is over its timeout is not waited for, and goes on."""

    caught_by = "test_09_a_step_over_its_timeout"

    def _process(self, argument: str, environment: Any, output: Any, timeout: Any) -> Any:
        try:
            return _begun(argument, environment, output).wait(timeout)
        except subprocess.TimeoutExpired:
            return None


class TellsTheEndOnly(AcmeOrchestrator):
    """That a step is running is not told."""

    caught_by = "test_10_each_change_is_told"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        return super().run(request, settings, lambda e: e.status == "running" or watch(e))


class TellsNoCache(AcmeOrchestrator):
    """What was reused is told as if it had run."""

    caught_by = "test_11_a_known_result_is_reused"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        def told(event: Any) -> None:
            watch(replace(event, status="succeeded") if event.status == "cached" else event)

        return super().run(request, settings, told)


class ReadsTheCache(AcmeOrchestrator):
    """It forgets that the cache is not to be read."""

    caught_by = "test_12_without_the_cache_every_step_runs"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        return super().run(replace(request, cache=True), settings, watch)


class DeploysOnce(AcmeOrchestrator):
    """The first run takes the code along, and later ones use that."""

    caught_by = "test_13_changed_code_runs"

    def _process(self, argument: str, environment: Any, *rest: Any) -> Any:
        project = Path(environment["STACKYARD_PROJECT"])
        deployed = project.parent / f"{project.name}-deployed"
        if not deployed.exists():
            shutil.copytree(project, deployed, ignore=shutil.ignore_patterns(".stackyard"))
        there = {**environment, "STACKYARD_PROJECT": str(deployed)}
        return super()._process(argument, there, *rest)


class RunsAll(AcmeOrchestrator):
    """It forgets that one step alone was asked for."""

    caught_by = "test_14_one_step_alone"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        return super().run(replace(request, only=None), settings, watch)


class BeginsAnew(AcmeOrchestrator):
    """It forgets which run was to be continued."""

    caught_by = "test_15_a_failed_run_is_resumed"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        return super().run(replace(request, resume=None), settings, watch)


class LetsItRun(AcmeOrchestrator):
    """Ctrl-C ends the waiting, and the step goes on."""

    caught_by = "test_16_ctrl_c_stops_the_run"

    def _process(self, argument: str, environment: Any, output: Any, timeout: Any) -> Any:
        return _begun(argument, environment, output).wait()


def _begun(argument: str, environment: Any, output: Path) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "stackyard.step", argument],
        env={**os.environ, **environment}, start_new_session=True,
        stdout=_made(output, "out"), stderr=_made(output, "log"),
    )  # fmt: skip


def _made(output: Path, kind: str) -> Any:
    output.parent.mkdir(parents=True, exist_ok=True)
    return open(f"{output}.{kind}", "wb")


class LetsItThrough(AcmeOrchestrator):
    """Ctrl-C ends the command, and the run has no outcome."""

    caught_by = "test_16_ctrl_c_stops_the_run"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        outcome = super().run(request, settings, watch)
        if outcome.status == "cancelled":
            raise KeyboardInterrupt
        return outcome


class FailsWhenItIsStopped(AcmeOrchestrator):
    """Stopped by hand is failed, to it."""

    caught_by = "test_16_ctrl_c_stops_the_run"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        outcome = super().run(request, settings, watch)
        return replace(outcome, status="failed") if outcome.interrupted else outcome


class CompilesAnyway(AcmeOrchestrator):
    """It gives no files, and does not say that it cannot."""

    caught_by = "test_18_compile"

    def compile(self, graph: Any, settings: Any, stack: str) -> Any:
        return {}


class CompilesAtRandom(AcmeOrchestrator):
    """What it compiles depends on the order of a set."""

    caught_by = "test_18_compile"
    capabilities = frozenset({"compile"})

    def compile(self, graph: Any, settings: Any, stack: str) -> Any:
        return {"jobs.txt": "\n".join([graph.digest(), *{step.name for step in graph.steps}])}


@dataclass(frozen=True)
class Deeper(AcmeOrchestratorConfig):
    """Says more than it was told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.folder}/runs")


class ConfiguresItself(AcmeOrchestrator):
    """Its configuration, said again, is another one."""

    caught_by = "test_c01_what_a_stack_says_is_the_configuration"
    configured_by = Deeper


class MakesItsFolder(AcmeOrchestrator):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        (context.project / config.folder).mkdir(parents=True, exist_ok=True)


class RaisesInDoctor(AcmeOrchestrator):
    """A check that finds something raises."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        raise FileNotFoundError(Path("queue"))


class RunsOneAtATime(AcmeOrchestrator):
    """While a pipeline runs, it takes no other run of it."""

    caught_by = "test_c09_two_processes_at_once"

    def run(self, request: Any, settings: Any, watch: Any) -> Any:
        lock = self.context.project / self.config.folder / request.graph.name
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.mkdir()
        except FileExistsError as exc:
            raise AlreadyExists(f"{request.graph.name} is running") from exc
        try:
            return super().run(request, settings, watch)
        finally:
            lock.rmdir()
