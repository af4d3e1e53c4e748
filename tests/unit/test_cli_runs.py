"""``stackyard runs`` and ``artifact`` on stores with made-up runs, as they are typed."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.cli.main import main
from stackyard.cli.run import tell
from stackyard.store.records import AttemptId
from stackyard.summary import RunSummary
from tests.unit import run_history as history

EVIL = ["../x", "a/../b", '"', "a\nb", "{{ x }}", "", "-"]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The store of a project that is the current folder."""
    return history.project_store(tmp_path, monkeypatch)


def call(capsys, *argv: str, code: int = 0) -> str:
    """Run the command line; return its standard output, or standard error where it fails."""
    assert main(list(argv)) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return out if code == 0 else err


def document(capsys, *argv: str, code: int = 0):
    assert main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_list_is_newest_first(store, capsys):
    history.full_run(store, 1)
    history.failed_run(store, 2)
    out = call(capsys, "runs", "list").splitlines()
    assert out[0].split() == ["run", "pipeline", "stack", "status", "started", "time", "by", "why"]
    assert [line.split()[0] for line in out[1:]] == [history.run_id(2), history.run_id(1)]
    assert out[1].split()[1:4] == ["flights", "local", "failed"]
    rows = document(capsys, "runs", "list", "--limit", "1")["runs"]
    assert [(r["run_id"], r["status"], r["seconds"]) for r in rows] == [
        (history.run_id(2), "failed", 9.0)
    ]


