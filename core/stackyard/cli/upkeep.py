"""``stackyard runs verify`` and ``runs gc``: is the store sound, and what may go from it."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from stackyard.cli import output

if TYPE_CHECKING:
    from stackyard.project import Project
    from stackyard.store.store import Store


def verify_run(project: Project, store: Store, args: argparse.Namespace) -> int:
    """``runs verify``: 0 where every artifact of the run is sound, else 1."""
    from stackyard.cli.services import Notes
    from stackyard.store.verify import Verified, verify

    run_id = store.records.find(args.run_id)
    done: list[Verified] = []

    with Notes("reading the records") as notes:

        def watch(one: Verified) -> None:
            done.append(one)
            if not output.lively(sys.stderr):  # the answer says it all
                return
            total = output.size(sum(f.size for f in done))
            notes(f"verifying ({one.role}; {len(done)} artifacts, {total})")

        found = verify(store, run_id, watch)
    bad = [one for one in found if one.state != "sound"]
    if args.json:
        output.json_document({"run_id": run_id, "sound": not bad, "artifacts": found})
        return 1 if bad else 0
    if bad:
        rows_shown = [(f.state, f.digest[:16], f.role, f.made_by) for f in bad]
        output.table(rows_shown, ("", "artifact", "what", "made by run"))
        pipeline = store.records.run(run_id).pipeline
        output.say(f"make them again: stackyard run {pipeline} --no-cache")
    total = output.size(sum(f.size for f in found))
    output.show(f"{len(found) - len(bad)} of {len(found)} artifacts are sound, {total} hashed")
    return 1 if bad else 0


def collect(project: Project, store: Store, args: argparse.Namespace) -> int:
    """``runs gc``: delete old runs and what nothing needs, and say what was kept and why."""
    from dataclasses import asdict

    from stackyard.store.gc import GRACE, gc

    grace = GRACE if args.grace is None else args.grace
    if args.older_than is not None:
        before = output.when(time.time() - args.older_than)
        output.say(f"runs older than {output.seconds(args.older_than)}: begun before {before}")
    report = gc(
        store,
        keep_last=args.keep_last,
        older_than=args.older_than,
        grace=grace,
        dry_run=args.dry_run,
    )
    if args.json:
        output.json_document({"store": store.url, **asdict(report)})
        return 0
    would = "would be deleted" if args.dry_run else "deleted"
    rows = [
        (would, len(report.runs), report.artifacts, output.size(report.bytes)),
        ("kept", report.kept_runs, report.kept_artifacts, output.size(report.kept_bytes)),
    ]
    output.table(rows, ("", "runs", "artifacts", "size"))
    if report.young:
        runs = (
            "1 run is kept because it is"
            if report.young == 1
            else (f"{report.young} runs are kept because they are")
        )
        output.say(f"{runs} younger than {output.seconds(grace)} (--grace)")
    for key in report.unreadable:
        output.warn(
            f"{key} cannot be read, and what it may refer to is kept: all artifacts, and all runs "
            "but newer ones. Bring it back from a copy of the store, or delete it; then again"
        )
    if report.waiting:
        output.say(
            f"{report.waiting} more ({output.size(report.waiting_bytes)}) are not needed, but "
            "young or seen so for the first time; they go at a later 'stackyard runs gc'"
        )
    return 0
