"""The part of a monitor's contract about what cannot be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Monitor, Watch
from stackyard.errors import InvalidInput
from stackyard.testing.monitor_case import (
    ROWS,
    MonitorCase,
    flights,
    inputs,
    score_of,
    verdicts,
    winter,
)
from stackyard.testing.stand_ins import Journal


class MonitorGaps(MonitorCase):
    """Too few values, columns on one side, identifiers, watches that cannot be."""

    def test_06_too_few_rows_tell_nothing(self, monitor: Monitor) -> None:
        """Nor does an empty frame, on either side; also one without columns."""
        base = inputs(flights())
        for rows in (99, 1, 0):
            for sides in ((base[:rows], base), (base, base[:rows])):
                report = monitor.compare(*sides)
                assert report.verdict == "cannot tell"
                assert [s.drifted for s in report.of("input")] == [None] * 4
                assert all(s.not_computed and s.watched for s in report.of("input"))
        report = monitor.compare(pd.DataFrame(), base)
        assert (report.verdict, len(report.of("input"))) == ("cannot tell", 4)
        assert report.current.rows == 0
        assert monitor.compare(base[:100], base).verdict == "not drifted"
        assert monitor.compare(base[:100], base, Watch(minimum=101)).verdict == "cannot tell"

    def test_07_a_column_that_cannot_be_compared_stops_no_other(self, monitor: Monitor) -> None:
        """Without values, missing on one side, of another type, of lists: each says why."""
        base, now = inputs(flights(0)), inputs(flights(1))
        base["lists"] = now["lists"] = [[1, 2]] * ROWS
        base["empty"], now["empty"] = 1.0, None
        base["text"], now["text"] = 1.0, "one"
        base["endless"], now["endless"] = 1.0, np.inf
        report = monitor.compare(
            now.drop(columns="holiday").assign(extra=1), base.assign(none=np.nan).assign(empty=2.0)
        )
        said = {s.column: s.not_computed for s in report.of("input") if s.not_computed}
        assert set(said) == {
            "holiday", "lists", "empty", "text", "endless", "none", "extra",
        }  # fmt: skip
        assert "current" in said["holiday"]
        assert "list" in said["lists"]
        assert "no values in current" in said["empty"]
        assert "no values in current" in said["endless"]
        assert "numbers in the reference" in said["text"]
        assert "the reference" in said["extra"]
        compared = {c: v for c, v in verdicts(report).items() if v is not None}
        assert compared == {"carrier": False, "distance": False, "delay": False}

    def test_08_what_was_not_computed_counts_neither_way(self, monitor: Monitor) -> None:
        """The verdict is that of all its possible outcomes, or it cannot be told."""
        base, now = inputs(flights(0)), winter(inputs(flights(1)))
        lost = now.drop(columns=["distance", "holiday"])
        assert monitor.compare(lost, base).verdict == "drifted"  # two of four have, surely
        assert monitor.compare(lost, base, Watch(share=0.75)).verdict == "cannot tell"
        calm = inputs(flights(1)).drop(columns="holiday")
        assert monitor.compare(calm, base).verdict == "not drifted"  # one more is not two
        watch = Watch(predictions=("holiday",))
        assert monitor.compare(calm, base, watch).verdict == "cannot tell"

    def test_09_identifiers_times_and_new_columns_do_not_count(self, monitor: Monitor) -> None:
        """They are told of, and are in no share; a column whose method is named is compared."""
        base, now = inputs(flights(0)), inputs(flights(1))
        for frame, first in ((base, 0), (now, ROWS)):
            frame["tail"] = [f"N{n // 2}" for n in range(first, first + ROWS)]
            frame["key"] = range(first, first + ROWS)
            frame["at"] = pd.Timestamp("2013-01-01") + pd.to_timedelta(range(first, first + ROWS))
        report = monitor.compare(now.assign(new=1.0), base)
        unwatched = {s.column for s in report.of("input") if not s.watched}
        assert unwatched == {"tail", "key", "at", "new"}
        assert all(s.not_computed for s in report.of("input") if not s.watched)
        assert report.verdict == "not drifted"
        assert "of 4 inputs" in report.reason
        method = next(m.name for m in monitor.methods() if "number" in m.kinds)
        for named in (Watch(methods={"key": method}), Watch(deciding=("key",))):
            found = monitor.compare(now, base, named)
            assert score_of(found, "key").drifted is True
        assert found.verdict == "drifted"
        assert monitor.compare(now, base, Watch(deciding=("at",))).verdict == "cannot tell"

    def test_10_what_is_wrong_with_a_watch_is_told_at_once(
        self, monitor: Monitor, context: Context
    ) -> None:
        """Columns, methods and numbers, with suggestions, before anything is computed."""
        frame = flights()
        method = monitor.methods()[0].name
        wrong = Watch(
            predictions=("probabilty",),
            ignore=("late",),
            label="late",
            share=0,
            minimum=1,
            margin=-1,
            number=f"{method}s",
            methods={"delya": method},
            thresholds={"delay": 0, "dealy": 1},
        )
        with pytest.raises(InvalidInput) as caught:
            monitor.compare(frame, frame, wrong)
        said = str(caught.value)
        for part in (
            "'probability'", "'late' is among label and ignore", "share", "minimum", "margin",
            repr(method), "'delay'", "'dealy'",
        ):  # fmt: skip
            assert part in said
        assert "\n" not in said
        double = pd.concat([frame, frame[["delay"]]], axis=1)
        with pytest.raises(InvalidInput, match="current has more than one column 'delay'"):
            monitor.compare(double, frame)
        assert isinstance(context.journal, Journal)
        assert context.journal.entries == []