def test_list_of_one_stack_in_a_store_that_several_share(store, capsys, tmp_path):
    (tmp_path / "stacks" / "dev.yaml").write_text("components: {orchestrator: {flavor: local}}\n")
    (tmp_path / "stacks" / "new.yaml").write_text("components: {orchestrator: {flavor: local}}\n")
    history.full_run(store, 1)
    history.full_run(store, 2, stack="dev")
    history.full_run(store, 3)

    def listed(*argv):
        return [row["run_id"] for row in document(capsys, "runs", "list", *argv)["runs"]]

    assert listed() == [history.run_id(n) for n in (3, 2, 1)]
    assert listed("--stack", "dev") == [history.run_id(2)]
    assert listed("--stack", "local", "--limit", "1") == [history.run_id(3)]
    assert main(["runs", "list", "--stack", "new"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("no runs on stack new in ")
    assert err.endswith(". Pipelines with runs: flights\n")


def test_list_of_a_pipeline_that_is_not_there(store, capsys, tmp_path):
    history.full_run(store)
    err = call(capsys, "runs", "list", "--pipeline", "fligths", code=2)
    assert "there is no pipeline 'fligths'" in err
    assert err.endswith("Pipelines with runs: flights. Did you mean 'flights'?\n")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "new.py").write_text(
        "from stackyard import pipeline\n\n@pipeline\ndef fresh():\n    pass\n"
    )
    assert main(["runs", "list", "--pipeline", "fresh"]) == 0
    assert capsys.readouterr().err.startswith("no runs of fresh in ")
    for name in EVIL:
        err = call(capsys, "runs", "list", f"--pipeline={name}", code=2)
        assert err.startswith("error: ")


def damage(store, key, data=b""):
    """Put other bytes in the place of a record."""
    store.backend.delete(key)
    store.backend.put_if_absent(key, data)


@pytest.mark.parametrize("data", [b"", b'{"run_id": "2026', b'{"format": 99}'])
def test_a_run_that_cannot_be_read_hides_no_other(store, capsys, data):
    for number in (1, 2, 3):
        history.full_run(store, number)
    key = f"runs/{history.run_id(2)}/run.json"
    damage(store, key, data)
    rows = document(capsys, "runs", "list")["runs"]
    assert [r["run_id"] for r in rows] == [history.run_id(n) for n in (3, 2, 1)]
    assert [r["status"] for r in rows] == ["succeeded", "unreadable", "succeeded"]
    assert f"store record {key} " in rows[1]["error"]
    line = call(capsys, "runs", "list").splitlines()[2]
    assert line.split()[:2] == [history.run_id(2), "unreadable"]
    assert key in line
    assert len(document(capsys, "runs", "list", "--pipeline", "flights")["runs"]) == 3
    err = call(capsys, "runs", "show", history.run_id(2), code=2)
    assert err.startswith(f"error: store record {key} cannot be read: ")
    assert err.count("\n") == 1
    assert "Bring it back from a copy of the store, or delete it" in err
    call(capsys, "runs", "show", "latest")
    assert document(capsys, "runs", "gc", "--keep-last", "0", "--grace", "0")["unreadable"] == [key]
    assert main(["runs", "gc"]) == 0
    assert f"warning: {key} cannot be read, and what it may refer to is kept" in (
        capsys.readouterr().err
    )


def test_the_latest_run_is_no_older_one_where_it_cannot_be_read(store, capsys):
    history.full_run(store, 1)
    history.full_run(store, 2)
    key = f"runs/{history.run_id(2)}/run.json"
    damage(store, key)
    assert f"store record {key} cannot be read" in call(capsys, "runs", "show", "latest", code=2)


def test_an_end_that_cannot_be_read_hides_no_other_run(store, capsys):
    history.full_run(store, 1)
    history.full_run(store, 2)
    damage(store, f"runs/{history.run_id(1)}/ends/1.json")
    store.backend.put_if_absent(f"runs/{history.run_id(2)}/ends/1_copy.json", b"x")
    rows = document(capsys, "runs", "list")["runs"]
    assert [r["status"] for r in rows] == ["succeeded", "unreadable"]


def test_what_a_run_takes_beside_its_steps_is_told_apart(capsys):
    made = RunSummary("r", "flights", "local", "succeeded", 5.2, (), around=5.5)
    tell(made, "flights")
    err = capsys.readouterr().err
    assert "succeeded in 5.2s" in err
    assert "5.5s more to start it and to tell the tracker\n" in err
    tell(replace(made, around=1.9), "flights")
    assert "more to start" not in capsys.readouterr().err


def test_list_of_an_empty_store(store, capsys):
    assert main(["runs", "list"]) == 0
    assert "no runs in" in capsys.readouterr().err
    assert document(capsys, "runs", "list")["runs"] == []


def test_show_tells_what_failed_and_why(store, capsys):
    run = history.failed_run(store)
    out = call(capsys, "runs", "show", "latest")
    assert f"flights on local: failed in 9.0s  run {run.run_id}" in out
    assert "by ada (manual)" in out
    assert "parameters: period=2013-01  depth=6" in out
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line}
    train = history.output(store, run, "split", "train").digest
    assert lines["load"][1] == "cached"
    assert f"train={train[:12]}" in lines["split"]
    assert lines["train"][1:4] == ["failed", "2", "1.5s"]
    assert lines["register"][1] == "skipped"
    assert "step train, last lines:\n    epoch 1\n    epoch 2 <b>bold</b>\n" in out
    assert out.rstrip().endswith("ValueError: no <rows>")


def test_show_json_has_every_attempt(store, capsys):
    run = history.failed_run(store)
    found = document(capsys, "runs", "show", run.run_id[:18])
    assert found["run_id"] == run.run_id
    assert found["status"] == "failed"
    assert found["error"] == "step 'train' failed: ValueError: no <rows>"
    attempts = {s["name"]: s["attempts"] for s in found["steps"]}
    assert [len(attempts[n]) for n in ("load", "split", "train", "evaluate")] == [1, 1, 2, 0]
    assert attempts["train"][1]["journal"][1]["value"] == 0.5


