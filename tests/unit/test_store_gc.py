"""Collection: what is needed stays, what is not goes, and a writer beside it never notices."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stackyard.errors import ArtifactNotFound, DigestMismatch, UsageError
from stackyard.store import leases
from stackyard.store.gc import GcReport, gc
from stackyard.store.records import (
    ArtifactRef,
    AttemptId,
    AttemptRecord,
    EndRecord,
    RunRecord,
    host_name,
    new_run_id,
    run_key,
)
from stackyard.store.store import Store, open_store

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store", cache_dir=tmp_path / "cache")


def begin(store: Store, age: float = 10 * DAY, **fields: Any) -> str:
    started = time.time() - age
    known = {
        "run_id": new_run_id(started), "pipeline": "flights", "stack": "local", "params": {},
        "graph": {}, "graph_digest": "0" * 64, "reason": "manual", "actor": "me",
        "started": started,
    }  # fmt: skip
    record = RunRecord(**{**known, **fields})
    store.records.start(record)
    return record.run_id


def attempt(store: Store, run_id: str, step: str = "load", number: int = 1, **fields: Any) -> None:
    known = {"status": "succeeded", "started": 0.0, "seconds": 0.0, "key": "c" * 64}
    store.records.attempt(AttemptRecord(run_id, step, number, **{**known, **fields}))


def finish(store: Store, run_id: str) -> str:
    store.records.end(EndRecord(run_id, "succeeded", 0.0))
    return run_id


def made(store: Store, value: Any, age: float = 10 * DAY, **fields: Any) -> tuple[str, ArtifactRef]:
    """A finished run with one output."""
    run_id = begin(store, age, **fields)
    ref = store.artifacts.save(value)
    attempt(store, run_id, outputs={"result": ref})
    return finish(store, run_id), ref


def grow_old(store: Store, seconds: float = 10 * DAY) -> None:
    """Make everything in the store older."""
    root = Path(store.url)
    for path in root.rglob("*"):
        if path.is_file():
            when = path.stat().st_mtime - seconds
            os.utime(path, (when, when))


def there(store: Store) -> set[str]:
    return {key.rpartition("/")[2] for key in store.backend.list("artifacts/")}


def digests(*refs: ArtifactRef) -> set[str]:
    return {ref.digest for ref in refs}


# What is kept


def test_without_options_only_what_no_record_mentions_goes(store: Store) -> None:
    run_id, used = made(store, "used")
    lost = store.artifacts.save("lost")
    grow_old(store)
    report = gc(store, grace=0)
    assert there(store) == digests(used)
    assert store.records.run(run_id).run_id == run_id
    assert report == GcReport(
        runs=(), artifacts=1, bytes=lost.size, waiting=0, waiting_bytes=0,
        kept_runs=1, kept_artifacts=1, kept_bytes=used.size,
    )  # fmt: skip


def test_all_that_a_kept_run_mentions_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder/deep").mkdir(parents=True)
    (tmp_path / "folder/a").write_text("a file in a folder")
    (tmp_path / "folder/deep/b").write_text("a deeper file")
    save, keep = store.artifacts.save, store.artifacts.keep
    (tmp_path / "project/dags").mkdir(parents=True)
    bundle = store.bundles.put(tmp_path / "project", [Path("dags")])
    run_id = begin(store, bundle=bundle)
    (tmp_path / "file").write_text("a logged file")
    (tmp_path / "log").write_text("printed")
    attempt(
        store, run_id,
        inputs={"x": save("an input")},
        outputs={"result": save("an output"), "folder": save(tmp_path / "folder")},
        log=keep(tmp_path / "log"),
        journal=({"type": "LoggedArtifact", "path": "f", "digest": keep(tmp_path / "file")},),
        jobs={"train": {"package": save("a handle").digest}},
    )  # fmt: skip
    attempt(store, run_id, number=2, status="failed", log=save("a failed attempt's log").digest)
    store.records.claim(run_id, "model", save("claimed").digest)
    finish(store, run_id)
    store.records.pin(save("pinned").digest, "release 1")
    before = there(store)
    lost = save("lost")
    grow_old(store)
    report = gc(store, grace=0)
    assert there(store) == before
    assert len(before) == 12
    assert (report.artifacts, report.bytes) == (1, lost.size)


def test_runs_are_kept_by_number_and_age(store: Store) -> None:
    ids = [made(store, f"run {i}", age=(5 - i) * DAY)[0] for i in range(5)]
    other, _ = made(store, "other", age=9 * DAY, pipeline="other")
    grow_old(store)
    assert gc(store, keep_last=3, grace=0, dry_run=True).runs == tuple(ids[:2])
    assert gc(store, older_than=2.5 * DAY, grace=0, dry_run=True).runs == (other, *ids[:3])
    both = gc(store, keep_last=1, older_than=3.5 * DAY, grace=0)
    assert both.runs == tuple(ids[:2])
    assert (both.artifacts, both.kept_runs) == (2, 4)
    assert [r.run_id for r in store.records.runs()] == [*reversed(ids[2:]), other]
    assert [r.run_id for r in store.records.runs("flights")] == [*reversed(ids[2:])]
    for run_id in ids[:2]:
        with pytest.raises(ArtifactNotFound):
            store.records.run(run_id)
        assert store.backend.list(f"runs/{run_id}/") == []
        assert store.backend.list("pipelines/flights/") == [
            f"pipelines/flights/{i}" for i in ids[2:]
        ]
    assert gc(store, keep_last=0, grace=0).runs == (other, *ids[2:])
    assert store.backend.list("runs/") == [] == store.backend.list("artifacts/")


def test_a_result_that_a_kept_run_reuses_stays_with_its_record_and_cache(store: Store) -> None:
    key, stale = "d" * 64, "e" * 64
    first, ref = made(store, "expensive", age=3 * DAY, packages={"x": "1"})
    gone = store.artifacts.save("not reused")
    attempt(store, first, "other", outputs={"result": gone})
    store.records.cache_put(key, AttemptId(first, "load", 1))
    store.records.cache_put(stale, AttemptId(first, "other", 1))
    store.records.external("flights/first", first)
    second = begin(store, age=2 * DAY)
    attempt(
        store, second, status="cached", outputs={"result": ref}, reused=AttemptId(first, "load", 1)
    )
    store.records.external("flights/second", finish(store, second))
    grow_old(store)
    assert gc(store, keep_last=1, grace=0).runs == (first,)
    assert there(store) == digests(ref)
    hit = store.records.cache_get(key)
    assert hit is not None
    assert store.artifacts.load(hit.outputs["result"]) == "expensive"
    assert store.backend.list("cache/")[0].startswith(f"cache/{key}/")
    assert len(store.backend.list("cache/")) == 1
    assert [r.run_id for r in store.records.runs()] == [second]
    assert store.records.external("flights/first", new_run_id()) != first
    assert store.records.external("flights/second", new_run_id()) == second
    again = gc(store, keep_last=1, grace=0)
    assert (again.runs, again.artifacts) == ((), 0)
    assert store.records.cache_get(key) is not None


def test_a_run_under_way_keeps_what_it_made_and_what_it_continues(store: Store) -> None:
    first, ref = made(store, "of the first", age=5 * DAY)
    middle = finish(store, begin(store, age=4 * DAY, resume=first))
    live = begin(store, age=3 * DAY, resume=middle, pid=os.getpid(), host=host_name())
    grow_old(store)
    saved = store.artifacts.save("its record comes later")
    found = store.artifacts.save("equal to what was saved half an hour before the run")
    lost = store.artifacts.save("older than that")
    for ref_, age in ((saved, 2 * DAY), (found, 3 * DAY + 1800), (lost, 3 * DAY + 4000)):
        when = time.time() - age
        os.utime(store.backend.path(f"artifacts/{ref_.digest[:2]}/{ref_.digest}"), (when, when))
    report = gc(store, keep_last=0, grace=0)
    assert (report.runs, report.artifacts) == ((), 1)
    assert there(store) == digests(ref, saved, found)
    finish(store, live)
    assert gc(store, keep_last=0, grace=0).runs == (first, middle)  # its own end is too young
    grow_old(store)
    assert gc(store, keep_last=0, grace=0).runs == (live,)
    assert there(store) == set()


def test_an_interrupted_run_is_a_run_like_any_other(store: Store) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    run_id = begin(store, pid=child.pid, host=host_name())
    ref, lost = store.artifacts.save("finished"), store.artifacts.save("lost by the kill")
    attempt(store, run_id, outputs={"result": ref})
    grow_old(store)
    assert gc(store, older_than=20 * DAY, grace=0).artifacts == 1
    assert there(store) == digests(ref)
    assert lost.digest not in there(store)
    assert gc(store, older_than=DAY, grace=0).runs == (run_id,)


def test_what_a_cut_short_deletion_left_is_removed(store: Store) -> None:
    run_id, _ = made(store, "x")
    store.backend.delete(f"runs/{run_id}/run.json")
    grow_old(store)
    report = gc(store, grace=0)
    assert (report.runs, report.artifacts) == ((), 1)
    assert store.backend.list("runs/") == []


def test_a_record_that_cannot_be_read_keeps_what_it_may_refer_to(store: Store) -> None:
    run_id, ref = made(store, "x")
    store.backend.put_if_absent(f"runs/{run_id}/attempts/new@1.json", b'{"format": 2}')
    lost = store.artifacts.save("lost")
    grow_old(store)
    report = gc(store, keep_last=0, grace=0)
    assert report.unreadable == (f"runs/{run_id}/attempts/new@1.json",)
    assert (report.runs, report.artifacts) == ((), 0)
    assert there(store) == digests(ref, lost)
    assert [r.run_id for r in store.records.runs()] == [run_id]


def test_a_run_that_cannot_be_read_keeps_older_ones_and_all_artifacts(store: Store) -> None:
    """It may continue any of them, and its code may be any artifact."""
    old, before = made(store, "before", age=30 * DAY)
    damaged, _ = made(store, "damaged", age=20 * DAY)
    new, after = made(store, "after", age=10 * DAY)
    store.backend.delete(run_key(damaged))
    store.backend.put_if_absent(run_key(damaged), b"")
    grow_old(store)
    report = gc(store, keep_last=0, grace=0)
    assert report.unreadable == (run_key(damaged),)
    assert (report.runs, report.artifacts) == ((new,), 0)
    assert digests(before, after) <= there(store)
    assert [r.run_id for r in store.records.runs()] == [old]
    store.backend.delete(run_key(damaged))  # whoever gives it up
    report = gc(store, keep_last=0, grace=0)
    assert (report.runs, report.unreadable, there(store)) == ((old,), (), set())
    assert store.backend.list("runs/") == []


def test_a_damaged_list_of_parts_stops_collection(store: Store, tmp_path: Path) -> None:
    """What it was made of is not known any more, so nothing can be called unneeded."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("content")
    run_id, ref = made(store, tmp_path / "folder")
    path = store.backend.path(f"artifacts/{ref.digest[:2]}/{ref.digest}")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    before = there(store)
    with pytest.raises(DigestMismatch, match="holds other bytes than were written"):
        gc(store, grace=0)
    assert there(store) == before
    assert run_id in store.records.run_ids()


