"""What the contract does not say: bytes on the wire, processes, and what is survived."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from plugins.bentoml.tests.conftest import Served
from stackyard.errors import NotFound, Unavailable
from stackyard.inference import decode_response, encode_request
from stackyard.loopback import answers
from stackyard.testing.manners import until
from stackyard.testing.server_case import ask, expected, rows, unreadable
from stackyard.testing.server_traffic import read_log
from stackyard_bentoml import state as states
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.packing import environment
from stackyard_bentoml.server import BentomlServer
from stackyard_bentoml.wire import ask as ask_wire
from tests.ports import free_port

GOOD = json.dumps(encode_request(rows(2))).encode().replace(b"NaN", b"null")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "no JSON"),
        (b"hour=5&distance=100", 400, "no JSON"),
        (b'{"inputs": [', 400, "no JSON"),
        (b'{"id": "\xff", "inputs": []}', 400, "no JSON"),
        (b"[" * 100_000, 400, "no JSON"),
        (b'{"inputs": [{"name": "hour", "data": NaN}]}', 400, "no JSON"),
        (b"null", 400, "'inputs'"),
        (b'"text"', 400, "'inputs'"),
        (b'{"inputs": {"hour": [1]}}', 400, "'inputs'"),
        (GOOD.replace(b'"INT64"', b'"INT65"'), 400, "INT65"),
        (GOOD.replace(b'"hour"', b'"hours"'), 400, "Did you mean 'hour'"),
        (GOOD.replace(b"[2]", b"[1000000000000]"), 400, "shape"),
        (GOOD.replace(b'"BYTES"', b'"FP64"'), 400, "'carrier'"),
        (b" " * 10_000_000 + GOOD, 413, "8388608 bytes"),
    ],
)
def test_bad_input_is_told_as_such(served: Served, body: bytes, status: int, said: str) -> None:
    given, answer = served.send(body)
    assert given == status
    assert said in answer["error"]
    assert served.send(GOOD)[0] == 200


def test_a_body_without_a_length_is_limited(served: Served) -> None:
    import http.client

    port = int(served.server.status(served.name).url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    chunks = (b" " * 1_000_000 for _ in range(10))
    # The server may close the connection before all of it was sent.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            "POST", f"/v2/models/{served.name}/infer", chunks, encode_chunked=True,
            headers={"transfer-encoding": "chunked"},
        )  # fmt: skip
        assert connection.getresponse().status == 413
    assert served.send(GOOD)[0] == 200


def test_why_a_version_does_not_get_ready_is_told(served: Served, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"'flights'.*version '9' cannot be read: BadZipFile"):
        served.server.deploy(unreadable(served.package, tmp_path / "bad"), "flights", "9")
    assert served.server.status("flights").traffic == {"1": 100}


@pytest.mark.full
def test_a_first_version_that_does_not_get_ready_leaves_nothing(
    served: Served, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="version '1' cannot be read"):
        served.server.deploy(unreadable(served.package, tmp_path / "bad"), "broken", "1")
    with pytest.raises(NotFound, match="'broken'"):
        served.server.status("broken")
    assert replace(served, name="broken").processes() == []


@pytest.mark.full
def test_a_first_deploy_that_was_killed_is_made_again(served: Served) -> None:
    server, state = served.server, states.read(served.folder)
    assert state is not None
    begun = replace(state, name="begun", port=free_port(), rollout=None, slots={})
    states.write(served.folder.with_name("begun"), begun)
    assert server.status("begun").status == "starting"
    with pytest.raises(Unavailable, match="Deploy it again"):
        server.promote("begun", "1")
    assert server.deploy(served.package, "begun", "1").status == "ready"
    server.undeploy("begun")


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/v2/models/planes/infer", 404, "'planes'"),
        ("POST", "/v2/models/flights/versions/7/infer", 404, "'7'"),
        ("GET", "/v2/models/flights/infer", 405, "Not Allowed"),
        ("GET", "/v2/models/flights/versions/7/ready", 404, "'7'"),
    ],
)
def test_what_is_not_there_is_told_as_such(
    served: Served, method: str, path: str, status: int, said: str
) -> None:
    given, answer = served.send(GOOD, path, method)
    assert given == status
    assert said in answer["error"]


def test_it_tells_what_the_model_takes(served: Served) -> None:
    status, answer = served.send(b"", "/v2/models/flights", "GET")
    assert (status, answer["name"], answer["versions"]) == (200, "flights", ["1"])
    assert answer["inputs"][1] == {"name": "distance", "datatype": "FP64", "shape": [-1]}
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/flights/ready",
                 "/v2/models/flights/versions/1"):  # fmt: skip
        assert served.send(b"", path, "GET")[0] == 200


def test_it_listens_on_loopback_only_and_is_quiet(served: Served) -> None:
    processes = served.processes()
    assert len(processes) == 4  # BentoML's, the gateway and two for models
    listening = [
        c.laddr.ip for p in processes for c in p.net_connections("tcp") if c.status == "LISTEN"
    ]
    assert set(listening) == {"127.0.0.1"}
    for process in processes:
        around = process.environ()
        assert around["OMP_NUM_THREADS"] == "1"
        assert around["BENTOML_DO_NOT_TRACK"] == "True"


def test_a_model_process_that_dies_comes_back(served: Served) -> None:
    """Requests wait for it: BentoML holds its socket."""
    (before,) = (p for p in served.processes() if "slot_a" in p.cmdline())
    before.kill()
    patient = BentomlServer(BentomlConfig(), replace(served.server.context, deadline=120.0))
    assert ask(patient, "flights")["model_version"] == "1"
    (after,) = (p for p in served.processes() if "slot_a" in p.cmdline())
    assert after.pid != before.pid


def test_a_log_that_cannot_be_written_fails_no_answer(served: Served) -> None:
    """It is told, and the log goes on when it can."""
    folder = served.folder / states.INFERENCES
    served.server.inferences("flights")
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    lost = {ask(served.server, "flights")["id"] for _ in range(5)}
    served.server.inferences("flights")
    endpoint = served.server.status("flights")
    assert endpoint.status == "ready"
    assert "inference log lacks 5 answers" in endpoint.reason
    assert ask(served.server, "flights")["outputs"]
    folder.unlink()
    kept = ask(served.server, "flights")["id"]
    logged = set(read_log(served.server, "flights")["id"])
    assert kept in logged
    assert not lost & logged


@pytest.fixture
def small_disk(served: Served) -> Iterator[Path]:
    """The folder of the inference log on a disk of 256 kB."""
    folder = served.folder / states.INFERENCES
    served.server.inferences("flights")
    shutil.rmtree(folder)
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    # Until the gateway has closed the file that it writes there.
    until(lambda: subprocess.run(["umount", str(folder)], capture_output=True).returncode == 0)


def test_a_full_disk_stops_the_log_and_no_answer(served: Served, small_disk: Path) -> None:
    """It is told; no half of a file stays, and the log goes on when there is room."""
    kept = ask(served.server, "flights")["id"]
    served.server.inferences("flights")
    ballast = small_disk / "ballast"
    with suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    lost = {ask(served.server, "flights")["id"] for _ in range(20)}
    assert len(lost) == 20
    served.server.inferences("flights")
    assert "No space left on device" in served.server.status("flights").reason
    assert not list(small_disk.rglob(".*.parquet"))
    ballast.unlink()
    again = ask(served.server, "flights")["id"]
    logged = set(read_log(served.server, "flights")["id"])
    assert {kept, again} <= logged
    assert not lost & logged


def test_the_log_is_written_without_being_asked(served: Served) -> None:
    folder = served.folder / states.INFERENCES
    before = set(folder.rglob("*.parquet"))
    asked = ask(served.server, "flights")["id"]

    def kept() -> bool:
        new = set(folder.rglob("[!.]*.parquet")) - before
        return any(asked in set(pd.read_parquet(file)["id"]) for file in new)

    assert until(kept)


@pytest.mark.full
def test_the_bento_serves_by_itself(served: Served) -> None:
    """As a user of BentoML would serve it, with the same answers."""
    state = states.read(served.folder)
    assert state is not None
    port = free_port()
    command = [
        sys.executable, "-m", "bentoml", "serve", state.bentos["1"],
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    home = served.server.context.state_dir / "_bentoml"
    process = subprocess.Popen(command, env=environment(home), start_new_session=True)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), seconds=60)
        frame = rows(20, seed=4)
        given = ask_wire(port, "POST", "/v2/models/flights/infer", content=encode_request(frame))
        pd.testing.assert_frame_equal(decode_response(given), expected(served.package, frame))
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def test_an_endpoint_is_found_after_all_of_it_died(served: Served) -> None:
    """Told as stopped; the next ``deploy`` starts it as it was; ``undeploy`` leaves nothing."""
    before = served.server.status("flights")
    killed = served.processes()
    for process in killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    # A killed process has lost its environment, by which it is found, a moment before it is dead.
    until(lambda: served.server.status("flights").status == "stopped")
    assert served.server.status("flights").traffic == before.traffic
    with pytest.raises(Unavailable, match="Deploy it again"):
        ask(served.server, "flights")
    again = served.server.deploy(served.package, "flights", "1")
    assert (again.status, again.traffic) == ("ready", before.traffic)
    assert ask(served.server, "flights")["outputs"]
    served.server.undeploy("flights")
    assert served.processes() == []
    assert served.server.list() == ()
