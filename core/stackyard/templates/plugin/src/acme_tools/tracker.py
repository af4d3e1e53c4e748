"""The tracker. Here a run is a folder: put your tool's client in its place.

What a tracker must keep is numbered in Stackyard's docs/reference/tracker.md.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackyard import Tracker
from stackyard.components.tracker import (
    Entry,
    LoggedArtifact,
    LoggedMetric,
    LoggedParam,
    LoggedTag,
    RunFacts,
    TrackingRun,
)
from stackyard.errors import NotFound


@dataclass(frozen=True)
class AcmeTrackerConfig:
    """What a stack may say.

    Attributes:
        folder: Where the runs are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-tracker"


class AcmeTracker(Tracker):
    """A run is a folder with a log, to which lines are only added, and the files.

    So several processes may write at once, and what is written twice counts once, as it is read.
    """

    config: AcmeTrackerConfig
    _steps: Mapping[tuple[str, str], str] = {}

    def open(self, run: RunFacts, tracking_id: str | None) -> TrackingRun:
        """Return the run with ``tracking_id``, else the one made for ``run``, else make one."""
        if tracking_id is None:
            made = sorted(path.name for path in self._home.glob(f"{run.run_id}.*"))
            tracking_id = made[0] if made else f"{run.run_id}.{uuid.uuid4().hex[:8]}"
            (self._home / tracking_id).mkdir(parents=True, exist_ok=True)
        self._steps = {
            (entry.key, entry.value): step.name
            for step in reversed(run.steps)
            for entry in step.entries
            if isinstance(entry, LoggedParam)
        }
        params = [LoggedParam(key, value) for key, value in run.params.items()]
        tags = {**run.tags, "stackyard.run_id": run.run_id}
        self.write(tracking_id, [*params, *(LoggedTag(k, v) for k, v in tags.items())])
        return TrackingRun(tracking_id, url=f"less {self._folder(tracking_id) / 'log.jsonl'}")

    def write(self, tracking_id: str, entries: Sequence[Entry]) -> None:
        """Add lines to the run's log, and copy what was logged as a file or folder."""
        lines: list[dict[str, Any]] = []
        for entry in entries:
            if isinstance(entry, LoggedParam):
                step = self._steps.get((entry.key, entry.value), "")
                lines.append({"param": entry.key, "value": entry.value, "step": step})
            elif isinstance(entry, LoggedMetric):
                point = (entry.step, entry.time, entry.value)
                lines.append({"metric": entry.key, "point": point})
            elif isinstance(entry, LoggedTag):
                lines.append({"tag": entry.key, "value": entry.value})
            else:
                self._copy(tracking_id, entry)
        self._add(tracking_id, lines)

    def finish(self, tracking_id: str, run: RunFacts) -> None:
        """Add status and end."""
        self._add(tracking_id, [{"status": run.status, "ended": run.ended}])

    def discard(self, tracking_id: str) -> None:
        """Remove the run's folder."""
        with contextlib.suppress(FileNotFoundError):  # it is discarded already
            shutil.rmtree(self._home / tracking_id)

    def read(self, tracking_id: str) -> dict[str, Any]:
        """What the log and the files of a run say: a tool of your own has this already."""
        run: dict[str, Any] = {"params": {}, "metrics": {}, "tags": {}, "status": "running"}
        folder = self._folder(tracking_id)
        for text in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "param" in line:
                if run["params"].setdefault(line["param"], line["value"]) != line["value"]:
                    run["tags"][f"{line['step']}.{line['param']}"] = line["value"]
            elif "metric" in line:
                run["metrics"].setdefault(line["metric"], {})[str(line["point"])] = line["point"]
            elif "tag" in line:
                run["tags"][line["tag"]] = line["value"]
            else:
                run |= line
        run["metrics"] = {key: list(points.values()) for key, points in run["metrics"].items()}
        files = folder / "files"
        run["files"] = {
            path.relative_to(files).as_posix(): path.read_bytes()
            for path in files.rglob("*")
            if path.is_file()
        }
        return run

    @property
    def _home(self) -> Path:
        return self.context.project / self.config.folder

    def _folder(self, tracking_id: str) -> Path:
        folder = self._home / tracking_id
        if not folder.is_dir():
            have = ", ".join(sorted(path.name for path in self._home.glob("*"))) or "none"
            raise NotFound(f"there is no run {tracking_id!r} in {self._home}. Runs: {have}")
        return folder

    def _add(self, tracking_id: str, lines: Iterable[dict[str, Any]]) -> None:
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        with (self._folder(tracking_id) / "log.jsonl").open("ab", buffering=0) as log:
            log.write(text.encode())  # one write, so that those of two processes do not mix

    def _copy(self, tracking_id: str, entry: LoggedArtifact) -> None:
        assert self.context.fetch is not None
        source = self.context.fetch(entry.digest)
        target = self._folder(tracking_id) / "files" / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