def test_a_file_that_looks_like_a_list_of_parts(store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("stackyard-folder/1\nof mine")
    _, ref = made(store, tmp_path / "folder")
    assert gc(store, grace=0).artifacts == 0
    assert (store.artifacts.load(ref) / "file").exists()


def test_wrong_numbers(store: Store) -> None:
    for options in ({"keep_last": -1}, {"older_than": -0.5}, {"grace": -1}):
        with pytest.raises(UsageError, match="cannot be negative"):
            gc(store, **options)  # type: ignore[arg-type]


def test_an_empty_store(store: Store) -> None:
    assert gc(store, keep_last=1) == GcReport((), 0, 0, 0, 0, 0, 0, 0)


# Grace and two looks


def test_what_is_younger_than_the_grace_is_not_touched(store: Store) -> None:
    run_id, ref = made(store, "x", age=0)
    lost = store.artifacts.save("lost")
    grow_old(store, 1000)
    assert gc(store, keep_last=0, grace=2000).runs == ()
    assert there(store) == digests(ref, lost)
    assert gc(store, grace=2000).waiting == 0
    assert gc(store, keep_last=0, grace=500).runs == (run_id,)


def test_runs_that_only_the_grace_keeps_are_counted(store: Store) -> None:
    for age in (3 * DAY, 2 * DAY):
        made(store, age, age)
    grow_old(store, DAY)
    for age in (900.0, 600.0, 300.0):
        made(store, age, age)
    report = gc(store, keep_last=1, grace=3600)
    assert (len(report.runs), report.kept_runs, report.young) == (2, 3, 2)
    assert gc(store, grace=3600).young == 0
    assert gc(store, keep_last=1, grace=0, dry_run=True).young == 0


def test_an_artifact_goes_at_the_second_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, used = made(store, "used")
    lost, refound = store.artifacts.save("lost"), store.artifacts.save("refound")
    again = store.artifacts.save("saved again")
    grow_old(store)
    first = gc(store, grace=3600)
    assert (first.artifacts, first.waiting) == (0, 3)
    assert first.waiting_bytes == lost.size + refound.size + again.size
    assert gc(store, grace=3600).waiting == 3  # too soon
    run_id = begin(store, age=0)
    attempt(store, run_id, outputs={"result": refound})
    finish(store, run_id)
    store.artifacts.save("saved again")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3500)
    assert gc(store, grace=3600).artifacts == 0
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    planned = gc(store, grace=3600, dry_run=True)
    assert (planned.artifacts, planned.bytes) == (1, lost.size)
    assert lost.digest in there(store)
    last = gc(store, grace=3600)
    assert (last.artifacts, last.bytes, last.waiting) == (1, lost.size, 1)
    assert there(store) == digests(used, refound, again)
    assert len(store.backend.list("gc/")) == 1
    monkeypatch.setattr(time, "time", lambda: now + 9999)
    assert gc(store, grace=3600).artifacts == 1  # saved again, and never used
    assert there(store) == digests(used, refound)
    assert store.backend.list("gc/") == []


