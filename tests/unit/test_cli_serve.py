"""``stackyard serve``, on the server and the registry in memory."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackyard.cli import main as command_line
from stackyard.components.base import Context
from stackyard.inference import encode_request
from stackyard.models import package_model
from stackyard.store.store import open_store
from stackyard.testing import MemoryRegistry, MemoryServer
from stackyard.testing.server_case import model, rows


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryServer:
    """A stack's server; its registry has two versions of ``flight_delays``."""
    registry = MemoryRegistry()
    made = MemoryServer(None, Context(name="server", state_dir=tmp_path / "state"))
    for number in (1, 2):
        package = package_model(model(number), example=rows(), folder=tmp_path / f"{number}")
        alias = "champion" if number == 1 else None
        registry.register("flight_delays", package, alias=alias)
    store = open_store(str(tmp_path / "store"))

    def component(kind: str, instance: str | None, history: Any = None) -> Any:
        if kind == "registry":
            return registry
        return made.of(replace(made.context, history=history, actor="anna"))

    stack = SimpleNamespace(component=component, store=lambda: store)
    monkeypatch.setattr("stackyard.cli.serve.open_project_stack", lambda option: (None, stack))
    monkeypatch.chdir(tmp_path)
    return made


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    capsys.readouterr()
    code = command_line.main(["serve", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def endpoint(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The endpoint that a command tells of."""
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    (found,) = json.loads(out)["endpoints"]
    return dict(found)


def test_a_model_goes_from_the_registry_to_an_endpoint_and_back(
    server: MemoryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = endpoint(capsys, "deploy", "flight_delays", "--alias", "champion")
    assert (first["name"], first["traffic"]) == ("flight-delays", {"1": 100})
    assert endpoint(capsys, "deploy", "flight_delays")["traffic"] == {"1": 100, "2": 0}
    shared = endpoint(capsys, "traffic", "flight-delays", "1=90%", "2=10")
    assert shared["traffic"] == {"1": 90, "2": 10}
    assert endpoint(capsys, "rollback", "flight-delays")["traffic"] == {"1": 100, "2": 0}
    assert endpoint(capsys, "shadow", "flight-delays", "2")["shadow"] == "2"
    assert endpoint(capsys, "shadow", "flight-delays", "--off")["shadow"] is None
    assert endpoint(capsys, "promote", "flight-delays", "2")["champion"] == "2"
    _, out, _ = run(capsys, "status")
    lines = [" ".join(line.split()) for line in out.splitlines()[1:]]
    assert lines == [
        "flight-delays 2 champion 100 % ready memory:flight-delays",
        "flight-delays 1 previous 0 % ready memory:flight-delays",
    ]
    code, out, _ = run(capsys, "undeploy", "flight-delays")
    assert (code, out) == (0, "flight-delays: stopped\n")
    code, out, err = run(capsys, "status")
    assert (code, out) == (0, "")
    assert "stackyard serve deploy MODEL" in err
    assert server.list() == ()


def test_every_change_is_in_the_history(
    server: MemoryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who, what, the shares then, and why; what was refused and what only looks is not."""
    name = "flight-delays"
    for words in (
        ["deploy", "flight_delays", "--version", "1", "--why", "the first"],
        ["deploy", "flight_delays"],
        ["traffic", name, "1=90", "2=10", "--why", "a trial"],
        ["traffic", name, "1=90"],
        ["rollback", name, "--why", "too slow"],
        ["shadow", name, "2"],
        ["status"],
        ["shadow", name, "--off"],
        ["promote", name, "2"],
        ["rollback", name],
        ["undeploy", name, "--why", "retired"],
        ["undeploy", name],
    ):
        run(capsys, *words)
    code, out, _ = run(capsys, "history", name, "--json")
    changes = json.loads(out)["changes"]
    assert code == 0
    assert [(c["version"], c["change"], c["traffic"], c["why"]) for c in changes] == [
        ("1", "deployed", {"1": 100}, "the first"),
        ("2", "deployed", {"1": 100, "2": 0}, ""),
        ("2", "traffic", {"1": 90, "2": 10}, "a trial"),
        ("2", "rolled back", {"1": 100, "2": 0}, "too slow"),
        ("2", "shadow", {"1": 100, "2": 0}, ""),
        ("2", "shadow ended", {"1": 100, "2": 0}, ""),
        ("2", "live", {"2": 100, "1": 0}, ""),
        ("2", "rolled back", {"1": 100, "2": 0}, ""),
        ("", "undeployed", {}, "retired"),
    ]
    assert {(c["actor"], c["run"]) for c in changes} == {("anna", None)}
    _, out, _ = run(capsys, "history", name)
    assert " ".join(out.splitlines()[4].split()[2:]) == (
        "2 rolled back 1 100 %, 2 0 % anna by hand too slow"
    )
    code, out, err = run(capsys, "history", "late")
    assert (code, out) == (2, "")
    assert "nothing was changed at an endpoint 'late' here. Endpoints: flight-delays" in err


def test_a_version_and_a_name_may_be_given(
    server: MemoryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    made = endpoint(capsys, "deploy", "flight_delays", "--version", "1", "--to", "late")
    assert (made["name"], made["traffic"]) == ("late", {"1": 100})
    assert endpoint(capsys, "status", "late") == made


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "-"])
def test_rows_are_sent(
    server: MemoryServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    run(capsys, "deploy", "flight_delays", "--version", "1")
    frame, file = rows(25), Path(f"rows.{kind}")
    request = json.dumps(encode_request(frame, id="mine"))
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "parquet":
        frame.to_parquet(file)
    elif kind == "json":
        file.write_text(request)
    else:
        file = Path("-")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(request.encode())))
    code, out, err = run(capsys, "predict", "flight-delays", str(file))
    assert code == 0
    assert out.splitlines()[0].split() == ["predict", "probability"]
    assert len(out.splitlines()) == 21
    assert "25 rows, the first 20 are shown; version 1" in err


def test_an_answer_may_lack_what_the_protocol_does_not_demand(
    server: MemoryServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "deploy", "flight_delays", "--version", "1")
    outputs = [{"name": "predict", "datatype": "INT64", "shape": [1], "data": [1]}]
    monkeypatch.setattr(MemoryServer, "predict", lambda *_, **__: {"outputs": outputs})
    rows(1).to_csv("rows.csv", index=False)
    code, _, err = run(capsys, "predict", "flight-delays", "rows.csv")
    assert (code, err) == (0, "1 row; version not told, request without an id\n")


def test_the_answer_is_there_as_json(
    server: MemoryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1", "2"):
        run(capsys, "deploy", "flight_delays", "--version", version)
    Path("rows.json").write_text(json.dumps(encode_request(rows(2), id="mine")))
    _, out, _ = run(capsys, "predict", "flight-delays", "rows.json", "--version", "2", "--json")
    answer = json.loads(out)
    assert (answer["id"], answer["model_version"]) == ("mine", "2")


@pytest.mark.parametrize(
    ("words", "said", "ends"),
    [
        (["predict", "flight-delays", "missing.csv"], "missing.csv: there is no such file", 2),
        (["predict", "flight-delays", "."], ".: is a folder", 2),
        (["predict", "flight-delays", "none.csv"], "none.csv: there are no rows in it", 2),
        (["predict", "flight-delays", "rows.txt"], "rows.txt: is no .csv, .parquet or .json", 2),
        (["predict", "flight-delays", "bad.json"], "bad.json: is no JSON", 2),
        (["predict", "flight-delays", "bytes.json"], "bytes.json: is no JSON", 2),
        (["predict", "flight-delays", "deep.json"], "deep.json: is no JSON", 2),
        (["predict", "flight-delays", "bad.csv"], "'carrier' (BYTES) is missing", 2),
        (["traffic", "flight-delays", "1"], "'1': write VERSION=PERCENT", 2),
        (["traffic", "flight-delays", "1=many"], "write VERSION=PERCENT", 2),
        (["traffic", "flight-delays", "1=50", "1=50"], "version 1: given twice", 2),
        (["traffic", "flight-delays", "1=50"], "the sum is 50, not 100", 2),
        (["promote", "flight-delays", "9"], "there is no version '9' here. Versions: 1", 2),
        (["rollback", "flight-delays"], "nothing to roll back", 1),
        (["shadow", "flight-delays"], "one of the arguments", 2),
        (["status", "late"], "there is no endpoint 'late'. Endpoints: flight-delays", 2),
        (["deploy", "flights"], "flight_delays", 2),
        (["deploy", "flight_delays", "--to", "Late"], "endpoint name 'Late'", 2),
        (["status", "--component", "registry"], "is no server. Write server.NAME", 2),
    ],
)
def test_what_is_refused(
    server: MemoryServer, capsys: pytest.CaptureFixture[str], words: list[str], said: str, ends: int
) -> None:
    """In one line, and nothing is changed."""
    run(capsys, "deploy", "flight_delays", "--version", "1")
    before = server.list()
    Path("rows.txt").write_text("")
    Path("bad.json").write_text("{")
    Path("none.csv").write_text("hour,distance,carrier\n")
    Path("bytes.json").write_bytes(b'{"id": "\xff"}')
    Path("deep.json").write_text("[" * 200_000)
    Path("bad.csv").write_text("hour,distance\n1,2\n")
    code, out, err = run(capsys, *words)
    assert (code, out) == (ends, "")
    assert said in err
    assert err.splitlines()[-1].startswith("error: ")
    assert server.list() == before
