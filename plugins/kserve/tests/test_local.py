"""The local side: KServe's real model server, in its own environment, on loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from platformdirs import user_cache_path

from stackyard.components.base import Command, Context, Service
from stackyard.components.registry import ModelPackage
from stackyard.errors import InvalidInput, NotFound, Unavailable
from stackyard.inference import decode_response, encode_request
from stackyard.models import package_model
from stackyard.processes import same
from stackyard.supervisor import Supervisor
from stackyard.testing import ServerContract
from stackyard.testing.server_case import expected, model, rows
from stackyard_kserve import environment
from stackyard_kserve.config import KServeConfig, LocalKServeConfig
from stackyard_kserve.local import LocalKServe
from stackyard_kserve.server import KServeServer
from tests.ports import free_port


class TestLocalKServe(ServerContract):
    """The server's contract."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> dict[str, Any]:
        return {"flavor": "kserve_local"}


# What the contract does not say


def context(root: Path) -> Context:
    folder = root / ".stackyard"
    return Context(
        name="server", project=root, state_dir=folder / "state", cache_dir=folder / "cache"
    )


def processes(root: Path) -> list[psutil.Process]:
    """The model servers of a project."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PYTHONPATH", "").startswith(str(root)):
                found.append(process)
        except psutil.Error:
            continue
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("package") / "1"
    return package_model(model(1), example=rows(), folder=folder)


DEPLOY = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_local import LocalKServe, LocalKServeConfig, context
from stackyard.components.registry import Field, ModelPackage, Signature
package = ModelPackage({format!r}, {uri!r}, {digest!r}, Signature(()), {requirements!r})
print(LocalKServe(LocalKServeConfig(), context(Path({root!r}))).deploy(package, "delays", "1").url)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, package: ModelPackage) -> Iterator[Path]:
    """A project where a process that has ended since serves the endpoint ``delays``."""
    root = tmp_path_factory.mktemp("project")
    code = DEPLOY.format(
        tests=str(Path(__file__).parent), root=str(root), format=package.format,
        uri=package.uri, digest=package.digest, requirements=package.requirements,
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    yield root
    LocalKServe(LocalKServeConfig(), context(root)).undeploy("delays")
    assert processes(root) == []


@pytest.fixture
def server(root: Path) -> LocalKServe:
    return LocalKServe(LocalKServeConfig(), context(root))


@pytest.fixture
def connection(server: LocalKServe) -> Iterator[http.client.HTTPConnection]:
    """One connection, as a client keeps it."""
    port = int(server.status("delays").url.rpartition(":")[2])
    made = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    yield made
    made.close()


def post(connection: http.client.HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


V1, V2 = "/v1/models/delays:predict", "/v2/models/delays/infer"


def test_it_is_found_again(server: LocalKServe, package: ModelPackage) -> None:
    """By a component of another process, which did not start it."""
    (endpoint,) = server.list()
    assert (endpoint.name, endpoint.status, endpoint.champion) == ("delays", "ready", "1")
    assert server.deploy(package, "delays", "1") == endpoint
    given = decode_response(server.predict("delays", encode_request(rows(9))))
    assert given.equals(expected(package, rows(9)))


def test_it_listens_on_loopback_and_nowhere_else(server: LocalKServe, root: Path) -> None:
    port = int(server.status("delays").url.rpartition(":")[2])
    (process,) = processes(root)
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", port)]
    assert process.environ()["OMP_NUM_THREADS"] == "1"


def test_v1_gives_the_same_as_v2(
    connection: http.client.HTTPConnection, package: ModelPackage
) -> None:
    frame = rows(20, seed=2)
    wanted = expected(package, frame)["predict"].tolist()
    instances = json.loads(frame.to_json(orient="records"))
    assert post(connection, V1, {"instances": instances}) == (200, {"predictions": wanted})
    values = [list(one.values()) for one in instances]
    assert post(connection, V1, {"instances": values}) == (200, {"predictions": wanted})
    status, given = post(connection, V2, encode_request(frame))
    assert (status, given["outputs"][0]["data"]) == (200, wanted)


def test_v1_is_read_whatever_its_type_is_said_to_be(
    connection: http.client.HTTPConnection,
) -> None:
    """What curl sends is called a form unless it is told otherwise."""
    for body, status in ((b'{"instances": [[5, 100.0, "UA"]]}', 200), (b"not json", 400)):
        connection.request("POST", V1, body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        assert answer.status == status
        assert ("no JSON" in answer.read().decode()) == (status == 400)


def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (V2, b"not json", 400, "JSON decode error"),
        (V2, b"", 400, "Field required"),
        (V2, {}, 400, "inputs: Field required"),
        (V2, [], 400, "dictionary or object"),
        (V2, {"inputs": [7]}, 400, "inputs.0"),
        (V2, {"inputs": []}, 400, "'inputs' is empty"),
        (V2, {"inputs": [tensor("hour", "INT64", ["x"])]}, 400, "'distance' (FP64) is missing"),
        (V2, {"inputs": [tensor("hour", "INT64", ["x"])]}, 400, 'data[0] is "x"'),
        (V2, b'{"inputs": "' + b"x" * 10_000_000 + b'"}', 413, "more than 8388608 bytes"),
        (V1, b"not json", 400, "Unrecognized request format"),
        (V1, {"inputs": []}, 400, 'write {"instances": [...]}'),
        (V1, {"instances": []}, 400, "one entry for each row"),
        (V1, {"instances": [5]}, 400, "instances[0] is neither"),
        (V1, {"instances": [{"hour": 5, "carier": "UA"}]}, 400, "missing: distance, carrier"),
        (V1, {"instances": [{"hour": 5, "carier": "UA"}]}, 400, "unknown: carier"),
        (V1, {"instances": [["x", 5.0, "UA"]]}, 400, 'data[0] is "x"'),
    ],
)
def test_bad_input_is_answered_with_the_reason(
    connection: http.client.HTTPConnection, path: str, body: Any, status: int, said: str
) -> None:
    """And the connection stays: the next request on it is answered."""
    code, given = post(connection, path, body)
    assert code == status
    assert said in given["error"]
    assert post(connection, V2, encode_request(rows(3)))[0] == 200


@pytest.mark.parametrize(
    ("body", "length"),
    [(b"{}", "abc"), (b"{}", "2"), (b"[]", "-1"), (b'{"inputs": [7]}', "15"), (b"", "0")],
)
def test_bad_input_in_the_binary_form(
    connection: http.client.HTTPConnection, body: bytes, length: str
) -> None:
    """Its header, or what it says that there is."""
    kind = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": length}
    connection.request("POST", V2, body, kind)
    answer = connection.getresponse()
    assert (answer.status, b"error" in answer.read()) == (400, True)
    assert post(connection, V2, encode_request(rows(3)))[0] == 200


def test_nobody_can_unload_the_model(connection: http.client.HTTPConnection) -> None:
    for action in ("load", "unload"):
        assert post(connection, f"/v2/repository/models/delays/{action}", {})[0] == 501
    assert post(connection, V2, encode_request(rows(3)))[0] == 200


def test_what_is_refused_leaves_the_log_alone(
    connection: http.client.HTTPConnection, root: Path
) -> None:
    (log,) = (root / ".stackyard" / "services").rglob("model-server.log")
    before = log.stat().st_size
    assert post(connection, V2, {"inputs": []})[0] == 400
    assert post(connection, "/v2/models/other/infer", encode_request(rows(3)))[0] == 404
    assert log.stat().st_size == before


def test_a_process_that_was_killed(server: LocalKServe, package: ModelPackage, root: Path) -> None:
    (process,) = processes(root)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    seen = server.status("delays")
    assert (seen.status, seen.champion) == ("stopped", "1")
    assert "deploy version 1 again" in seen.reason
    with pytest.raises(Unavailable, match="its process has ended"):
        server.predict("delays", encode_request(rows(3)))
    assert server.deploy(package, "delays", "1").status == "ready"
    assert server.predict("delays", encode_request(rows(3)))["outputs"]
    assert len(processes(root)) == 1


def test_a_process_that_hangs(server: LocalKServe, package: ModelPackage, root: Path) -> None:
    """It is there, and does not answer."""
    (process,) = processes(root)
    process.suspend()
    seen = server.status("delays")
    assert (seen.status, seen.champion) == ("failed", "1")
    assert "does not answer" in seen.reason
    assert server.deploy(package, "delays", "1").status == "ready"
    assert server.predict("delays", encode_request(rows(3)))["outputs"]
    assert [one.pid for one in processes(root)] != [process.pid]


def test_a_deployment_that_was_killed_leaves_no_process(tmp_path: Path) -> None:
    """What it had started goes with the endpoint; nobody was told of it but its state."""
    made = LocalKServe(LocalKServeConfig(), context(tmp_path))
    (tmp_path / ".stackyard" / "state").mkdir(parents=True)
    state = {"version": "", "digest": "", "port": 0, "next": 4711}
    (tmp_path / ".stackyard" / "state" / "delays.json").write_text(json.dumps(state))
    sleeping = Command("model-server", [sys.executable, "-c", "import time; time.sleep(600)"])
    started = Supervisor(tmp_path).up(Service("kserve-delays-4711", (sleeping,)))
    assert made.list() == ()
    with pytest.raises(NotFound):
        made.status("delays")
    made.undeploy("delays")
    assert not same(started.commands[0])
    assert list((tmp_path / ".stackyard" / "state").glob("*.json")) == []


def test_a_manifest_starts_this_program(package: ModelPackage, tmp_path: Path) -> None:
    """The arguments and the environment that the cluster's container gets are its own."""
    kept = ModelPackage(package.format, "s3://acme/1", package.digest, package.signature)
    config = KServeConfig(images={package.format: "registry.example/server:1"})
    (text,) = KServeServer(config, Context()).render(kept, "delays", "4").values()
    (container,) = yaml.safe_load(text)["spec"]["predictor"]["containers"]
    port = free_port()
    here = {"/mnt/models": str(package.uri), "8080": str(port), "0.0.0.0": "127.0.0.1"}
    arguments = [argument.partition("=") for argument in container["args"]]
    python = environment.ensure(
        user_cache_path("stackyard") / "environments", "0.21.0", package.requirements
    )
    settings = {one["name"]: here.get(one["value"], one["value"]) for one in container["env"]}
    program = Command(
        "server",
        [str(python), "-P", "-m", "stackyard_kserve.model_server",
         *(f"{name}={here.get(value, value)}" for name, _, value in arguments)],
        settings | {"PYTHONPATH": str(environment.importable(tmp_path))},
        ready=f"http://127.0.0.1:{port}/v2/models/delays/ready",
    )  # fmt: skip
    supervisor = Supervisor(tmp_path)
    supervisor.up(Service("container", (program,), ready_within=60))
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        status, given = post(connection, V2, encode_request(rows(3)))
        connection.close()
    finally:
        supervisor.down("container")
    assert (status, given["model_version"]) == (200, "4")