def test_the_page_goes_where_it_is_asked_to(store, capsys, tmp_path):
    run = history.full_run(store)
    path = call(capsys, "runs", "show", "latest", "--html").strip()
    assert path == str(tmp_path / ".stackyard" / "pages" / f"{run.run_id}.html")
    assert run.run_id in Path(path).read_text(encoding="utf-8")
    for _ in range(2):  # a page may be written over a page
        found = document(capsys, "runs", "show", "latest", "--html", "--out", "page.html")
        assert found == {"run_id": run.run_id, "path": "page.html"}
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    err = call(capsys, "runs", "show", "latest", "--html", "--out", str(mine), code=2)
    assert "is no page of a run; nothing was written" in err
    assert mine.read_text() == "mine"
    assert "add --html" in call(capsys, "runs", "show", "latest", "--out", "x", code=2)


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("command", [["runs", "show"], ["runs", "verify"], ["artifact", "show"]])
def test_odd_names_are_one_clear_line(store, capsys, tmp_path, command, name):
    history.full_run(store)
    call(capsys, "runs", "list")  # the stack file's cache is written by whoever reads it first
    before = sorted(p for p in tmp_path.rglob("*"))
    err = call(capsys, *command, "--", name, code=2)
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert sorted(p for p in tmp_path.rglob("*")) == before


def artifact_path(store, ref):
    return store.backend.path(f"artifacts/{ref.digest[:2]}/{ref.digest}")


def test_verify_finds_what_is_damaged_and_what_is_missing(store, capsys):
    run = history.full_run(store)
    out = call(capsys, "runs", "verify", "latest")
    assert out.startswith("6 of 6 artifacts are sound")
    damaged, missing = (history.output(store, run, s) for s in ("load", "train"))
    path = artifact_path(store, damaged)
    size = path.stat().st_size
    path.chmod(0o644)
    path.write_bytes(b"x" * size)
    artifact_path(store, missing).unlink()
    found = document(capsys, "runs", "verify", "latest", code=1)
    assert found["sound"] is False
    states = {f["role"]: f["state"] for f in found["artifacts"]}
    assert states["load.result"] == "damaged"
    assert states["train.result"] == "missing"
    assert states["split.train"] == "sound"
    assert main(["runs", "verify", "latest"]) == 1
    out, err = capsys.readouterr()
    assert f"damaged  {damaged.digest[:16]}  load.result   {run.run_id}" in out
    assert "4 of 6 artifacts are sound" in out
    assert "stackyard run flights --no-cache" in err
    assert "verifying" not in err  # which is for a terminal


def test_verify_looks_into_folders(store, capsys, tmp_path):
    run = history.run_record(1)
    store.records.start(run)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("a")
    ref = store.artifacts.save(tmp_path / "folder")
    history.attempt(store, run, "train", outputs={"result": ref})
    found = document(capsys, "runs", "verify", "latest")
    roles = sorted(f["role"] for f in found["artifacts"])
    assert roles == ["part of train.result", "train.result"]


def test_gc_says_what_it_would_do_and_does_it(store, capsys, tmp_path):
    history.full_run(store, 1)
    history.full_run(store, 2)
    for path in (tmp_path / ".stackyard" / "store").rglob("*"):
        os.utime(path, (history.START, history.START))  # what is young is left alone
    dry = document(capsys, "runs", "gc", "--keep-last", "1", "--grace", "0", "--dry-run")
    assert dry["runs"] == [history.run_id(1)]
    assert len(document(capsys, "runs", "list")["runs"]) == 2
    out = call(capsys, "runs", "gc", "--keep-last", "1", "--grace", "0")
    assert out.splitlines()[1].split()[:2] == ["deleted", "1"]
    rows = document(capsys, "runs", "list")["runs"]
    assert [r["run_id"] for r in rows] == [history.run_id(2)]


