"""``stackyard publish``: bring what a run logged to the stack's tracker, again if need be."""

from __future__ import annotations

import argparse

from stackyard.cli import output
from stackyard.cli.arguments import add_json, add_run, add_stack, open_project_stack
from stackyard.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_run(parser)
    add_stack(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Project the run to every tracker of its stack; 1 where one could not be written.

    The run is looked for in the store of the stack that is chosen; it is projected to the trackers
    of its own stack, or of ``--stack``.
    """
    from stackyard import projection
    from stackyard.stack import open_stack
    from stackyard.store.run_status import run_status

    project, stack = open_project_stack(args.stack)
    store = stack.store()
    run_id = store.records.find(args.run_id)
    record = store.records.run(run_id)
    if run_status(store.records, run_id) == "running":
        raise UsageError(f"run {run_id} is still under way; it is published when it ends")
    if not args.stack:
        stack = open_stack(project, record.stack)
    if not any(key.partition(".")[0] == "tracker" for key in stack.profile.components):
        raise UsageError(
            f"stack {stack.profile.name!r} has no tracker to publish to. Add one to "
            f"{stack.profile.file}, or name another stack: stackyard publish {run_id} --stack NAME"
        )
    warnings = projection.publish(store, stack, run_id)
    urls = projection.tracking_urls(store, run_id)
    if args.json:
        output.json_document({"run_id": run_id, "tracking": urls, "errors": warnings})
    for warning in warnings:
        output.say(f"error: {warning}")
    if not args.json:
        for instance, url in urls.items():
            output.show(f"{instance}: {url}")
        if not warnings:
            output.say(f"run {run_id} is published")
    return 1 if warnings else 0
