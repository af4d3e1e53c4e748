"""From names to live objects: the stack, the store and the runner of a run, in any process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.bytecode import compile_aside
from stackyard.errors import ArtifactNotFound, UsageError
from stackyard.project import Project, find_project
from stackyard.runner import Runner
from stackyard.stack import open_stack
from stackyard.store.records import RUN_ID, RunRecord, new_run_id
from stackyard.store.store import Store, open_store

if TYPE_CHECKING:
    from stackyard.components.orchestrator import RunRequest


def begin(request: RunRequest) -> Runner:
    """Write the run's record on this machine, where its project is."""
    project = find_project(request.project)
    stack = open_stack(project, request.stack)
    store = stack.store(request.store)
    project.activate()
    bundle = store.bundles.put(project.root, project.code_roots)
    return Runner.begin(request, stack, store, bundle=bundle, pid=os.getpid())


def reopen(project_root: Path, stack_name: str, store_url: str, run_id: str) -> Runner:
    """Return the runner of a run that another process began here."""
    project = find_project(project_root)
    stack = open_stack(project, stack_name)
    project.activate()
    return Runner.attach(run_id, stack, stack.store(store_url))


def open_task(
    *,
    pipeline: str,
    stack_name: str,
    external_run: str,
    graph_digest: str,
    given: dict[str, Any],
    period: str,
    reason: str,
    project_root: Path | None,
    store_url: str | None,
) -> Runner:
    """Return the runner of an orchestrator's run; its first task writes the run's record.

    The first task pins the project's code: it packs it into the store and names it in the record.
    Every task, the first one too, then runs that code, so a run never mixes two versions.

    Raises:
        UsageError: neither a project nor a begun run is to be found, or the orchestrator's file
            was compiled from another graph than the project now has.
    """
    here = None if project_root is None else find_project(project_root)
    if store_url is None:
        if here is None:
            raise UsageError(
                "python -m stackyard.step: set STACKYARD_PROJECT (the project's folder on this "
                "machine) or STACKYARD_STORE (where the run's record is)"
            )
        store_url = open_stack(here, stack_name).store().url
    root = here.root if here is not None else Path.cwd()
    store = open_store(store_url, root=root)
    asked = given.pop("stackyard", None) or {}
    run_id = _run_id(store, pipeline, external_run)
    begun = _begun(store, run_id)
    if begun is not None and begun.bundle is not None:
        bundle, roots = begun.bundle, begun.code_roots
    elif here is not None:
        bundle, roots = store.bundles.put(here.root, here.code_roots), here.roots
    else:
        raise UsageError(
            "python -m stackyard.step: this is the run's first task and STACKYARD_PROJECT is not "
            "set, so there is no code to run"
        )
    folder = store.bundles.open(bundle)
    compile_aside(folder, store.bundles.bytecode(bundle))
    code = (here or Project(root, ())).at(folder, roots)
    stack = open_stack(code, stack_name)
    code.activate()
    if begun is not None:
        return Runner.attach(run_id, stack, stack.store(store_url))
    from stackyard import params
    from stackyard.components.orchestrator import RunRequest

    graph, _ = stack.profile.apply(code.load(pipeline).graph())
    waited = []
    if reason == "event" and graph.on:
        from stackyard.store import events

        waited = events.waiting(store.backend, graph.on, pipeline)
        newest = events.happened(store.backend, graph.on)[-1:]  # also one that is answered
        given = {name: value for name, value in given.items() if value is not None}  # not given
        for event in newest:
            given |= event.given(p.name for p in graph.params)
    if graph_digest and graph.digest() != graph_digest:
        raise UsageError(
            f"pipeline {pipeline!r} has changed since its file for stack {stack_name!r} was "
            f"compiled. Compile it again: stackyard compile {pipeline} --stack {stack_name}"
        )
    if period and given.get("period") is None and any(p.name == "period" for p in graph.params):
        given = {**given, "period": period}
    request = RunRequest(
        run_id=run_id,
        graph=graph,
        stack=stack_name,
        project=root,
        store=store_url,
        params=params.resolve(graph, given),
        resume=asked.get("resume"),
        only=asked.get("only"),
        cache=asked.get("cache", True),
        reason=asked.get("reason") or reason,
        actor=asked.get("actor") or stack.orchestrator_flavor,
    )
    made = Runner.begin(request, stack, stack.store(store_url), bundle=bundle)
    for event in waited:
        if events.answer(store.backend, event, pipeline, run_id):
            events.begun(store.backend, event, pipeline)
    return made


def _begun(store: Store, run_id: str) -> RunRecord | None:
    try:
        return store.records.run(run_id)
    except ArtifactNotFound:
        return None


def _run_id(store: Store, pipeline: str, external: str) -> str:
    """Our id of an orchestrator's run: the one we gave it, or claimed by its first task."""
    if RUN_ID.fullmatch(external):
        return external
    return store.records.external(f"{pipeline}/{external}", new_run_id())