def test_requirements_reach_no_command_line_unread(package: ModelPackage, tmp_path: Path) -> None:
    made = LocalKServe(LocalKServeConfig(), context(tmp_path))
    for wrong in ("--index-url=http://evil.example", "skops", "skops>=0.1", "a==1 --pre", "../x"):
        with pytest.raises(InvalidInput, match="write name and version"):
            made.deploy(replace(package, requirements=(wrong,)), "delays", "1")
    assert made.list() == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *(
            ({"version": version}, "version: .* Write one such as 0.21.0")
            for version in ("", "../../x", "..", "0.21.0 --pre", "0.21.0\n")
        ),
        ({"max_request": 0}, "max_request: must be more than 0"),
        ({"ready_within": -1.0}, "ready_within: must be more than 0"),
    ],
)
def test_what_a_stack_may_not_say(wrong: dict[str, Any], said: str) -> None:
    """A version reaches a path and the installer's command line."""
    with pytest.raises(ValueError, match=said):
        LocalKServeConfig(**wrong)


def test_what_the_model_server_sees_of_stackyard(tmp_path: Path) -> None:
    """Stackyard and the plugin, without all that is installed beside them."""
    folder = environment.importable(tmp_path)
    assert environment.importable(tmp_path) == folder
    assert sorted(one.name for one in folder.iterdir()) == ["stackyard", "stackyard_kserve"]


def test_a_model_of_arrays_and_its_v1(tmp_path: Path) -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    from stackyard_kserve.model_server import read

    given = np.arange(12.0).reshape(6, 2)
    fitted = LinearRegression().fit(given, given @ np.ones((2, 2)))
    made = package_model(fitted, example=given, folder=tmp_path / "package")
    served = read(tmp_path / "package", "lines", "3", made.digest)
    wanted = fitted.predict(given[:2]).tolist()
    assert served.predictions({"instances": given[:2].tolist()}) == {"predictions": wanted}
    with pytest.raises(InvalidInput):
        served.predictions({"instances": [[1.0], [2.0, 3.0]]})


def test_it_ends_and_starts_again(server: LocalKServe, package: ModelPackage, root: Path) -> None:
    server.undeploy("delays")
    assert processes(root) == []
    assert server.deploy(package, "delays", "1").status == "ready"
