"""A run's records projected to the stack's trackers: in one go, idempotently, again on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackyard import evidence
from stackyard.claims import RunClaims
from stackyard.components import tracker as kind
from stackyard.components.base import redact
from stackyard.components.tracker import Entry, RunFacts, RunStatus, StepFacts, Tracker
from stackyard.errors import ComponentError, StackyardError
from stackyard.location import innermost, said
from stackyard.store.leases import hold
from stackyard.store.run_status import run_status

if TYPE_CHECKING:
    from stackyard.stack import Stack
    from stackyard.store.records import AttemptRecord
    from stackyard.store.store import Store

_ENTRIES: dict[str, Callable[..., Entry]] = {
    name: getattr(kind, name)
    for name in ("LoggedParam", "LoggedMetric", "LoggedTag", "LoggedArtifact")
}


def facts(store: Store, run_id: str, instance: str = "tracker") -> RunFacts:
    """The run as its tracker ``instance`` sees it, from the records alone."""
    records = store.records
    run, end = records.run(run_id), records.ended(run_id)
    latest = records.latest(run_id)
    tags = {"stackyard.graph": run.graph_digest, "stackyard.orchestrator": run.orchestrator}
    tags |= {"stackyard.reason": run.reason}
    if run.bundle is not None:
        tags["stackyard.bundle"] = run.bundle
    if run.resume is not None:
        tags["stackyard.resume"] = run.resume
    if run.git.get("commit"):
        tags["git.commit"] = run.git["commit"]
    order = [s["name"] for s in run.graph["steps"]]
    tags |= evidence.tags(latest[name] for name in order if name in latest)
    steps = tuple(_step(latest[name], instance) for name in order if name in latest)
    status: RunStatus = "running" if end is None else end.status
    ended = None if end is None else end.ended
    if end is None and run_status(records, run_id) == "interrupted":
        # What is published may not depend on what publishing has written.
        ends = (a.started + a.seconds for a in latest.values())
        status, ended = "failed", max([run.started, *ends])
    return RunFacts(
        run_id=run_id,
        pipeline=run.pipeline,
        stack=run.stack,
        status=status,
        started=run.started,
        ended=ended,
        actor=run.actor,
        params={name: str(value) for name, value in run.params.items()},
        tags=tags,
        steps=steps,
    )


def publish(store: Store, stack: Stack, run_id: str) -> list[str]:
    """Project the run to every tracker of the stack that it concerns.

    A tracker that fails, however it does, is a warning and no error: the records hold everything.

    Returns:
        One line for each tracker that could not be written.
    """
    instances = _instances(store, stack, run_id)
    if not instances:
        return []
    with hold(store.backend, run_id):  # a tracker may take its time, and the run has ended
        return _publish(store, stack, run_id, instances)


def _publish(store: Store, stack: Stack, run_id: str, instances: list[str]) -> list[str]:
    warnings = []
    for instance in instances:
        run = facts(store, run_id, instance)
        try:
            _publish_to(store, stack, run, instance)
            continue
        except KeyboardInterrupt:  # whoever does not want to wait still has a run that has ended
            why = "stopped by hand"
        except Exception as exc:  # a tool's own failure must not cost it either
            own = isinstance(exc, StackyardError)
            why = redact(str(exc) if own else f"{said(exc)} ({innermost(exc)})")
        warnings.append(
            f"{instance}: {why}. The run is kept; replay it with: stackyard publish {run_id}"
        )
    return warnings


def tracking_urls(store: Store, run_id: str) -> dict[str, str]:
    """The run's page in each tracker that it was projected to."""
    claims = store.records.claims(run_id)
    prefix = "tracking_url."
    return {n.removeprefix(prefix): v for n, v in claims.items() if n.startswith(prefix)}


def _publish_to(store: Store, stack: Stack, run: RunFacts, instance: str) -> None:
    _, _, name = instance.partition(".")
    claims = RunClaims(store.records, run.run_id)
    tracker = stack.component(
        "tracker", name or None, run=run.run_id, claims=claims, fetch=store.artifacts.fetch
    )
    try:
        tracking_id = claim_tracking_run(tracker, run, claims, instance)
        tracker.write(tracking_id, [e for step in run.steps for e in step.entries])
        tracker.finish(tracking_id, run)
    finally:
        tracker.close()


def claim_tracking_run(tracker: Tracker, run: RunFacts, claims: RunClaims, instance: str) -> str:
    """Return the id of the run's one tracking run, making it if nobody did.

    Two processes may both make one; the claim in the store decides, and the loser's is discarded.
    """
    known = claims.get(f"tracking.{instance}")
    opened = tracker.open(run, known)
    winner = claims.claim(f"tracking.{instance}", opened.id)
    if winner != opened.id:
        try:
            tracker.discard(opened.id)
        except ComponentError as exc:
            tracker.context.logger.warning("run %s is left over: %s", opened.id, exc)
        opened = tracker.open(run, winner)
    if opened.url:
        claims.claim(f"tracking_url.{instance}", opened.url)
    return winner


def _instances(store: Store, stack: Stack, run_id: str) -> list[str]:
    """The default tracker, and the named ones that the pipeline asks for."""
    trackers = [spec for spec in stack.profile.components.values() if spec.kind == "tracker"]
    names = ["tracker"] if stack.has("tracker", None) else []
    if len(trackers) == len(names):
        return names
    graph: Mapping[str, Any] = store.records.run(run_id).graph
    for step in graph["steps"]:
        for injection in step["injections"].values():
            instance = injection["instance"]
            if injection["kind"] == "tracker" and instance and stack.has("tracker", instance):
                names.append(f"tracker.{instance}")
    return list(dict.fromkeys(names))


def _step(record: AttemptRecord, instance: str) -> StepFacts:
    entries = tuple(
        _ENTRIES[row["type"]](**{k: v for k, v in row.items() if k not in ("type", "component")})
        for row in record.journal
        if row["component"] == instance and row["type"] in _ENTRIES
    )
    return StepFacts(record.step, record.status, record.seconds, entries)
