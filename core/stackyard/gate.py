"""The ready-made step ``gate``: may a challenger take the champion's place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from stackyard.errors import InvalidInput
from stackyard.execute import current
from stackyard.gating.ask import Question, ask
from stackyard.gating.report import GateReport, lines
from stackyard.pipeline import step

if TYPE_CHECKING:
    import pandas as pd

    from stackyard.store.uses import Use


class Gate(NamedTuple):
    """What a gate gives: ``passed`` for ``when``, and why."""

    passed: bool
    report: GateReport


@step
def gate(
    challenger: Any,
    champion: Any,
    on: pd.DataFrame,
    condition: str,
    *,
    label: str,
    first: str,
    reliability: float = 0.999,
    slices: list[str] | None = None,
    margin: float = 0.0,
    uses: int = 10,
) -> Gate:
    """Hold a challenger against the champion on a test set that neither has seen.

    Args:
        challenger: a fitted estimator, or a package or version of one.
        champion: the same of the model that is in use; None where there is none.
        on: the test set: rows with the models' columns and the truth.
        condition: e.g. ``auc - auc_champion > 0.01 +/- 0.01``. Metrics: accuracy, precision,
            recall, brier, log_loss, auc, mae, rmse; of the champion with ``_champion``.
        label: the column of ``on`` with the truth.
        first: what to say where there is no champion: ``pass``, ``fail``, or a condition that
            names the challenger only, e.g. ``auc > 0.6 +/- 0.02``.
        reliability: probability that no answer about this test set is wrong, of all its uses.
        slices: columns of ``on``; the challenger may not be worse on the rows of any value.
        margin: by how much it may seem worse on one.
        uses: how often the test set may be asked. Each pass or fail teaches whoever makes the next
            model something of it, so the reliability of one answer is that of ``2 ** uses``
            answers (ease.ml/ci, MLSys 2019).

    Raises:
        GateRefused: the uses of the test set are spent.
        InvalidInput: the condition, the test set or a model is one that tells nothing.
    """
    question = Question(condition, label, first, reliability, tuple(slices or ()), margin, uses)
    report = ask(question, challenger, champion, on, _spender(uses))
    print("\n".join(lines(report)))
    step = current()
    if step is not None:
        step.note(report)
    return Gate(report.outcome == "pass", report)


def _spender(uses: int) -> Callable[[], Use | None]:
    """Spends a use of the test set in the run's store; outside of a run there is none to spend."""

    def spend_one() -> Use | None:
        from stackyard.store import uses as of_artifact

        step = current()
        if step is None:
            return None
        if "on" not in step.inputs:
            raise InvalidInput("on: pass what a step gives, so that its uses can be counted")
        who = f"run {step.run_id}, step {step.step}"
        digest = step.inputs["on"].digest
        return of_artifact.spend(step.store.backend, digest, uses, step.key, who)

    return spend_one
