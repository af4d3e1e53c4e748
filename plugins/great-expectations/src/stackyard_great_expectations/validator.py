"""The validator: suites of Great Expectations on frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stackyard.components.suite_check import check_request, with_text_names
from stackyard.components.validator import Expectation, Suite, ValidationReport, Validator
from stackyard_great_expectations import results, vocabulary
from stackyard_great_expectations.quiet import quiet

if TYPE_CHECKING:
    import pandas as pd


class GreatExpectationsValidator(Validator):
    """Checks frames with a context of the tool that lives in memory and for one call."""

    def validate(self, frame: pd.DataFrame, suite: Suite, *, examples: int = 0) -> ValidationReport:
        """Check ``frame`` against ``suite``."""
        frame = with_text_names(frame)
        with quiet():
            check_request(frame, suite, vocabulary.known(), vocabulary.wrong)
            types = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
            checks = {
                position: absent
                for position, one in enumerate(suite.expectations)
                if (absent := results.absent(one, types)) is not None
            }
            asked = {p: e for p, e in enumerate(suite.expectations) if p not in checks}
            for position, result in _answers(frame, asked, types, examples).items():
                checks[position] = results.found(asked[position], result, types, examples)
        report = ValidationReport(
            suite.name,
            len(frame),
            tuple(
                checks.get(position) or results.check(one, "skipped", message="not answered")
                for position, one in enumerate(suite.expectations)
            ),
        )
        self.note(report)
        return report

    @property
    def capabilities(self) -> frozenset[str]:
        """It proposes suites."""
        return frozenset({"profile", "learn"})

    def profile(self, frame: pd.DataFrame, name: str) -> Suite:
        """Propose a suite that ``frame`` passes."""
        from stackyard_great_expectations.proposing import propose

        return propose(frame, name)

    def learn(
        self, history: Iterable[pd.DataFrame], name: str, *, false_alarms: float = 0.01
    ) -> Suite:
        """Propose bounds from the frames of earlier runs; see ``bounds`` for the method."""
        from stackyard_great_expectations.learning import learn

        return learn(history, name, false_alarms)

    def expectations(self) -> Sequence[str]:
        """Types of the expectations that a suite may use."""
        with quiet():
            return vocabulary.known()


def _answers(
    frame: pd.DataFrame,
    asked: Mapping[int, Expectation],
    types: Mapping[str, str],
    examples: int,
) -> dict[int, Any]:
    """The tool's results by the expectation's position in the suite."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    if not asked:
        return {}
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    asset = context.data_sources.add_pandas("stackyard").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    batch = whole.get_batch(batch_parameters={"dataframe": frame})
    form = {"result_format": "BASIC", "partial_unexpected_count": examples}

    def ask(positions: Iterable[int]) -> dict[int, Any]:
        made = [vocabulary.made(asked[p], p, types) for p in positions]
        answer = batch.validate(ExpectationSuite("suite", expectations=made), result_format=form)
        return {r.expectation_config.meta["position"]: r for r in answer.results}

    try:
        return ask(asked)
    except Exception:  # an expectation of any author raises anything: find out which it was
        found: dict[int, Any] = {}
        for position in asked:
            try:
                found |= ask([position])
            except Exception as exc:
                found[position] = exc
        return found