def test_gc_says_what_only_the_grace_keeps(store, capsys):
    history.full_run(store, 1)
    history.full_run(store, 2)
    assert main(["runs", "gc", "--keep-last", "1"]) == 0
    said = capsys.readouterr().err
    assert "1 run is kept because it is younger than 1h00m (--grace)" in said
    assert document(capsys, "runs", "gc", "--keep-last", "0")["young"] == 2
    assert main(["runs", "gc"]) == 0
    assert "--grace" not in capsys.readouterr().err


def test_gc_says_how_it_read_an_age(store, capsys):
    history.full_run(store, 1)
    begun = time.time() - 2 * 86400
    assert main(["runs", "gc", "--older-than", "2d", "--dry-run"]) == 0
    said = capsys.readouterr().err
    before = re.fullmatch(r"runs older than 2d00h: begun before (.*)\n", said.splitlines(True)[0])
    assert before is not None
    assert 0 <= time.mktime(time.strptime(before[1], "%Y-%m-%d %H:%M:%S")) - begun + 1 < 60


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["runs", "list", "--limit", "-1"], "'-1' is no whole number of 1 or more"),
        (["runs", "list", "--limit", "0"], "'0' is no whole number of 1 or more"),
        (["runs", "gc", "--keep-last", "-3"], "'-3' is no whole number of 0 or more"),
        (["runs", "gc", "--older-than", "30"], "'30' is no duration with its unit. Write e.g. 30d"),
        (["runs", "gc", "--grace", "1.5"], "'1.5' is no duration with its unit. Write e.g. 30d"),
        (["doctor", "--deadline", "5"], "'5' is no duration with its unit. Write e.g. 30d, 12h"),
        (["runs", "gc", "--older-than", "soon"], "'soon' is no duration"),
        (["runs", "shwo"], "unknown command 'shwo'. Known: list, show, diff, verify, gc. Did you"),
        (["runs"], "COMMAND"),
    ],
)
def test_wrong_requests_are_one_line(store, capsys, argv, words):
    err = call(capsys, *argv, code=2)
    assert words in err
    assert err.count("\n") == 1


def test_artifact_show(store, capsys):
    run = history.full_run(store)
    ref = history.output(store, run, "split", "test")
    out = call(capsys, "artifact", "show", "latest:split.test")
    assert ref.digest in out
    assert out.rstrip().endswith("'split.test'")
    for reference in (f"{run.run_id}:split.test", ref.digest, ref.digest[:8]):
        found = document(capsys, "artifact", "show", reference)
        assert found["digest"] == ref.digest
        assert (found["type"], found["format"]) == ("str", "plain")
        assert (found["run_id"], found["step"], found["output"]) == (run.run_id, "split", "test")


def test_artifact_show_of_a_frame_says_its_shape_and_columns(store, capsys):
    import pandas as pd

    run = history.run_record(1)
    store.records.start(run)
    frame = pd.DataFrame({"day": pd.to_datetime(["2013-01-01"] * 3), "late": [1.5, None, 2.0]})
    frame["carrier"] = pd.Categorical(["UA", "AA", "UA"])
    frame.index = pd.Index([7, 8, 9], name="tail")
    history.attempt(store, run, "load", outputs={"result": store.artifacts.save(frame)})
    lines = [line.split() for line in call(capsys, "artifact", "show", "latest:load").splitlines()]
    assert ["rows", "3"] in lines and ["columns", "3"] in lines
    assert ["tail", "(index)", "int64"] in lines and ["carrier", "category"] in lines
    found = document(capsys, "artifact", "show", "latest:load")
    assert found["rows"] == 3
    assert found["columns"][1:] == [
        {"name": "late", "type": "float64"}, {"name": "carrier", "type": "category"},
    ]  # fmt: skip
    assert found["index"] == [{"name": "tail", "type": "int64"}]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("latest:split", "name one of the step's outputs. Outputs: split.train, split.test"),
        ("latest:split.tset", "Did you mean 'test'?"),
        ("latest:trian", "Did you mean 'train'?"),
        ("abcdef", "has none whose digest begins so"),
        ("abc", "at least 6"),
        ("nope:train", "there is no run"),
    ],
)
def test_artifacts_that_are_not_there(store, capsys, reference, words):
    history.full_run(store)
    assert words in call(capsys, "artifact", "show", reference, code=2)