def test_a_dry_run_changes_nothing(store: Store) -> None:
    made(store, "x")
    store.artifacts.save("lost")
    grow_old(store)
    before = sorted(store.backend.sizes("").items())
    report = gc(store, keep_last=0, grace=0, dry_run=True)
    assert (len(report.runs), report.artifacts, report.dry_run) == (1, 2, True)
    assert gc(store, keep_last=0, dry_run=True).waiting == 2
    assert sorted(store.backend.sizes("").items()) == before
    real = gc(store, keep_last=0, grace=0)
    assert (real.runs, real.artifacts, real.bytes) == (report.runs, 2, report.bytes)


def test_temporary_files_of_killed_writers_go(store: Store) -> None:
    made(store, "x")
    left = store.backend.scratch / "part"
    left.write_bytes(b"x")
    gc(store)
    assert left.exists()
    os.utime(left, (0, 0))
    gc(store)
    assert not left.exists()


# Races: what comes between the looks of one call


def between(store: Store, monkeypatch: pytest.MonkeyPatch, call: int, action: Any) -> None:
    """Do ``action`` right before collection lists the records for the ``call``-th time."""
    listing, calls = store.backend.sizes, iter(range(100))

    def sizes(prefix: str) -> dict[str, tuple[int, float]]:
        if prefix == "runs/" and next(calls) == call:
            action()
        return listing(prefix)

    monkeypatch.setattr(store.backend, "sizes", sizes)


