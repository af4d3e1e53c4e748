"""``stackyard run --triggered``: run the pipelines whose events nobody has answered yet."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stackyard.cli import output
from stackyard.cli.progress import open_progress
from stackyard.errors import UsageError
from stackyard.store import events
from stackyard.store.records import new_run_id

if TYPE_CHECKING:
    from stackyard.components.orchestrator import StepEvent
    from stackyard.pipeline import Pipeline
    from stackyard.project import Project
    from stackyard.run import Run


def run_triggered(project: Project, args: argparse.Namespace) -> list[Run]:
    """Run each pipeline that an event waits for, once, with the parameters of the newest event.

    Raises:
        UsageError: a pipeline is named that waits for nothing, or none does.
    """
    from stackyard.choice import chosen

    stack = chosen(project, args.stack)
    made = []
    for pipeline in _waiting(project, args.pipeline):
        run = answer(project, pipeline, stack, why=args.explain, cache=not args.no_cache)
        if run is not None:
            made.append(run)
    return made


def answer(
    project: Project, pipeline: Pipeline, stack: str, *, why: bool = False, cache: bool = True
) -> Run | None:
    """The run that answers what waits for a pipeline; None where nothing does."""
    from stackyard.run import start
    from stackyard.stack import open_stack

    backend = open_stack(project, stack).store().backend
    run_id = new_run_id()
    waiting = events.waiting(backend, pipeline.on, pipeline.name)
    mine = [e for e in waiting if events.answer(backend, e, pipeline.name, run_id)]
    if not mine:
        output.say(f"{pipeline.name}: nothing waits for it (event {pipeline.on!r})")
        return None
    newest = mine[-1]
    output.say(f"{pipeline.name}: {pipeline.on}: {newest.why or 'no reason was given'}")
    names = [step.name for step in pipeline.graph().steps]

    def told(event: StepEvent) -> None:
        while mine:  # the first word of a step: the run's record is written
            events.begun(backend, mine.pop(), pipeline.name)
        watch(event)

    with open_progress(names, why=why) as watch:
        return start(
            project,
            pipeline,
            stack,
            newest.given(param.name for param in pipeline.graph().params),
            cache=cache,
            reason="event",
            watch=told,
            run_id=run_id,
        )


def _waiting(project: Project, reference: str | None) -> list[Pipeline]:
    """The pipelines that wait for an event, or the one that is named."""
    names = [reference] if reference is not None else list(project.pipelines())
    found = [pipeline for name in names if (pipeline := project.load(name)).on]
    if found:
        return found
    if reference is not None:
        raise UsageError(
            f"pipeline {reference!r} waits for no event. Say for which: @pipeline(on='NAME')"
        )
    raise UsageError("no pipeline waits for an event. Say for which: @pipeline(on='NAME')")