def test_of_a_step_that_failed_there_is_no_artifact(store, capsys):
    run_id = history.failed_run(store).run_id
    for reference in ("latest:train", "latest:train.result"):
        told = call(capsys, "artifact", "show", reference, code=2)
        assert told.splitlines()[-1].endswith(
            f"{reference!r}: step 'train' failed in run {run_id}, so there is nothing of it. "
            f"See why: stackyard runs show {run_id}"
        )


def test_artifact_show_does_not_unpickle(store, capsys):
    pytest.importorskip("cloudpickle")
    run = history.run_record(1)
    store.records.start(run)
    ref = store.artifacts.save("harmless", hint="pickle")
    history.attempt(store, run, "train", outputs={"result": ref})
    out = call(capsys, "artifact", "show", "latest:train")
    assert "pickle" in out
    assert "harmless" not in out


def test_artifact_get_writes_once(store, capsys, tmp_path):
    history.full_run(store)
    assert "value.json  JSON" in call(capsys, "artifact", "get", "latest:load", "value.json")
    assert json.loads((tmp_path / "value.json").read_text()) == "load.result"
    err = call(capsys, "artifact", "get", "latest:train", "value.json", code=2)
    assert "value.json exists already; nothing was written" in err
    assert json.loads((tmp_path / "value.json").read_text()) == "load.result"
    found = document(capsys, "artifact", "get", "latest:load", "raw.bin")
    assert found["written_as"] == "the stored file (format plain)"
    assert (tmp_path / "raw.bin").read_bytes().startswith(b"stackyard-plain/1\n")
    assert "Make it first" in call(capsys, "artifact", "get", "latest:load", "no/x", code=2)


@pytest.mark.parametrize(
    ("value", "name", "endings"),
    [
        ([1.5, 2.5], "out.csv", ".json, .bin"),
        ("array", "out.csv", ".npy, .bin"),
        ("series", "out.parquet", ".arrow, .csv, .bin"),
        ("frame", "out.json", ".arrow, .csv, .parquet, .bin"),
        ("file", "out.csv", ".txt"),
    ],
)
def test_artifact_get_refuses_an_ending_of_another_kind_of_file(
    store, capsys, tmp_path, value, name, endings
):
    import numpy as np
    import pandas as pd

    made = {
        "array": np.arange(3),
        "series": pd.Series([1, 2]),
        "frame": pd.DataFrame({"a": [1]}),
        "file": tmp_path / "notes.txt",
    }
    (tmp_path / "notes.txt").write_text("read me")
    run = history.run_record(1)
    store.records.start(run)
    ref = store.artifacts.save(made.get(value, value) if isinstance(value, str) else value)
    history.attempt(store, run, "train", outputs={"result": ref})
    err = call(capsys, "artifact", "get", "latest:train", name, code=2)
    assert f"cannot be written as {Path(name).suffix}. Endings: {endings}. Type: " in err
    assert not (tmp_path / name).exists()
    own = endings.partition(",")[0]
    assert call(capsys, "artifact", "get", "latest:train", "out").startswith(f"out{own}  ")
    assert (tmp_path / f"out{own}").stat().st_size