@pytest.mark.parametrize("resumed", [True, False])
def test_a_run_that_is_resumed_meanwhile_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    run_id, ref = made(store, "x")
    grow_old(store)
    live = {"resume": run_id if resumed else None, "pid": os.getpid(), "host": host_name()}
    between(store, monkeypatch, 1, lambda: begin(store, age=0, **live))
    assert gc(store, keep_last=0, grace=0).runs == (() if resumed else (run_id,))
    assert there(store) == (digests(ref) if resumed else set())


def test_a_record_that_comes_right_before_the_deletion(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("content")
    folder = store.artifacts.save(tmp_path / "folder")
    ref, lost = store.artifacts.save("x"), store.artifacts.save("lost")
    grow_old(store)
    before = there(store)

    def use() -> None:
        run_id = begin(store, age=0)
        attempt(store, run_id, outputs={"result": ref, "folder": folder})
        finish(store, run_id)

    between(store, monkeypatch, 1, use)
    assert gc(store, grace=0).artifacts == 1
    assert there(store) == before - digests(lost)


def test_a_new_folder_of_old_files_that_comes_right_before_the_deletion(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("content")
    store.artifacts.keep_file(tmp_path / "folder/file")
    lost = store.artifacts.save("lost")
    grow_old(store, 1000)  # too young to be refreshed when it is saved again

    def use() -> None:
        run_id = begin(store, age=0)
        attempt(store, run_id, outputs={"result": store.artifacts.save(tmp_path / "folder")})
        finish(store, run_id)

    between(store, monkeypatch, 1, use)
    assert gc(store, grace=0).artifacts == 1
    assert lost.digest not in there(store)
    assert len(there(store)) == 2


def test_a_refresh_that_comes_right_before_the_deletion(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.artifacts.save("x")
    grow_old(store)
    between(store, monkeypatch, 1, lambda: store.artifacts.save("x"))
    assert gc(store, grace=0).artifacts == 0


WRITER = """
import os, sys, time
from pathlib import Path
from stackyard.store import artifacts
from stackyard.store.records import host_name
from stackyard.store.store import open_store
from tests.unit.test_store_gc import attempt, begin, finish
artifacts.REFRESH_AFTER = 0.0  # else nothing is old enough for an hour
url, cache, me = sys.argv[1:]
store = open_store(url, cache_dir=Path(cache))
print("ready", flush=True)
end = time.time() + 4
runs = 0
while time.time() < end:
    run_id = begin(store, age=0, pid=os.getpid(), host=host_name())
    refs = {}
    for name in range(4):
        shared = (runs + name) % 5  # content that comes, is dropped, and comes again
        ref = store.artifacts.save({"shared": shared, "bulk": "x" * 70_000 * (name == 0)})
        own = store.artifacts.save(f"{me} {runs} {name}")
        attempt(store, run_id, f"s{name}", outputs={"shared": ref, "own": own})
    for record in store.records.latest(run_id).values():
        for ref in record.outputs.values():
            store.artifacts._verified.clear()
            store.artifacts.load(ref)
    finish(store, run_id)
    runs += 1
print(runs)
"""


def test_collection_beside_writers_takes_nothing_that_is_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stackyard.store.gc.REFRESH_AFTER", 0.0)  # as the writers do
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", WRITER, store.url, str(store.cache_dir)]
    writers = [
        subprocess.Popen(
            [*argv, str(me)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
        )
        for me in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    reports = []
    while any(writer.poll() is None for writer in writers):
        reports.append(gc(store, keep_last=5, grace=0.05))
    answers = [writer.communicate() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], answers
    reports.append(gc(store, keep_last=5, grace=0))  # on a busy machine nothing was due before
    done = sum(int(out) for out, _ in answers)
    assert done > 10
    assert not any(r.unreadable for r in reports)
    assert sum(len(r.runs) for r in reports) > 0
    assert sum(r.artifacts for r in reports) > 0
    for run in store.records.runs():
        for record in store.records.attempts(run.run_id):
            for ref in record.outputs.values():
                store.artifacts.load(ref)


def test_collection_in_a_remote_store(s3_url: str, tmp_path: Path) -> None:
    store = open_store(s3_url, cache_dir=tmp_path / "cache")
    old, ref = made(store, "old")
    new, kept = made(store, "new", age=0)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/empty").write_text("")
    (tmp_path / "folder/file").write_text("content")
    folder = store.artifacts.save(tmp_path / "folder")
    store.records.pin(folder.digest, "release")
    store.artifacts.save("lost")
    before = there(store)
    time.sleep(3.1)  # S3 counts whole seconds
    report = gc(store, keep_last=1, grace=0)
    assert (report.runs, report.artifacts) == ((old,), 2)
    assert len(before - there(store)) == 2
    assert ref.digest not in there(store)
    assert store.artifacts.load(kept) == "new"
    assert sorted(p.name for p in store.artifacts.fetch(folder.digest).iterdir()) == [
        "empty",
        "file",
    ]
    assert [r.run_id for r in store.records.runs()] == [new]


def test_a_run_that_is_being_published_stays(store: Store) -> None:
    """Also one that ended long ago, until the work is done or its process has long been gone."""
    run_id, ref = made(store, "old")
    grow_old(store)
    with leases.hold(store.backend, run_id):
        assert gc(store, keep_last=0, grace=0).runs == ()
        assert there(store) == digests(ref)
        (lease,) = Path(store.url).glob(f"leases/{run_id}/*")
        when = time.time() - leases.HOLD - 1
        os.utime(lease, (when, when))
        assert gc(store, keep_last=0, grace=0).runs == (run_id,)
        assert not lease.exists()
    assert leases.held(store.backend) == set()
