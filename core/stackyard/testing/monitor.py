"""The contract of a monitor as tests; numbered in docs/reference/monitor.md."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.monitor import Monitor, Watch
from stackyard.components.monitor_report import MonitorReport
from stackyard.errors import InvalidInput
from stackyard.testing.manners import saying_nothing, side_by_side
from stackyard.testing.monitor_capabilities import MonitorCapabilities
from stackyard.testing.monitor_case import (
    MODEL,
    ROWS,
    flights,
    inputs,
    verdicts,
    winter,
)
from stackyard.testing.monitor_gaps import MonitorGaps
from stackyard.testing.stand_ins import Journal


class MonitorContract(MonitorGaps, MonitorCapabilities):
    """Inherit, and say what a stack says of the monitor."""

    # Drift

    def test_01_what_moved_has_drifted_and_what_did_not_has_not(self, monitor: Monitor) -> None:
        """Each score with its method, threshold and direction."""
        report = monitor.compare(winter(inputs(flights(1))), inputs(flights(0)))
        assert verdicts(report) == {
            "carrier": True, "distance": False, "delay": True, "holiday": False,
        }  # fmt: skip
        known = {method.name: method for method in monitor.methods()}
        for score in report.of("input"):
            method = known[score.method]
            assert (score.direction, score.threshold) == (method.direction, method.threshold)
            assert score.watched and not score.not_computed
        assert (report.verdict, report.drifted) == ("drifted", True)
        assert "2 of 4" in report.reason and "delay" in report.reason

    def test_02_the_same_rows_have_not_drifted(self, monitor: Monitor) -> None:
        """By any method that can be named; rows that moved far have, by most."""
        base = inputs(flights())[:150]  # some methods take their time
        far = base.assign(delay=base["delay"] + 200, holiday=~base["holiday"])
        seen = 0
        for method in monitor.methods():
            column = "delay" if method.kinds[0] == "number" else "holiday"
            watch = Watch(inputs=(column,), methods={column: method.name})
            (same,) = monitor.compare(base, base, watch).of("input")
            (moved,) = monitor.compare(far, base, watch).of("input")
            assert same.method in ("", method.name)
            assert same.drifted is False or same.not_computed, method.name
            seen += same.drifted is False and moved.drifted is True
        assert seen > len(monitor.methods()) / 2

    def test_03_methods_and_thresholds_are_those_of_the_watch(self, monitor: Monitor) -> None:
        """By column, by kind and by method; a column's own threshold counts first."""
        known = monitor.methods()
        category = next(m for m in known if "category" in m.kinds)
        numbers = [m for m in known if "number" in m.kinds]
        number = next((m for m in numbers if m is not category), category)
        other = next((m for m in numbers if m is not number), number)
        watch = Watch(
            number=number.name,
            category=category.name,
            methods={"distance": other.name},
            thresholds={category.name: 0.7, "distance": 0.6},
        )
        found = monitor.compare(inputs(flights(1)), inputs(flights()), watch)
        asked = {s.column: (s.method, s.threshold) for s in found.of("input")}
        assert asked == {
            "carrier": (category.name, 0.7),
            "distance": (other.name, 0.6),
            "delay": (number.name, 0.7 if number is category else number.threshold),
            "holiday": (category.name, 0.7),
        }

    def test_04_predictions_decide_alone(self, monitor: Monitor) -> None:
        """As do deciding inputs; the rule and the reason say so."""
        base, now = flights(0), flights(1)
        moved = now.assign(probability=now["probability"] / 3)
        names = ("carrier", "distance", "delay", "holiday")
        watch = Watch(inputs=names, predictions=("probability",))
        report = monitor.compare(moved, base, watch)
        assert verdicts(report, "prediction") == {"probability": True}
        assert report.verdict == "drifted"
        assert "probability" in report.reason and "probability" in report.rule
        assert monitor.compare(now, base, watch).verdict == "not drifted"
        late = now.assign(delay=now["delay"] * 4)
        assert monitor.compare(late, base, Watch(inputs=names)).verdict == "not drifted"
        alone = Watch(inputs=names, deciding=("delay",))
        assert monitor.compare(late, base, alone).verdict == "drifted"

    def test_05_the_share_of_inputs_makes_the_verdict(self, monitor: Monitor) -> None:
        """Two of four are enough for a half, and not for more."""
        now, base = winter(inputs(flights(1))), inputs(flights())
        for share, verdict in ((0.25, "drifted"), (0.5, "drifted"), (0.51, "not drifted")):
            assert monitor.compare(now, base, Watch(share=share)).verdict == verdict

    # Frames

    def test_11_columns_of_any_kind(self, monitor: Monitor) -> None:
        """Nullable ones, categories, text of Arrow and of Python, infinities, any names; what is
        missing in places hides no drift."""
        names = ["größe", "../up", "/root", "a\nb", "'quoted\"", "</script><b>", "x" * 300]
        frames = []
        for seed in (0, 1):
            base = flights(seed)
            frame = pd.DataFrame(
                {
                    "nullable": base["distance"].astype("Int64"),
                    "category": base["carrier"].astype("category"),
                    "text": base["carrier"].astype("string"),
                    "truth": base["holiday"].astype("boolean"),
                    "objects": base["distance"].astype(object),
                    "mixed": base["carrier"].where(base["carrier"] != "UA", 7),
                    "infinite": base["delay"].where(base["delay"] < 60, np.inf),
                    "output:a b.c<d>": base["delay"],
                    "": base["delay"],
                    5: base["delay"].astype("float32"),
                }
            )
            for name in names:
                frame[name] = base["delay"]
            frame.loc[:20, ["nullable", "category", "text", "truth", "objects"]] = None
            frames.append(frame)
        report = monitor.compare(frames[1], frames[0])
        assert {s.column: s.not_computed for s in report.of("input")} == {
            str(name): "" for name in frames[0]
        }
        assert report.verdict == "not drifted"
        moved = frames[1].assign(
            nullable=frames[1]["nullable"] + 600, infinite=frames[1]["infinite"] * 4
        )
        found = verdicts(monitor.compare(moved, frames[0]))
        assert {name for name, drifted in found.items() if drifted} == {"nullable", "infinite"}

    def test_12_the_frames_are_not_changed(self, monitor: Monitor) -> None:
        """Neither values nor index, nor the random state; any index will do."""
        base, now = (flights(s).set_index("distance", drop=False) for s in (0, 1))
        kept = [frame.copy(deep=True) for frame in (now, base)]
        np.random.seed(7)
        before = np.random.get_state()[1].copy()  # type: ignore[index]
        monitor.compare(now, base, MODEL)
        assert (np.random.get_state()[1] == before).all()  # type: ignore[index]
        for frame, copy in zip((now, base), kept, strict=True):
            pd.testing.assert_frame_equal(frame, copy)

    def test_13_the_window_is_told(self, monitor: Monitor) -> None:
        """Rows and moments of both sides, from a column or from the index."""
        base = inputs(flights())
        hours = pd.date_range("2013-01-01", periods=ROWS, freq="h", tz="UTC")
        report = monitor.compare(base.assign(at=hours), base, Watch(time="at"))
        assert (report.current.rows, report.reference.rows) == (ROWS, ROWS)
        assert report.current.since == "2013-01-01T00:00:00+00:00"
        assert report.current.until == hours[-1].isoformat()
        assert (report.reference.since, report.reference.until) == ("", "")
        assert "at" not in verdicts(report)
        indexed = base.set_axis(pd.Index(hours, name="time"))
        assert monitor.compare(indexed, base).current == report.current
        with pytest.raises(InvalidInput, match="'carrier' holds no times"):
            monitor.compare(base, base, Watch(time="carrier"))

    # What leaves the monitor

    def test_14_the_report_is_noted_and_is_plain_data(
        self, monitor: Monitor, context: Context
    ) -> None:
        """It goes through JSON, which has no infinities, and comes back."""
        now = winter(flights(1)).assign(lost=None, tail=[f"N{n}" for n in range(ROWS)])
        report = monitor.compare(now, flights().assign(lost=1, tail=now["tail"]), MODEL)
        assert isinstance(context.journal, Journal)
        assert context.journal.entries == [report]
        import msgspec

        text = json.dumps(asdict(report), allow_nan=False)
        assert msgspec.convert(json.loads(text), MonitorReport) == report
        assert "N1234" not in text

    def test_15_histograms_show_how_values_are_spread(self, monitor: Monitor) -> None:
        """Shares of both sides in the same bins; neither extremes nor rare values are named."""
        base, now = inputs(flights(0)), winter(inputs(flights(1)))
        base.loc[0, "carrier"] = "private-carrier"
        base.loc[0, "distance"] = 987_654_321
        report = monitor.compare(now, base)
        assert set(report.histograms) == {"carrier", "distance", "delay", "holiday"}
        for one in report.histograms.values():
            assert len(one.labels) == len(one.current) == len(one.reference)
            assert sum(one.current) == pytest.approx(1, abs=0.01)
            assert sum(one.reference) == pytest.approx(1, abs=0.01)
        carrier = report.histograms["carrier"]
        assert carrier.reference[carrier.labels.index("UA")] == pytest.approx(0.5, abs=0.05)
        assert carrier.current[carrier.labels.index("AA")] == pytest.approx(0.5, abs=0.05)
        assert "private" not in json.dumps(asdict(report))
        assert not any("e+" in label for label in report.histograms["distance"].labels)

    def test_16_nothing_is_printed_or_logged(
        self,
        monitor: Monitor,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """By what can be compared and by what cannot; nothing warns."""
        with saying_nothing(capfd, caplog):
            monitor.compare(flights(1).assign(one=1, none=None), flights().assign(one=1), MODEL)
            monitor.compare(flights()[:0], flights())

    # Manners

    def test_17_threads_get_their_own_answers(self, monitor: Monitor) -> None:
        """Each one that of its frames."""
        base = inputs(flights())

        def compare(number: int) -> tuple[int, bool | None]:
            now = inputs(flights(number, 200 + number))
            report = monitor.compare(now.assign(delay=now["delay"] * number), base)
            return report.current.rows, verdicts(report)["delay"]

        found = side_by_side(compare, (1, 5, 6))
        assert found == [(201, False), (205, True), (206, True)]

    def test_18_the_same_frames_give_the_same_report(
        self, monitor: Monitor, context: Context
    ) -> None:
        """By every method, whoever asks and when: a report may be answered from the cache."""
        now, base = inputs(flights(1))[:150], inputs(flights())[:150]
        later = self.connect(context)
        for method in monitor.methods():
            column = "delay" if method.kinds[0] == "number" else "holiday"
            watch = Watch(inputs=(column,), methods={column: method.name})
            assert later.compare(now, base, watch) == monitor.compare(now, base, watch)
        now, base = flights(1), flights()
        assert later.compare(now, base, MODEL) == monitor.compare(now, base, MODEL)
        later.close()
