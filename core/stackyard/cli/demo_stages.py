"""The parts of ``stackyard demo``: each has its number, and each of its runs a row at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.errors import RunError

if TYPE_CHECKING:
    from stackyard.project import Project
    from stackyard.run import Run

HEADERS = ("stack", "pipeline", "period", "ran", "cached", "time", "run")
LOCAL = "local"  # the stack that runs in this process


class Stages:
    """The parts that were shown so far; ``rows`` are those of ``HEADERS``, one for each run."""

    def __init__(self, project: Project, total: int) -> None:
        self.project = project
        self.rows: list[list[Any]] = []
        self._total = total
        self._number = 0

    def begin(self, text: str) -> None:
        """Head the next part."""
        self._number += 1
        output.say(f"\n{self._number}/{self._total}  {text}")

    def run(
        self,
        pipeline: str,
        period: str,
        stack: str = LOCAL,
        *,
        cache: bool = True,
        why: bool = False,
    ) -> Run:
        """Run a pipeline while a person watches.

        Raises:
            RunError: it failed, or was stopped.
        """
        from stackyard.cli.progress import open_progress
        from stackyard.run import start

        names = [step.name for step in self.project.load(pipeline).graph().steps]
        given = {"period": period}
        with open_progress(names, why=why) as watch:
            made = start(self.project, pipeline, stack, given, cache=cache, watch=watch)
        return self._ended(made)

    def answer(self, pipeline: str) -> Run:
        """Run a pipeline for the events that wait for it.

        Raises:
            RunError: it failed, or was stopped, or none waits.
        """
        from stackyard.cli.triggered import answer

        made = answer(self.project, self.project.load(pipeline), LOCAL)
        if made is None:
            raise RunError(f"nothing waits for {pipeline}: what should have told it did not")
        return self._ended(made)

    def period(self, run_id: str) -> str:
        """The period that a run had, as it was typed."""
        from stackyard.period import Period
        from stackyard.stack import open_stack

        given = open_stack(self.project, LOCAL).store().records.run(run_id).params["period"]
        return Period.parse(given).short

    def _ended(self, made: Run) -> Run:
        summary = made.summary
        for warning in summary.warnings:
            output.warn(warning)
        if summary.exit_code:
            raise RunError(
                f"{summary.pipeline} {summary.status}: {summary.error}\nContinue it in "
                f"{self.project.root}: stackyard run {summary.pipeline} --stack {summary.stack} "
                f"--resume {summary.run_id}"
            )
        ran, cached = (
            sum(step.status == status for step in summary.steps)
            for status in ("succeeded", "cached")
        )
        period, took = self.period(summary.run_id), output.seconds(summary.seconds)
        self.rows.append(
            [summary.stack, summary.pipeline, period, ran, cached, took, summary.run_id]
        )
        return made
