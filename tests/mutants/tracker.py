"""Broken trackers."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acme_tools.tracker import AcmeTracker, AcmeTrackerConfig

from stackyard.components.tracker import LoggedMetric, LoggedParam, LoggedTag


class MakesAnother(AcmeTracker):
    """Every opening makes a run."""

    caught_by = "test_01_opening_again_gives_the_same_run"

    def open(self, run: Any, tracking_id: str | None) -> Any:
        return super().open(replace(run, run_id=f"{run.run_id}{time.monotonic_ns()}"), None)


class ForgetsTheRun(AcmeTracker):
    """The run's own params and tags are not written."""

    caught_by = "test_03_opening_writes_the_params_and_tags_of_the_run"

    def open(self, run: Any, tracking_id: str | None) -> Any:
        return super().open(replace(run, params={}, tags={}), tracking_id)


class TakesAnyId(AcmeTracker):
    """An id that is not there gets a run."""

    caught_by = "test_04_an_unknown_id_is_not_found"

    def open(self, run: Any, tracking_id: str | None) -> Any:
        if tracking_id is not None:
            (self._home / tracking_id).mkdir(parents=True, exist_ok=True)
        return super().open(run, tracking_id)


class LosesFolders(AcmeTracker):
    """Of a folder only its first file arrives."""

    caught_by = "test_05_everything_arrives"

    def read(self, tracking_id: str) -> Any:
        run = super().read(tracking_id)
        run["files"] = {k: v for k, v in run["files"].items() if "/deep/" not in k}
        return run


class Doubles(AcmeTracker):
    """A metric that is written again is there twice."""

    caught_by = "test_06_writing_twice_changes_nothing"

    def write(self, tracking_id: str, entries: Any) -> None:
        moved = [
            replace(e, time=e.time + time.monotonic()) if isinstance(e, LoggedMetric) else e
            for e in entries
        ]
        super().write(tracking_id, moved)


class ComesOnce(AcmeTracker):
    """What is written after the first time is left out."""

    caught_by = "test_07_a_part_of_what_is_there_may_be_new"

    def write(self, tracking_id: str, entries: Any) -> None:
        log = self._home / tracking_id / "log.jsonl"
        if not (log.exists() and "metric" in log.read_text()):
            super().write(tracking_id, entries)


class StoresNoNan(AcmeTracker):
    """What is no number becomes 0."""

    caught_by = "test_08_numbers_that_are_not_finite"

    def write(self, tracking_id: str, entries: Any) -> None:
        super().write(
            tracking_id,
            [
                replace(e, value=0.0) if isinstance(e, LoggedMetric) and e.value != e.value else e
                for e in entries
            ],
        )


class KeepsTheLastParam(AcmeTracker):
    """A param that is logged again is replaced."""

    caught_by = "test_10_a_param_keeps_its_first_value"

    def read(self, tracking_id: str) -> Any:
        run = super().read(tracking_id)
        for line in (self._home / tracking_id / "log.jsonl").read_text().splitlines():
            found = json.loads(line)
            if "param" in found:
                run["params"][found["param"]] = found["value"]
        return run


class CutsLongValues(AcmeTracker):
    """After 500 characters a value ends, and nothing says so."""

    caught_by = "test_12_long_values_are_kept_whole"

    def write(self, tracking_id: str, entries: Any) -> None:
        cut = (LoggedParam, LoggedTag)
        super().write(
            tracking_id,
            [replace(e, value=e.value[:500]) if isinstance(e, cut) else e for e in entries],
        )


class DropsLetters(AcmeTracker):
    """Of a key only ASCII arrives, and nothing has its whole name."""

    caught_by = "test_13_every_key_that_a_step_may_log_arrives"

    def write(self, tracking_id: str, entries: Any) -> None:
        super().write(
            tracking_id,
            [
                replace(e, key=e.key.encode("ascii", "ignore").decode()) if hasattr(e, "key") else e
                for e in entries
            ],
        )


class MixesCases(AcmeTracker):
    """Keys that differ in case only become one."""

    caught_by = "test_13_every_key_that_a_step_may_log_arrives"

    def write(self, tracking_id: str, entries: Any) -> None:
        super().write(
            tracking_id,
            [replace(e, key=e.key.lower()) if hasattr(e, "key") else e for e in entries],
        )


class AlwaysSucceeds(AcmeTracker):
    """Whatever became of the run, it succeeded."""

    caught_by = "test_14_status_and_end[failed]"

    def finish(self, tracking_id: str, run: Any) -> None:
        super().finish(tracking_id, replace(run, status="succeeded"))


class KeepsWhatIsDiscarded(AcmeTracker):
    """A discarded run stays."""

    caught_by = "test_15_a_discarded_run_is_gone"

    def discard(self, tracking_id: str) -> None:
        pass


class PassesTheJournalBy(AcmeTracker):
    """A step's tags are only sent."""

    caught_by = "test_16_logging_goes_to_the_journal"

    def set_tags(self, tags: Any) -> None:
        pass


@dataclass(frozen=True)
class Deeper(AcmeTrackerConfig):
    """Says more than it was told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.folder}/runs")


class ConfiguresItself(AcmeTracker):
    """Its configuration, said again, is another one."""

    caught_by = "test_c01_what_a_stack_says_is_the_configuration"
    configured_by = Deeper


class BeginsAtOnce(AcmeTracker):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self._home.mkdir(parents=True, exist_ok=True)


class StartsAtOnce(AcmeTracker):
    """Making it starts a process that keeps a connection warm."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        subprocess.Popen(["sleep", "1"])


class ConnectsAtOnce(AcmeTracker):
    """Making it looks whether the tool is there, and says nothing where it is not."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        with contextlib.suppress(Exception):
            socket.create_connection(("127.0.0.1", 9)).close()


class ConnectsToLog(AcmeTracker):
    """A step that logs waits for the tool."""

    caught_by = "test_16_logging_goes_to_the_journal"

    def log_metrics(self, metrics: Any, step: int = 0) -> None:
        with contextlib.suppress(Exception):
            socket.create_connection(("127.0.0.1", 9)).close()
        super().log_metrics(metrics, step)


class Misspells(AcmeTracker):
    """It says that it can do what no tracker can."""

    caught_by = "test_c10_its_capabilities_are_those_of_the_kind"
    capabilities = frozenset({"lives"})


class RaisesInDoctor(AcmeTracker):
    """A check that finds something raises."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        raise FileNotFoundError(Path("runs"))


class WritesTheWholeLog(AcmeTracker):
    """It reads the log, thinks, and writes all of it."""

    caught_by = "test_c09_two_processes_at_once"

    def _add(self, tracking_id: str, lines: Any) -> None:
        log = self._folder(tracking_id) / "log.jsonl"
        before = log.read_text() if log.exists() else ""
        time.sleep(0.5)
        log.write_text(before + "".join(f"{json.dumps(line)}\n" for line in lines))
