"""What the inference log costs an answer: one model behind two endpoints, with the log and without.

Eight clients ask both in turns; the log is written every two seconds meanwhile.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Row, print_rows

CLIENTS = 8
ROUNDS = 7
SECONDS = 5.0  # of each round
BUDGET = 1.1


def asked(port: int, name: str, body: bytes) -> list[float]:
    """Seconds that each answer of one round took."""
    end = time.perf_counter() + SECONDS
    took: list[float] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (began := time.perf_counter()) < end:
            connection.request("POST", f"/v2/models/{name}/infer", body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def served(folder: Path, package: Any, *, log: bool) -> Any:
    """A server whose endpoint ``flights`` is ready."""
    from stackyard.components.base import Context
    from stackyard_bentoml.config import BentomlConfig
    from stackyard_bentoml.server import BentomlServer

    context = Context(name="server", project=folder, state_dir=folder / "state")
    server = BentomlServer(BentomlConfig(log=log, log_every=2.0), context)
    server.deploy(package, "flights", "1")
    return server


def rows() -> list[Row]:
    """Median answers of each round; the median of the rounds is held against the budget."""
    from stackyard.inference import encode_request
    from stackyard.models import package_model
    from stackyard.testing.server_case import model
    from stackyard.testing.server_case import rows as flights

    body = json.dumps(encode_request(flights(1, seed=1).fillna(0.0))).encode()
    medians: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        package = package_model(model(1), example=flights(), folder=Path(folder) / "model")
        servers = {}
        try:
            for log in medians:
                servers[log] = served(Path(folder) / str(log), package, log=log)
            ports = {
                log: int(server.status("flights").url.rpartition(":")[2])
                for log, server in servers.items()
            }
            for number in range(ROUNDS):
                for log in medians if number % 2 else reversed(medians):
                    took = asked(ports[log], "flights", body)
                    medians[log].append(statistics.median(took))
        finally:
            for server in servers.values():
                server.undeploy("flights")
    # Of a machine that others use too, neighbouring rounds are compared.
    pairs = zip(medians[True], medians[False], strict=True)
    ratio = statistics.median(mine / other for mine, other in pairs)
    best = {log: min(found) * 1000 for log, found in medians.items()}
    return [
        Row(
            f"p50 of an answer with the inference log, {CLIENTS} clients, beside none",
            f"{ratio:.2f}x: {best[True]:.1f} and {best[False]:.1f} ms",
            f"{BUDGET}x",
            ratio <= BUDGET,
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
