"""Records: written once, found by time, and honest about what became of a run."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from stackyard.errors import ArtifactNotFound, StoreError, UsageError
from stackyard.store import codec
from stackyard.store.backend import open_backend
from stackyard.store.records import (
    ArtifactRef,
    AttemptId,
    AttemptRecord,
    EndRecord,
    RunRecord,
    host_name,
    new_run_id,
)
from stackyard.store.run_records import Records
from stackyard.store.run_status import run_status
from tests.e2e.background import until
from tests.racing import raced

KEY = "c" * 64
REF = ArtifactRef("a" * 64, "plain", "int", 3)


@pytest.fixture(params=["folder", "s3"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    s3 = request.param == "s3"
    url = str(request.getfixturevalue("s3_url")) if s3 else str(tmp_path / "store")
    return Records(open_backend(url, cache_dir=tmp_path / "cache"))


@pytest.fixture
def local(tmp_path: Path) -> Records:
    return Records(open_backend(tmp_path / "store", cache_dir=tmp_path / "cache"))


def run(run_id: str | None = None, **fields: Any) -> RunRecord:
    known = {
        "run_id": run_id or new_run_id(), "pipeline": "flights", "stack": "local",
        "params": {"depth": 6}, "graph": {"format": 1, "steps": []}, "graph_digest": "0" * 64,
        "reason": "manual", "actor": "me", "started": time.time(),
    }  # fmt: skip
    return RunRecord(**{**known, **fields})


def attempt(run_id: str, step: str = "load", number: int = 1, **fields: Any) -> AttemptRecord:
    known = {
        "run_id": run_id, "step": step, "attempt": number, "status": "succeeded",
        "started": time.time(), "seconds": 0.5, "key": KEY,
    }  # fmt: skip
    return AttemptRecord(**{**known, **fields})


def test_a_run_is_read_back_as_it_was_written(records: Records) -> None:
    record = run(
        bundle="b" * 64,
        resume=new_run_id(),
        packages={"pandas": "3.1"},
        components={"tracker": {"flavor": "memory"}},
        git={"commit": "abc", "dirty": True},
    )
    assert records.start(record)
    assert records.run(record.run_id) == record
    assert not records.start(replace(record, actor="somebody else"))
    assert records.run(record.run_id).actor == "me"


def test_an_attempt_is_read_back_as_it_was_written(records: Records) -> None:
    record = attempt(
        new_run_id(),
        key_parts={"code": "d" * 64},
        inputs={"rows": REF},
        values={"depth": 6, "names": ["a", None, True, 2**70]},
        outputs={"result": REF},
        journal=({"type": "LoggedParam", "key": "a", "value": "é"},),
        reused=AttemptId(new_run_id(), "load", 3),
        error="ValueError: no",
        jobs={"handle": {"id": 7}},
    )
    assert records.attempt(record)
    assert records.read_attempt(record.run_id, "load", 1) == record
    assert not records.attempt(replace(record, why="again"))
    assert records.attempt(replace(record, attempt=2))


def test_numbers_that_json_does_not_have(local: Records) -> None:
    rows = tuple({"key": "loss", "value": v} for v in (math.nan, math.inf, -math.inf, 0.5))
    run_id = new_run_id()
    local.attempt(attempt(run_id, journal=rows, values={"deep": {"x": [math.inf]}}))
    local.start(run(run_id, params={"x": math.nan}))
    read = local.read_attempt(run_id, "load", 1)
    assert str(read.journal) == str(rows)
    assert read.values == {"deep": {"x": [math.inf]}}
    assert math.isnan(local.run(run_id).params["x"])


def test_values_that_are_nearly_plain(local: Records) -> None:
    run_id = new_run_id()
    values = MappingProxyType(
        {"path": Path("a/b"), "number": np.int64(3), "real": np.float64(0.5), "pair": (1, 2)}
    )
    local.attempt(attempt(run_id, values=values, error="bad file \udc80"))
    read = local.read_attempt(run_id, "load", 1)
    assert read.values == {"path": "a/b", "number": 3, "real": 0.5, "pair": [1, 2]}
    assert read.error == "bad file \\udc80"
    with pytest.raises(StoreError, match=f"record of run {run_id}: object is no plain data"):
        local.attempt(attempt(run_id, values={"x": object()}))


def test_a_record_of_a_newer_version_is_refused(local: Records) -> None:
    record = run(format=2)
    local.start(record)
    with pytest.raises(StoreError, match=r"run\.json has format 2; this version of stackyard"):
        local.run(record.run_id)
    local.backend.put_if_absent(f"runs/{record.run_id}/attempts/load@1.json", b"{}")
    with pytest.raises(StoreError, match=r"load@1\.json cannot be read"):
        local.latest(record.run_id)


def test_names_that_leave_their_place_are_refused(local: Records) -> None:
    for run_id in ("../x", "", "latest", "20260101-000000-1234567g", "20260101-000000-12345678\n"):
        for ask in (
            local.run,
            local.attempts,
            local.latest,
            local.claims,
            partial(run_status, local),
        ):
            with pytest.raises(StoreError, match="is no run id"):
                ask(run_id)
    run_id = new_run_id()
    for name in ("../x", "a b", "{{x}}", "a\nb"):
        with pytest.raises(StoreError, match="store key"):
            local.attempt(attempt(run_id, name))
        with pytest.raises(StoreError, match="store key"):
            local.claim(run_id, name, "x")
        with pytest.raises(StoreError, match="store key"):
            local.start(run(pipeline=name))
    with pytest.raises(StoreError, match="is no digest"):
        local.pin("../x", "")


def test_a_record_under_the_key_of_another_is_refused(local: Records) -> None:
    """Names inside a record reach paths, as that of the page of a run."""
    run_id, other = new_run_id(), new_run_id()
    forged = {
        f"runs/{run_id}/run.json": codec.encode(run("../../evil")),
        f"runs/{run_id}/attempts/load@1.json": codec.encode(attempt(run_id, "../load")),
        f"runs/{other}/attempts/load@1.json": codec.encode(attempt(run_id)),
        f"runs/{run_id}/ends/1.json": codec.encode(EndRecord(other, "succeeded", 1.0)),
    }
    for key, data in forged.items():
        local.backend.put_if_absent(key, data)
    for ask in (local.run, local.latest, local.attempts, local.ended):
        with pytest.raises(StoreError, match="is that of another run or step"):
            ask(run_id)
    with pytest.raises(StoreError, match="is that of another run or step"):
        local.read_attempt(other, "load", 1)
    assert local.runs() == []
    assert ["is that of another run or step" in str(one) for one in local.listed()] == [True]


def test_what_is_not_there(records: Records) -> None:
    run_id = new_run_id()
    with pytest.raises(ArtifactNotFound, match=f"there is no run {run_id}"):
        records.run(run_id)
    with pytest.raises(ArtifactNotFound):
        records.read_attempt(run_id, "load", 1)
    assert records.attempts(run_id) == []
    assert records.latest(run_id) == {}
    assert records.ended(run_id) is None
    assert records.claimed(run_id, "x") is None
    assert records.claims(run_id) == {}
    assert records.runs() == []
    assert records.cache_get(KEY) is None


def test_attempts_in_order_and_the_latest_of_each_step(records: Records) -> None:
    run_id = new_run_id()
    for number in range(1, 12):
        records.attempt(attempt(run_id, "load", number, started=float(number)))
    records.attempt(attempt(run_id, "train", started=5.5))
    order = [(a.step, a.attempt) for a in records.attempts(run_id)]
    assert order[4:7] == [("load", 5), ("train", 1), ("load", 6)]
    assert len(order) == 12
    latest = records.latest(run_id)
    assert {name: a.attempt for name, a in latest.items()} == {"load": 11, "train": 1}


def test_the_last_end_counts(records: Records) -> None:
    run_id = new_run_id()
    for number in range(1, 12):
        records.end(EndRecord(run_id, "failed", float(number)))
    records.end(EndRecord(run_id, "succeeded", 99.0, warnings=("slow",)))
    assert records.ended(run_id) == EndRecord(run_id, "succeeded", 99.0, warnings=("slow",))


def test_a_claim_is_the_first_writers(records: Records) -> None:
    run_id = new_run_id()
    assert records.claim(run_id, "tracking.tracker", "7") == "7"
    assert records.claim(run_id, "tracking.tracker", "8") == "7"
    assert records.claim(run_id, "empty", "") == ""
    assert records.claimed(run_id, "tracking.tracker") == "7"
    assert records.claims(run_id) == {"tracking.tracker": "7", "empty": ""}


def test_another_systems_name_of_a_run(records: Records) -> None:
    name = "flights/scheduled__2026-01-01T00:00:00+00:00 ../\n{{é}}"
    mine, late = new_run_id(), new_run_id()
    assert records.external(name, mine) == mine
    assert records.external(name, late) == mine
    assert records.external(name + "x", late) == late


def test_pins(records: Records) -> None:
    records.pin("a" * 64, "version 3 of flights")
    records.pin("a" * 64, "release 1")
    assert records.pins() == {"a" * 64: "version 3 of flights"}


# The cache


def test_the_cache_answers_with_the_newest(records: Records) -> None:
    ids = [new_run_id() for _ in range(3)]
    for run_id in ids[:2]:
        records.attempt(attempt(run_id))
    for run_id in ids:  # the last one has no record, as after its deletion
        records.cache_put(KEY, AttemptId(run_id, "load", 1))
    hit = records.cache_get(KEY)
    assert hit is not None
    assert hit.run_id == ids[1]
    assert records.cache_get("d" * 64) is None


def test_the_age_of_a_cached_result(local: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = new_run_id()
    local.attempt(attempt(run_id))
    local.cache_put(KEY, AttemptId(run_id, "load", 1))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert local.cache_get(KEY, max_age=90) is None
    assert local.cache_get(KEY, max_age=120) is not None
    assert local.cache_get(KEY) is not None


# Finding runs


def at(second: str, tail: str) -> str:
    return f"20260114-0930{second}-{tail * 8}"


def test_runs_newest_first_also_within_one_second(records: Records) -> None:
    order = [(at("00", "f"), 1.0), (at("01", "9"), 2.1), (at("01", "1"), 2.9), (at("02", "0"), 3.0)]
    for run_id, started in order:
        records.start(run(run_id, started=started))
    records.start(run(at("03", "a"), pipeline="other", started=4.0))
    newest = [run_id for run_id, _ in reversed(order)]
    assert [r.run_id for r in records.runs()] == [at("03", "a"), *newest]
    assert [r.run_id for r in records.runs("flights")] == newest
    assert [r.run_id for r in records.runs("flights", limit=2)] == newest[:2]
    assert [r.run_id for r in records.runs(limit=3)] == [at("03", "a"), *newest[:2]]
    assert records.find("latest") == at("03", "a")
    assert records.find("latest", "flights") == at("02", "0")
    records.backend.delete(f"runs/{at('02', '0')}/run.json")
    assert records.find("latest", "flights") == at("01", "1")


def test_a_run_is_found_by_a_unique_beginning(records: Records) -> None:
    for run_id in (at("00", "a"), at("00", "b"), at("01", "c")):
        records.start(run(run_id))
    assert records.find(at("00", "a")) == at("00", "a")
    assert records.find("20260114-093001") == at("01", "c")
    with pytest.raises(UsageError) as caught:
        records.find("20260114-093000")
    assert str(caught.value) == (
        f"run '20260114-093000' is not unique: {at('00', 'b')}, {at('00', 'a')}. "
        "Type more of its id"
    )
    with pytest.raises(UsageError) as caught:
        records.find("2027", "flights")
    assert str(caught.value) == (
        "there is no run of pipeline 'flights' whose id begins with '2027'. Newest: "
        f"{at('01', 'c')}, {at('00', 'b')}, {at('00', 'a')}. See all: stackyard runs list"
    )
    for nothing in ("", "../", "latest"):
        with pytest.raises(UsageError, match="there is no run of pipeline 'none'"):
            records.find(nothing, "none")


# What became of a run


def test_the_status_of_a_run_that_ended(local: Records) -> None:
    record = run(pid=os.getpid(), host=host_name())
    local.start(record)
    assert run_status(local, record.run_id) == "running"
    local.end(EndRecord(record.run_id, "cancelled", time.time()))
    assert run_status(local, record.run_id) == "cancelled"


def test_the_status_follows_the_process(local: Records) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record = run(pid=child.pid, host=host_name())
    local.start(record)
    assert run_status(local, record.run_id) == "running"
    earlier = run(pid=child.pid, host=host_name(), started=time.time() - 3600)
    local.start(earlier)
    assert run_status(local, earlier.run_id) == "interrupted"  # the number was given to another one
    child.kill()
    # Also before it was waited for.
    until(lambda: run_status(local, record.run_id) != "running")
    assert run_status(local, record.run_id) == "interrupted"
    child.communicate()
    assert run_status(local, record.run_id) == "interrupted"


@pytest.mark.parametrize("fields", [{"pid": 0}, {"pid": 1, "host": "elsewhere"}])
def test_the_status_without_a_process_here_goes_by_silence(
    local: Records, fields: dict[str, Any]
) -> None:
    record = run(**{"host": host_name(), **fields})
    local.start(record)
    assert run_status(local, record.run_id) == "running"
    assert run_status(local, record.run_id, lease=0) == "interrupted"
    key = f"runs/{record.run_id}/run.json"
    os.utime(local.backend.path(key), (1000, 1000))
    assert run_status(local, record.run_id) == "interrupted"
    local.attempt(attempt(record.run_id))
    assert run_status(local, record.run_id) == "running"


# Several processes at once

WRITER = """
import sys, time
from pathlib import Path
from stackyard.store import codec
from stackyard.store.backend import open_backend
from stackyard.store.records import *
from stackyard.store.run_records import Records
from stackyard.store.run_status import run_status
from tests.unit.test_store_records import attempt, run
url, run_id, me = sys.argv[1:]
records = Records(open_backend(url, cache_dir=Path("unused")))
print("ready", flush=True)
sys.stdin.readline()
records.start(run(run_id, actor=me))
for i in range(25):
    number = 1
    while not records.attempt(attempt(run_id, f"s{i % 5}", number, why=f"{me}-{i}")):
        number += 1
records.end(EndRecord(run_id, "failed", float(me)))
print(records.claim(run_id, "tracking", me), records.external("flights/x", run_id[:-1] + me))
"""


def test_four_processes_write_one_run(tmp_path: Path) -> None:
    run_id = at("00", "0")
    writer = [sys.executable, "-c", WRITER, str(tmp_path / "store"), run_id]
    answers = set(raced([[*writer, str(me)] for me in range(4)]))
    assert len(answers) == 1
    records = Records(open_backend(tmp_path / "store", cache_dir=tmp_path / "cache"))
    found = records.attempts(run_id)
    assert len(found) == 100
    assert {a.why for a in found} == {f"{me}-{i}" for me in range(4) for i in range(25)}
    assert {a.attempt for a in found} == set(range(1, 21))
    assert len(records.backend.list(f"runs/{run_id}/ends/")) == 4
