"""A run that was made earlier, wherever it was made, to be looked into from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackyard.run import Run


def load_run(run: str = "latest", *, pipeline: str | None = None, stack: str | None = None) -> Run:
    """Return a run of the project around the current folder: ``load_run()["train"]`` is a result.

    Within a step it is a run in the store that the step's own run is in.

    Args:
        run: its id, a unique beginning of one, or ``latest``.
        pipeline: look only among the runs of this pipeline.
        stack: in whose store to look; by default that of the running step, else of the stack that
            is used.

    Raises:
        UsageError: there is no such run, no project, or the stack is wrong.
        StoreError: the store cannot be read.
    """
    from stackyard.choice import chosen
    from stackyard.execute import current
    from stackyard.project import find_project
    from stackyard.run import Run
    from stackyard.stack import open_stack
    from stackyard.summary import summarize

    step = current()
    if step is not None and stack is None:
        return Run(summarize(step.store, step.store.records.find(run, pipeline)), step.store)
    project = find_project()
    store = open_stack(project, chosen(project, stack)).store()
    found = store.records.find(run, pipeline)
    project.activate()  # results may be of classes that the project defines
    return Run(summarize(store, found), store)
