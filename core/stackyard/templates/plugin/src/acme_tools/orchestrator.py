"""The orchestrator. Here a step is a process of this machine: submit it to your scheduler instead.

Each step runs by the contract of Stackyard's docs/reference/step-contract.md: a command, variables
of the environment, a last line of output, an exit code. It is the same for a process, a job of a
cluster, a container and a pod; only ``_process`` knows that it is a process here.
What an orchestrator must keep is numbered in docs/reference/orchestrator.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackyard import Orchestrator
from stackyard.components.orchestrator import (
    PipelineSettings,
    RunOutcome,
    RunRequest,
    StepEvent,
    Watch,
    task_environment,
)
from stackyard.graph import Step

DONE, WRONG, SKIPPED = 0, 2, 99  # exit codes; every other one: failed, another try may help
GRACE = 10.0  # seconds in which a step that is stopped may write its record
LINES = 20  # of the log of a failed step, for people


@dataclass(frozen=True)
class AcmeOrchestratorConfig:
    """What a stack may say.

    Attributes:
        folder: Where the steps' output is kept; a relative path counts from the project.
        python: Interpreter that has Stackyard and what the steps import; this one if left out.
    """

    folder: str = ".stackyard/acme-orchestrator"
    python: str | None = None


class AcmeOrchestrator(Orchestrator):
    """Runs the steps one after the other, in the order of the graph, each in a process.

    A scheduler of your own takes them all at once, each with the jobs that it waits for
    (``step.upstream``); then ``run`` submits, and asks how the jobs are until all have ended.
    """

    config: AcmeOrchestratorConfig

    def run(self, request: RunRequest, settings: PipelineSettings, watch: Watch) -> RunOutcome:
        """Run each step once what it waits for has ended, whatever became of other branches."""
        references: dict[str, Any] = {}  # what each step printed last; None where it was skipped
        errors: dict[str, str] = {}  # of steps that failed; "" of those behind them
        for step in request.graph.steps:  # in topological order
            if any(name in errors for name in step.upstream):
                errors[step.name] = ""
                watch(StepEvent(step.name, "skipped", text="a step before it failed"))
                continue
            try:
                error = self._step(request, step, references, watch)
            except KeyboardInterrupt:
                watch(StepEvent(step.name, "interrupted"))
                warnings = self._finish(request)
                return RunOutcome("cancelled", "stopped by hand", "", warnings, (step.name,))
            if error is not None:
                errors[step.name] = error
        warnings = self._finish(request)
        said = "; ".join(f"step {n!r} failed: {error}" for n, error in errors.items() if error)
        return RunOutcome("failed" if errors else "succeeded", said or None, warnings=warnings)

    def _step(
        self, request: RunRequest, step: Step, references: dict[str, Any], watch: Watch
    ) -> str | None:
        """Make as many attempts as the step may have; return why the last one failed."""
        options = step.options
        for attempt in range(1, options.retries + 2):
            output = self._folder(request) / f"{step.name}@{attempt}"
            environment = task_environment(request, step, references, attempt)
            began = time.monotonic()
            watch(StepEvent(step.name, "running", attempt))
            code = self._process(step.name, environment, output, options.timeout)
            seconds = time.monotonic() - began
            if code == DONE:
                reference = json.loads(_lines(output, "out")[-1])
                references[step.name] = reference
                watch(StepEvent(step.name, reference["status"], attempt, seconds))
                return None
            log = _lines(output, "log")[-LINES:] or [""]
            if code == SKIPPED:
                references[step.name] = None
                watch(StepEvent(step.name, "skipped", attempt, seconds, log[-1]))
                return None
            error = f"over its timeout of {options.timeout:g} s" if code is None else log[-1]
            error = error or f"exit code {code}"
            if code == WRONG or attempt > options.retries:
                break
            watch(StepEvent(step.name, "retrying", attempt, seconds, error, log))
            time.sleep(options.retry_delay * 2 ** (attempt - 1))
        watch(StepEvent(step.name, "failed", attempt, seconds, error, log))
        return error

    def _finish(self, request: RunRequest) -> tuple[str, ...]:
        """Close the run's record and bring the run to the trackers; return what went wrong."""
        output = self._folder(request) / "finish"
        code = self._process("--finish", task_environment(request), output, None)
        lines = _lines(output, "log")
        return tuple(line for line in lines if code != DONE or line.startswith("warning: "))

    def _process(
        self, argument: str, environment: Mapping[str, str], output: Path, timeout: float | None
    ) -> int | None:
        """Submit one task, wait for it, and return its exit code, None if it took too long."""
        command = [self.config.python or sys.executable, "-m", "stackyard.step", argument]
        output.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{output}.out", "wb") as out, open(f"{output}.log", "wb") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal reaches this process alone
            )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                _stop(process)

    def _folder(self, request: RunRequest) -> Path:
        return self.context.project / self.config.folder / request.run_id


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a task, which may write its record first, and then all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def _lines(output: Path, kind: str) -> list[str]:
    text = Path(f"{output}.{kind}").read_text(encoding="utf-8", errors="replace")
    return text.rstrip().splitlines()
