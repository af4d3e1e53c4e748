"""The contract of a tracker as tests; numbered in docs/reference/tracker.md."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import replace

import pytest

from stackyard.components.base import Context
from stackyard.components.tracker import (
    Entry,
    LoggedArtifact,
    LoggedMetric,
    LoggedParam,
    LoggedTag,
    RunStatus,
    StepFacts,
    Tracker,
)
from stackyard.errors import NotFound
from stackyard.testing.manners import unconnected
from stackyard.testing.stand_ins import Files, Journal, StoredRun
from stackyard.testing.tracker_case import NOW, TrackerCase, facts


class TrackerContract(TrackerCase):
    """Inherit, say what a stack says of the tracker, and how to read a run back."""

    # Opening

    def test_01_opening_again_gives_the_same_run(self, tracker: Tracker, context: Context) -> None:
        """Without an id, the run is found by the Stackyard run's id; also by another process."""
        run = facts()
        first = tracker.open(run, None)
        assert tracker.open(run, None) == first
        assert tracker.open(run, first.id) == first

    def test_02_another_run_is_another_tracking_run(self, tracker: Tracker) -> None:
        """Each Stackyard run has one of its own."""
        assert tracker.open(facts(), None).id != tracker.open(facts(), None).id

    def test_03_opening_writes_the_params_and_tags_of_the_run(self, tracker: Tracker) -> None:
        """The run's own params and tags are there before any entry."""
        run = facts()
        stored = self.read(tracker, tracker.open(run, None).id)
        assert stored.params["depth"] == "6"
        assert stored.tags["stackyard.reason"] == "manual"
        assert stored.tags["stackyard.run_id"] == run.run_id
        assert stored.status == "running"

    def test_04_an_unknown_id_is_not_found(self, tracker: Tracker) -> None:
        """Never a new run under the wrong id."""
        unknown = "0123456789abcdef0123456789abcdef"
        with pytest.raises(NotFound):
            tracker.open(facts(), unknown)
        with pytest.raises(NotFound):
            tracker.write(unknown, [LoggedTag("team", "flights")])
        with pytest.raises(NotFound):
            tracker.finish(unknown, facts())

    # Writing

    def test_05_everything_arrives(self, tracker: Tracker, files: Files) -> None:
        """Params, metrics with step and time, tags, files and folders."""
        stored = self.project(
            tracker,
            [
                LoggedParam("rate", "0.1"),
                LoggedMetric("auc", 0.5, 0, NOW),
                LoggedMetric("auc", 0.75, 1, NOW + 1.25),
                LoggedMetric("auc", 0.875, 1, NOW + 2.5),
                LoggedTag("team", "flights"),
                LoggedArtifact("plots/roc.txt", files.keep("roc", b"a curve")),
                LoggedArtifact("report", files.keep("r", {"a.txt": b"a", "deep/b.txt": b"b"})),
            ],
        )
        assert stored.params == {"depth": "6", "rate": "0.1"}
        assert list(stored.metrics["auc"]) == [
            (0, NOW, 0.5),
            (1, NOW + 1.25, 0.75),
            (1, NOW + 2.5, 0.875),
        ]
        assert stored.tags["team"] == "flights"
        assert stored.artifacts == {
            "plots/roc.txt": b"a curve",
            "report/a.txt": b"a",
            "report/deep/b.txt": b"b",
        }

    def test_06_writing_twice_changes_nothing(self, tracker: Tracker, files: Files) -> None:
        """A second projection leaves what the first left, the history of metrics included."""
        entries: list[Entry] = [
            LoggedParam("rate", "0.1"),
            *[LoggedMetric("loss", 1 / (i + 1), i, NOW + i) for i in range(20)],
            LoggedMetric("nan", math.nan, 0, NOW),
            LoggedTag("team", "flights"),
            LoggedArtifact("a.txt", files.keep("a", b"a")),
        ]
        run = facts(steps=(StepFacts("train", "succeeded", 1.0, tuple(entries)),))
        seen: list[tuple[str, StoredRun]] = []
        for known in (None, "same", None):
            opened = tracker.open(run, None if known is None else seen[0][0])
            tracker.write(opened.id, entries)
            tracker.finish(opened.id, run)
            seen.append((opened.id, self.read(tracker, opened.id)))
        (first, before), *later = seen
        for id, after in later:
            assert id == first
            points = {key: len(found) for key, found in before.metrics.items()}
            assert {key: len(found) for key, found in after.metrics.items()} == points
            assert repr(after) == repr(before)  # NaN does not equal itself

    def test_07_a_part_of_what_is_there_may_be_new(self, tracker: Tracker) -> None:
        """After a write that was cut off, the next one adds what is missing."""
        points = [LoggedMetric("loss", float(i), i, NOW + i) for i in range(10)]
        run = facts()
        opened = tracker.open(run, None)
        tracker.write(opened.id, points[:6])
        tracker.write(opened.id, points)
        assert [p[0] for p in self.read(tracker, opened.id).metrics["loss"]] == list(range(10))

    def test_08_numbers_that_are_not_finite(self, tracker: Tracker) -> None:
        """NaN stays NaN; infinities are at least as large as the largest float."""
        stored = self.project(
            tracker,
            [
                LoggedMetric("nan", math.nan, 0, NOW),
                LoggedMetric("up", math.inf, 0, NOW),
                LoggedMetric("down", -math.inf, 0, NOW),
            ],
        )
        found = stored.metrics.get("nan", [(0, NOW, None)])[0][2]
        assert found is not None and math.isnan(found), f"NaN was stored as {found!r}"
        assert stored.metrics["up"][0][2] > 1e308
        assert stored.metrics["down"][0][2] < -1e308

    def test_09_a_tag_is_replaced(self, tracker: Tracker) -> None:
        """The last value counts."""
        stored = self.project(tracker, [LoggedTag("t", "old"), LoggedTag("t", "new")])
        assert stored.tags["t"] == "new"

    def test_10_a_param_keeps_its_first_value(self, tracker: Tracker) -> None:
        """Another value is kept as the tag ``<step>.<key>``; nothing is lost, nothing raises."""
        first, second = LoggedParam("rate", "0.1"), LoggedParam("rate", "0.2")
        run = facts(
            steps=(
                StepFacts("a", "succeeded", 1.0, (first,)),
                StepFacts("b", "succeeded", 1.0, (second,)),
            )
        )
        opened = tracker.open(run, None)
        tracker.write(opened.id, [first, second])
        tracker.write(opened.id, [second])
        stored = self.read(tracker, opened.id)
        assert stored.params["rate"] == "0.1"
        assert stored.tags.get("b.rate") == "0.2", "the second value is lost: no tag 'b.rate'"

    def test_11_thousands_of_entries(self, tracker: Tracker) -> None:
        """A tool's limits per request are the component's business."""
        entries: list[Entry] = [LoggedMetric(f"m{i % 7}", float(i), i, NOW) for i in range(2500)]
        entries += [LoggedParam(f"p{i}", "x" * 100) for i in range(250)]
        entries += [LoggedTag(f"t{i}", "x" * 100) for i in range(250)]
        stored = self.project(tracker, entries)
        assert sum(len(points) for points in stored.metrics.values()) == 2500
        assert sum(key.startswith("p") for key in stored.params) == 250
        assert sum(key.startswith("t") and key[1:].isdigit() for key in stored.tags) == 250

    def test_12_long_values_are_kept_whole(self, tracker: Tracker) -> None:
        """Where the tool cuts a value, the cut is visible and the whole is an artifact."""
        long = "".join(chr(0x4E00 + i % 2000) for i in range(20_000))
        stored = self.project(tracker, [LoggedParam("long", long), LoggedTag("wide", long)])
        texts = [v.decode("utf-8", "replace") for v in stored.artifacts.values()]
        for value in (stored.params["long"], stored.tags["wide"]):
            assert value == long or (long in texts and value[:100] == long[:100])
            assert value == long or "20000" in value

    def test_13_every_key_that_a_step_may_log_arrives(self, tracker: Tracker) -> None:
        """Under another name if the tool refuses it, and no two keys become one."""
        keys = ["recall@5", "recall_5", "a//b", "../up", "/root", "f1 (macro)", "größe", "x" * 250]
        keys += ["Loss", "loss"]
        entries: list[Entry] = [LoggedMetric(k, 1.0, 0, NOW) for k in keys]
        entries += [LoggedParam(f"p {k}"[:250], f"param {k}") for k in keys]
        entries += [LoggedTag(f"t {k}"[:250], f"tag {k}") for k in keys]
        stored = self.project(tracker, entries)
        assert len(stored.metrics) == len(keys)
        missing = [k for k in keys if k not in stored.metrics]
        assert all(k in stored.tags.values() for k in missing)
        assert len(stored.params) == len(keys) + 1  # and the run's own
        assert {f"param {k}" for k in keys} <= set(stored.params.values())
        assert {f"tag {k}" for k in keys} <= set(stored.tags.values())

    # Ending

    @pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
    def test_14_status_and_end(self, tracker: Tracker, status: RunStatus) -> None:
        """As the run ended; and a run that ended may be written again."""
        run = facts(status=status)
        opened = tracker.open(run, None)
        tracker.finish(opened.id, run)
        tracker.write(opened.id, [LoggedTag("late", "yes")])
        tracker.finish(opened.id, run)
        stored = self.read(tracker, opened.id)
        assert (stored.status, stored.ended) == (status, NOW + 60)
        assert stored.tags["late"] == "yes"

    def test_15_a_discarded_run_is_gone(self, tracker: Tracker) -> None:
        """Discarding twice is as good as once; the next open makes a new run."""
        run = facts()
        first = tracker.open(run, None)
        tracker.discard(first.id)
        tracker.discard(first.id)
        assert tracker.open(run, None).id != first.id
        with pytest.raises(NotFound):
            tracker.open(run, first.id)

    # In a step

    def test_16_logging_goes_to_the_journal(self, context: Context) -> None:
        """Its calls connect to nothing unless the tracker is live; elsewhere they do nothing."""
        journal = Journal()
        for one in (journal, None):
            logging = self.connect(replace(context, journal=one))
            with nullcontext() if "live" in logging.capabilities else unconnected():
                logging.log_params({"depth": 6})
                logging.log_metrics({"auc": 0.5}, step=3)
                logging.set_tags({"team": "flights"})
            logging.close()
        assert len(journal.entries) == 3
        assert journal.entries[0] == LoggedParam("depth", "6")
        assert (journal.entries[1].value, journal.entries[1].step) == (0.5, 3)
        assert journal.entries[2] == LoggedTag("team", "flights")
