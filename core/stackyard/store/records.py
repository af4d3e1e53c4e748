"""Records of runs and step attempts: immutable, atomic, written once.

Keys in the store (a run id begins with its UTC time, so that listing is listing by time):

    runs/<run id>/run.json                     written when the run begins
    runs/<run id>/attempts/<step>@<n>.json     written when attempt n of a step has ended
    runs/<run id>/ends/<n>.json                written when the run has ended; the last one counts
    runs/<run id>/claims/<name>                first-writer-wins facts, e.g. the tracking run's id
    pipelines/<pipeline>/<run id>              empty; the runs of one pipeline, to be listed
    cache/<key>/<time>-<run id>@<step>@<n>     empty; an attempt whose outputs the key stands for,
                                               nanoseconds in 20 digits, so the newest sorts last
    external/<BLAKE3 of a name>                our run id for another system's name of the run
    pins/<digest>                              why an artifact is kept whatever becomes of its run
    leases/<run id>/<time>-<process>           empty; somebody works on the run after its end

``run_records.Records`` writes and reads them.
"""

from __future__ import annotations

import calendar
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
AttemptStatus: TypeAlias = Literal["succeeded", "cached", "failed", "skipped"]
EndStatus: TypeAlias = Literal["succeeded", "failed", "cancelled"]


def run_time(run_id: str) -> float:
    """When a run was asked for, seconds since the epoch: its id begins with that."""
    return calendar.timegm(time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))


def new_run_id(now: float | None = None) -> str:
    """Return a run id: UTC time to the second, then 8 random hexadecimal characters."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{os.urandom(4).hex()}"


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact: BLAKE3 of its bytes, how they are written, the value's type, their number."""

    digest: str
    format: str
    type: str  # dotted name of the value's class
    size: int


@dataclass(frozen=True)
class AttemptId:
    """Names one attempt of one step of one run."""

    run_id: str
    step: str
    attempt: int


@dataclass(frozen=True)
class RunRecord:
    """What is known when a run begins. ``started`` is seconds since the epoch.

    ``pid`` is the process that carries the whole run; 0 where every step has one of its own, so
    that only silence tells that the run was interrupted.
    """

    run_id: str
    pipeline: str
    stack: str
    params: Mapping[str, Any]
    graph: Mapping[str, Any]  # Graph.to_json()
    graph_digest: str
    reason: str
    actor: str
    started: float
    bundle: str | None = None  # digest of the project's code bundle
    code_roots: tuple[str, ...] = ()  # folders of the bundle from which code is imported
    resume: str | None = None  # the run that this one continues
    only: str | None = None
    cache: bool = True
    orchestrator: str = "local"
    host: str = ""
    pid: int = 0
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, Any] = field(default_factory=dict)  # resolved, secrets as references
    git: Mapping[str, Any] = field(default_factory=dict)  # commit, dirty
    format: int = 1


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt of one step, complete when it is written.

    ``inputs`` maps parameters to artifacts, ``values`` the other parameters to plain JSON.
    ``key_parts`` are the named digests that make up ``key``; two of them explain a cache miss.
    ``journal`` holds what the step logged, as tagged plain data. A step that a condition left out
    has one attempt, ``skipped``, whose ``why`` names the condition.
    """

    run_id: str
    step: str
    attempt: int
    status: AttemptStatus
    started: float
    seconds: float
    key: str
    key_parts: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    journal: tuple[Mapping[str, Any], ...] = ()
    reused: AttemptId | None = None  # the attempt whose outputs these are
    why: str = ""  # one line: why it was reused, or why it ran
    error: str | None = None  # "ValueError: ..."
    traceback: str | None = None  # as people are shown it
    full_traceback: str | None = None  # where that is more
    final: bool = False  # it failed in a way that no other try can mend
    log: str | None = None  # digest of the captured output
    kept: tuple[str, ...] = ()  # digests of files and folders that the step put into the store
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    host: str = ""
    pid: int = 0
    jobs: Mapping[str, Any] = field(default_factory=dict)  # handles of long jobs
    format: int = 1

    @property
    def finished(self) -> bool:
        """Whether it has outputs for others to read."""
        return self.status in ("succeeded", "cached")


@dataclass(frozen=True)
class EndRecord:
    """How a run ended."""

    run_id: str
    status: EndStatus
    ended: float
    error: str | None = None
    warnings: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()  # steps that were under way when the run was cancelled
    format: int = 1


def run_key(run_id: str) -> str:
    """Where a run's record is."""
    return f"runs/{run_id}/run.json"


def attempt_key(run_id: str, step: str, number: int) -> str:
    """Where the record of an attempt is."""
    return f"runs/{run_id}/attempts/{step}@{number}.json"


def host_name() -> str:
    """This machine's name."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
