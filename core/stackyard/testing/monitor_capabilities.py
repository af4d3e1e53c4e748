"""The part of a monitor's contract about what only some monitors can."""

from __future__ import annotations

import pytest

from stackyard.components.monitor import Monitor, Watch
from stackyard.errors import InvalidInput
from stackyard.testing.manners import needs
from stackyard.testing.monitor_case import MODEL, ROWS, MonitorCase, flights, inputs, winter


class MonitorCapabilities(MonitorCase):
    """Quality, performance, the tool's own page."""

    def test_19_quality_is_told_by_shares_of_rows(self, monitor: Monitor) -> None:
        """Missing rows, values that are out of range or new, beside those of the reference."""
        base, now = inputs(flights(0)), inputs(flights(1))
        needs(monitor, "quality", refused=lambda: monitor.quality(now, base, ()))
        base.loc[: ROWS // 10 - 1, "delay"] = None
        now.loc[: ROWS // 5 - 1, "delay"] = None
        now.loc[: ROWS // 4 - 1, "carrier"] = "YV"
        now.loc[ROWS // 2 :, "carrier"] = None
        now.loc[: ROWS // 50 - 1, "distance"] = 9999
        sides = now.assign(gone=None), base.assign(gone=1.0)
        report = monitor.compare(*sides)
        found = {(s.column, s.method): s for s in report.of("quality")}
        missing = found["delay", "share missing"]
        figures = [missing.score, missing.reference, missing.threshold]
        assert figures == pytest.approx([0.2, 0.1, 0.15])
        new = found["carrier", "share new"]
        assert [new.score, new.reference] == pytest.approx([0.5, 0])  # of the values that are there
        assert missing.drifted and new.drifted
        out = found["distance", "share out of range"]
        assert out.score == pytest.approx(0.02, abs=0.005) and out.drifted is False
        assert found["gone", "share missing"].score == 1
        assert ("gone", "share out of range") not in found
        calm = monitor.compare(*sides, Watch(margin=1.0))
        assert not any(s.drifted for s in calm.of("quality"))
        assert calm.verdict == report.verdict
        few = monitor.compare(now[:50], base).of("quality")
        assert [s.not_computed for s in few] == ["50 rows in current; needs 100"]

    def test_20_performance_is_told_once_labels_came(self, monitor: Monitor) -> None:
        """Of probabilities, classes and numbers; worse than the reference has drifted."""
        base, now = flights(0), flights(1)
        asked = now, base, "late", "predict"
        needs(monitor, "performance", refused=lambda: monitor.performance(*asked, "class"))
        report = monitor.compare(now, base, MODEL)
        found = {(s.column, s.method): s for s in report.of("performance")}
        right = (now["predict"] == now["late"]).mean()
        assert found["predict", "accuracy"].score == pytest.approx(right)
        assert found["predict", "accuracy"].direction == "below"
        auc = found["probability", "auc"]
        assert auc.score is not None and 0.85 < auc.score < 0.98
        assert found["probability", "log_loss"].direction == "above"
        assert report.verdict == "not drifted"
        wrong = now.assign(late=1 - now["late"])
        report = monitor.compare(wrong, base, MODEL)
        assert [s.drifted for s in report.of("performance")] == [True] * 3
        assert report.verdict == "drifted" and "accuracy" in report.reason
        watch = Watch(inputs=("carrier",), predictions=("distance",), label="delay")
        moved = now.assign(delay=now["delay"] * 200)
        scores = monitor.compare(moved, base, watch).of("performance")
        assert {s.method: s.drifted for s in scores} == {"mae": True, "rmse": True}
        error = (base["delay"] - base["distance"]).abs().mean()
        assert scores[0].reference == pytest.approx(error)

    def test_21_few_labels_do_not_seem_worse_by_chance(self, monitor: Monitor) -> None:
        """Of fifteen samples of a hundred labels; one that became bad is told from a thousand."""
        needs(monitor, "performance")
        names = ["probability", "predict", "late"]
        base = flights(0)[names]
        worse = 0
        for seed in range(1, 16):
            report = monitor.compare(flights(seed, 100)[names], base, MODEL)
            worse += any(s.drifted for s in report.of("performance"))
        assert worse <= 1
        now = flights(1)[names]
        now.loc[now.index % 5 == 0, "late"] = 1 - now["late"]
        report = monitor.compare(now, base, MODEL)
        assert [s.drifted for s in report.of("performance")] == [True] * 3

    def test_22_labels_that_did_not_come_leave_the_verdict(self, monitor: Monitor) -> None:
        """Too few, none, or of one value only: performance says why it was not computed."""
        needs(monitor, "performance")
        base, now = flights(0), flights(1)
        few = now.assign(late=now["late"].where(now.index < 60))
        for current, said in (
            (few, "60 labels in current"),
            (now.drop(columns="late"), "current has no column 'late'"),
            (now.assign(late=None), "no labels in current"),
            (now.assign(late="yes"), "'late': numbers in the reference, categories in current"),
        ):
            report = monitor.compare(current, base, MODEL)
            scores = report.of("performance")
            assert [s.drifted for s in scores] == [None, None]
            assert all(said in s.not_computed for s in scores)
            assert report.verdict == "not drifted"
        one = monitor.compare(now.assign(late=0), base, MODEL).of("performance")
        assert {s.column: s.not_computed for s in one} == {
            "probability": "labels of one value only in current", "predict": "",
        }  # fmt: skip

    def test_23_the_tools_own_page(self, monitor: Monitor) -> None:
        """Of the columns that can be compared; it loads nothing from anywhere, and runs nothing
        that the data holds."""
        base, now = inputs(flights(0)), winter(inputs(flights(1)))
        needs(monitor, "html", refused=lambda: monitor.page(now, base))
        for frame in (base, now):
            frame["</script><b id=mark>"] = frame["carrier"].replace("DL", "</script><b id=mark>")
        text = monitor.page(now.assign(gone=None), base.assign(gone=1.0))
        assert "<html" in text and "delay" in text
        assert "<b id=mark>" not in text
        assert 'src="http' not in text and 'rel="stylesheet" href="http' not in text
        with pytest.raises(InvalidInput, match="no column can be compared"):
            monitor.page(now[:0], base)
