"""Why a step is run although an earlier run may have its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackyard.step_code import code_of
from stackyard.store import cachekey

if TYPE_CHECKING:
    from stackyard.execute import Attempt
    from stackyard.runner import Runner


def why_run(runner: Runner, attempt: Attempt) -> str:
    """One line: why the attempt's step is not answered from an earlier run."""
    step = runner.graph.step(attempt.step)
    earlier = runner.earlier
    if runner.record.only == step.name:
        return "asked for by --only"
    if step.name in earlier.gone:
        return "its result is not in the store any more"
    if not runner.record.cache:
        return "the cache is not read in this run"
    if step.options.effect:
        return "changes the world, so it runs in every run"
    if not cachekey.reusable(step):
        return "reads no other step and does not say how long its result stays true (cache=...)"
    before = earlier.previous(step.name)
    if before is None:
        return "no earlier result"
    if before.key == attempt.key:
        return "the earlier result is too old or was deleted"
    changed = cachekey.explain(before.key_parts, attempt.key_parts)
    code = code_of(step, attempt.inputs, runner.graph, runner.stack, runner.code)
    return f"{changed} ({code.describe()})" if code.granularity == "module" else changed
