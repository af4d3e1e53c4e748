"""Two minutes of requests through a new version, a canary, a promotion and a rollback."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from plugins.bentoml.tests.conftest import Served
from stackyard.inference import encode_request
from stackyard.models import package_model
from stackyard.testing.server_case import model, rows
from stackyard.testing.server_traffic import read_log

SECONDS = 120.0
CLIENTS = 8


@pytest.mark.full
def test_no_request_fails_through_a_promotion_and_a_rollback(
    served: Served, tmp_path: Path
) -> None:
    server, name = served.server, served.name
    port = int(server.status(name).url.rpartition(":")[2])
    body = json.dumps(encode_request(rows(1, seed=1).fillna(0))).encode()
    over = threading.Event()
    wrong: list[str] = []
    answered: list[tuple[str, str]] = []
    took: list[float] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not over.is_set():
            began = time.perf_counter()
            try:
                connection.request("POST", f"/v2/models/{name}/infer", body)
                answer = connection.getresponse()
                given = json.loads(answer.read())
            except (OSError, ValueError, http.client.HTTPException) as exc:
                wrong.append(repr(exc))
                connection.close()
                continue
            took.append(time.perf_counter() - began)
            if answer.status == 200:
                answered.append((given["id"], given["model_version"]))
            else:
                wrong.append(f"{answer.status}: {given}")

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        time.sleep(10)
        second = package_model(model(2), example=rows(), folder=tmp_path / "2")
        server.deploy(second, name, "2")
        server.set_shadow(name, "2")
        time.sleep(10)
        server.set_traffic(name, {"1": 80, "2": 20})
        time.sleep(15)
        server.promote(name, "2")
        time.sleep(20)
        server.rollback(name)
        time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    took.sort()
    shares = Counter(version for _, version in answered)
    middle, high = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    print(f"{len(answered)} answers, {shares}; p50 {middle:.1f} ms, p99 {high:.1f} ms")
    assert wrong == []
    assert set(shares) == {"1", "2"}
    log = read_log(server, name)
    served_rows = log[log["role"] != "shadow"]
    assert len(served_rows) == len(answered)
    assert set(served_rows["id"]) == {id for id, _ in answered}
    assert (log["role"] == "shadow").sum() > 0
    assert server.status(name).reason == ""