def test_artifact_get_of_arrow_tables(store, capsys, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    run = history.run_record(1)
    store.records.start(run)
    table = pa.table({"a": [1, 2]})
    history.attempt(store, run, "train", outputs={"result": store.artifacts.save(table)})
    for name in ("t.csv", "t.parquet", "t"):
        call(capsys, "artifact", "get", "latest:train", name)
    assert (tmp_path / "t.csv").read_text() == '"a"\n1\n2\n'
    assert parquet.read_table(tmp_path / "t.parquet").equals(table)
    with pa.ipc.open_file(tmp_path / "t.arrow") as stored:
        assert stored.read_all().column("a").to_pylist() == [1, 2]


def test_csv_has_no_row_numbers_but_an_index_that_means_something(store, capsys, tmp_path):
    import pandas as pd

    run = history.run_record(1)
    store.records.start(run)
    plain = pd.DataFrame({"a": [1, 2]})
    for step, frame in {"load": plain, "train": plain.set_index(pd.Index([7, 9]))}.items():
        history.attempt(store, run, step, outputs={"result": store.artifacts.save(frame)})
    call(capsys, "artifact", "get", "latest:load", "plain.csv")
    call(capsys, "artifact", "get", "latest:train", "named.csv")
    assert (tmp_path / "plain.csv").read_text() == "a\n1\n2\n"
    assert (tmp_path / "named.csv").read_text() == ",a\n7,1\n9,2\n"


def test_artifact_get_of_a_folder_is_the_users_own(store, capsys, tmp_path):
    run = history.run_record(1)
    store.records.start(run)
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "a.txt").write_text("a")
    ref = store.artifacts.save(tmp_path / "folder")
    history.attempt(store, run, "train", outputs={"result": ref})
    assert "folder" in call(capsys, "artifact", "get", "latest:train", "copy")
    assert "Name a folder" in call(capsys, "artifact", "get", "latest:train", "x.csv", code=2)
    copy = tmp_path / "copy" / "deep" / "a.txt"
    copy.write_text("changed")
    assert (store.artifacts.load(ref) / "deep" / "a.txt").read_text() == "a"


def test_artifact_get_into_a_folder_calls_the_file_after_the_artifact(store, capsys, tmp_path):
    import pandas as pd

    run = history.full_run(store)
    (tmp_path / "into").mkdir()
    assert call(capsys, "artifact", "get", "latest:load", ".") == "load.json  JSON\n"
    assert json.loads((tmp_path / "load.json").read_text()) == "load.result"
    assert "exists already" in call(capsys, "artifact", "get", "latest:load", "./", code=2)
    call(capsys, "artifact", "get", "latest:split.test", "into")
    digest = history.output(store, run, "split", "train").digest
    os.chdir(tmp_path / "into")
    call(capsys, "artifact", "get", digest, "..")  # its maker is found
    os.chdir(tmp_path)
    later = history.run_record(2)
    store.records.start(later)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").touch()
    folder, table = store.artifacts.save(tmp_path / "files"), pd.DataFrame({"a": [1]})
    history.attempt(store, later, "load", outputs={"result": store.artifacts.save(table)})
    history.attempt(store, later, "train", outputs={"result": folder})
    for step in ("load", "train"):
        call(capsys, "artifact", "get", f"{later.run_id}:{step}", "into")
    found = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "into").rglob("*"))
    assert found == ["into/load.arrow", "into/split.test.json", "into/train", "into/train/a.txt"]
    assert (tmp_path / "split.train.json").is_file()


def test_artifact_get_of_a_deleted_one_says_how_to_make_it(store, capsys):
    run = history.full_run(store)
    artifact_path(store, history.output(store, run, "load")).unlink()
    err = call(capsys, "artifact", "get", "latest:load", "x", code=2)
    assert "is not in store" in err
    assert "stackyard run flights" in err


def test_an_artifact_that_was_reused_is_traced_to_its_maker(store, capsys):
    first = history.full_run(store, 1)
    second = history.run_record(2)
    store.records.start(second)
    ref = history.output(store, first, "load")
    history.attempt(
        store, second, "load", status="cached", outputs={"result": ref},
        reused=AttemptId(first.run_id, "load", 1),
    )  # fmt: skip
    assert document(capsys, "artifact", "show", ref.digest)["run_id"] == first.run_id
