"""Broken monitors."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acme_tools.monitor import AcmeMonitor, AcmeMonitorConfig

from stackyard.components.monitor import Figure, Method, MonitorReport, Watch

Found = Mapping[str, tuple[str, float] | str]


class TurnsTheDirection(AcmeMonitor):
    """A large index is told as a large p-value."""

    caught_by = "test_01_what_moved_has_drifted_and_what_did_not_has_not"

    def methods(self) -> Any:
        return [replace(method, direction="below") for method in super().methods()]


class SeesRowsAlone(AcmeMonitor):
    """The more rows there are, the larger the score is."""

    caught_by = "test_02_the_same_rows_have_not_drifted"

    def drift(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> Found:
        found = super().drift(current, reference, columns, thresholds)
        return {
            name: ("psi", float(score[1]) + len(current) / 500) for name, score in found.items()
        }


class ChoosesItself(AcmeMonitor):
    """Which method a pipeline asked for is not looked at."""

    caught_by = "test_03_methods_and_thresholds_are_those_of_the_watch"

    def methods(self) -> Any:
        return [*super().methods(), Method("shift", ("number",), "above", 0.5)]


class AlarmsEarly(AcmeMonitor):
    """A handful of rows is compared, too."""

    caught_by = "test_06_too_few_rows_tell_nothing"

    def compare(self, current: Any, reference: Any, watch: Watch | None = None) -> MonitorReport:
        return super().compare(current, reference, replace(watch or Watch(), minimum=2))


class ComparesMissing(AcmeMonitor):
    """Rows without a value are not left out."""

    caught_by = "test_11_columns_of_any_kind"

    def drift(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> Found:
        return {
            one.name: (
                "psi",
                self._psi(current[one.name], reference[one.name], one.kind == "number"),
            )
            for one in columns
        }


class DrawsAnew(AcmeMonitor):
    """The random numbers of the step are seeded by the tool."""

    caught_by = "test_12_the_frames_are_not_changed"

    def drift(self, *given: Any) -> Found:
        import numpy as np

        np.random.seed(0)
        return super().drift(*given)


class NotesNothing(AcmeMonitor):
    """The report is in no record."""

    caught_by = "test_14_the_report_is_noted_and_is_plain_data"

    def note(self, entry: Any) -> None:
        pass


class TellsItsProgress(AcmeMonitor):
    """It prints what it is at."""

    caught_by = "test_16_nothing_is_printed_or_logged"

    def drift(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> Found:
        print(f"comparing {len(columns)} columns")
        return super().drift(current, reference, columns, thresholds)


class KeepsTheFrames(AcmeMonitor):
    """Frames are attributes for a moment, which another thread replaces."""

    caught_by = "test_17_threads_get_their_own_answers"

    def drift(self, *given: Any) -> Found:
        self._given = given
        time.sleep(0.2)
        return super().drift(*self._given)


class SamplesRows(AcmeMonitor):
    """Of many rows some are compared, others each time."""

    caught_by = "test_18_the_same_frames_give_the_same_report"

    def _psi(self, current: Any, reference: Any, number: bool) -> float:
        return super()._psi(current.sample(frac=0.5), reference, number)


class SharesOfAllRows(AcmeMonitor):
    """The share of new values is told of all rows, also of those without a value."""

    caught_by = "test_19_quality_is_told_by_shares_of_rows"

    def quality(self, current: Any, reference: Any, columns: Any) -> list[Figure]:
        return [
            replace(one, current=one.current * float(current[one.column].notna().mean()))
            if one.method == "share new"
            else one
            for one in super().quality(current, reference, columns)
        ]


class RefusesNothing(AcmeMonitor):
    """What it cannot, it answers with nothing."""

    caught_by = "test_20_performance_is_told_once_labels_came"

    def performance(self, *given: Any) -> list[Figure]:
        return []


class LoadsFromAfar(AcmeMonitor):
    """Its page needs a network."""

    caught_by = "test_23_the_tools_own_page"

    @property
    def capabilities(self) -> frozenset[str]:
        return super().capabilities | {"html"}

    def html(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> str:
        names = ", ".join(column.name.replace("<", "&lt;") for column in columns)
        return f'<html><script src="https://cdn.example/plots.js"></script>{names}</html>'


class RunsTheData(LoadsFromAfar):
    """Names are written into its page as they are."""

    caught_by = "test_23_the_tools_own_page"

    def html(self, current: Any, reference: Any, columns: Any, thresholds: Any) -> str:
        return f"<html>{', '.join(column.name for column in columns)}</html>"


@dataclass(frozen=True)
class Finer(AcmeMonitorConfig):
    """Says more than it was told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", self.bins + 1)


class ConfiguresItself(AcmeMonitor):
    """Its configuration, said again, is another one."""

    caught_by = "test_c01_what_a_stack_says_is_the_configuration"
    configured_by = Finer


class BeginsAtOnce(AcmeMonitor):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        context.cache_dir.mkdir(parents=True)


class ImportsAtOnce(AcmeMonitor):
    """Making it imports what it computes with."""

    caught_by = "test_c05_the_tool_is_imported_when_it_is_used"

    def __init__(self, config: Any, context: Any) -> None:
        import pandas

        super().__init__(config, context)
        self._frame = pandas.DataFrame


class RaisesInDoctor(AcmeMonitor):
    """A check that finds something raises."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        raise FileNotFoundError(Path("cache"))


class SharesAFile(AcmeMonitor):
    """Frames go to the tool in a file, which has the same name for all."""

    caught_by = "test_c09_two_processes_at_once"

    def drift(self, current: Any, *given: Any) -> Found:
        import pandas as pd

        file = self.context.project / "current.pickle"
        current.to_pickle(file)
        time.sleep(0.5)
        return super().drift(pd.read_pickle(file), *given)
