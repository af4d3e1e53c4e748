"""The REST client against a server that misbehaves on purpose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stackyard.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from stackyard_airflow.client import AirflowClient
from tests.ports import closed_port

Answer = tuple[int, Any]


class Server:
    """Answers each request with what ``plan`` says; remembers the requests."""

    def __init__(self) -> None:
        self.plan: Callable[[str, str, int], Answer] = lambda method, path, n: (200, {})
        self.requests: list[tuple[str, str, Any, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                token = self.headers.get("Authorization", "")
                outer.requests.append((self.command, self.path, body, token))
                same = [r for r in outer.requests if r[:2] == (self.command, self.path)]
                status, content = outer.plan(self.command, self.path, len(same))
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:9/stolen")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = answer

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def client(server: Server) -> Iterator[AirflowClient]:
    client = AirflowClient(server.url, lambda c: "t0ken", deadline=5, patience=5)
    yield client
    client.close()


def test_a_server_error_is_tried_again(server: Server, client: AirflowClient) -> None:
    server.plan = lambda method, path, n: (503, {}) if n < 3 else (200, {"state": "running"})
    assert client.run_state("d", "r") == "running"
    assert len(server.requests) == 3


def test_it_gives_up_when_patience_ends(server: Server) -> None:
    server.plan = lambda method, path, n: (502, {})
    client = AirflowClient(server.url, lambda c: "t", patience=1)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="answered 502 to GET"):
        client.run_state("d", "r")
    assert time.monotonic() - began < 20  # and not after the usual minutes
    client.close()


def test_nobody_listening_is_unavailable() -> None:
    with closed_port() as port:
        client = AirflowClient(f"http://127.0.0.1:{port}", lambda c: "t", patience=0.5)
        with pytest.raises(Unavailable, match=rf"127\.0\.0\.1:{port} does not answer"):
            client.health()
        client.close()


def test_a_hanging_server_is_left_at_the_deadline(server: Server) -> None:
    left = threading.Event()

    def plan(method: str, path: str, n: int) -> Answer:
        left.wait(60)
        return 200, {}

    server.plan = plan
    client = AirflowClient(server.url, lambda c: "t", deadline=0.3, patience=0)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        client.health()
    assert time.monotonic() - began < 20
    left.set()
    client.close()


def test_a_trigger_whose_answer_was_lost_starts_one_run(
    server: Server, client: AirflowClient
) -> None:
    def plan(method: str, path: str, n: int) -> Answer:
        if method == "POST":
            return (500, {}) if n == 1 else (409, {"detail": "exists"})
        return 200, {"state": "queued"}

    server.plan = plan
    client.trigger("d", "20260101-000000-00000000", {"a": 1}, "note")
    body = server.requests[0][2]
    assert body["dag_run_id"] == "20260101-000000-00000000"
    assert body["logical_date"] is None
    assert body["conf"] == {"a": 1}


def test_a_new_token_is_asked_for_once_when_the_old_one_has_expired(server: Server) -> None:
    tokens = iter(["old", "new", "newer"])
    client = AirflowClient(server.url, lambda c: next(tokens), patience=1)
    server.plan = lambda method, path, n: (401, {}) if n == 1 else (200, {"state": "queued"})
    assert client.run_state("d", "r") == "queued"
    assert [r[3] for r in server.requests] == ["Bearer old", "Bearer new"]
    server.plan = lambda method, path, n: (403, {"detail": "Forbidden"})
    with pytest.raises(InvalidInput, match=r"403 Forbidden\. Is the login right"):
        client.run_state("d", "other")
    client.close()


def test_login_sends_no_token_and_errors_hold_no_secret(server: Server) -> None:
    client = AirflowClient(server.url, lambda c: c.token("admin", "pa55word"), patience=0)
    server.plan = lambda method, path, n: (401, {"detail": "Invalid credentials"})
    with pytest.raises(InvalidInput) as caught:
        client.pools()
    assert "pa55word" not in str(caught.value)
    assert server.requests[0][1] == "/auth/token"
    assert server.requests[0][3] == ""
    client.close()


def test_a_redirect_is_not_followed_with_the_token(server: Server, client: AirflowClient) -> None:
    server.plan = lambda method, path, n: (302, {})
    with pytest.raises(InvalidInput, match="302"):
        client.run_state("d", "r")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFound), (409, AlreadyExists), (422, InvalidInput)]
)
def test_what_is_refused_is_not_tried_again(
    server: Server, client: AirflowClient, status: int, error: type[Exception]
) -> None:
    server.plan = lambda method, path, n: (status, {"detail": "because"})
    with pytest.raises(error, match="because"):
        client.run_state("d", "r")
    assert len(server.requests) == 1


def test_another_program_on_the_port_is_told_apart(server: Server, client: AirflowClient) -> None:
    server.plan = lambda method, path, n: (200, b"<html>hello</html>")
    with pytest.raises(InvalidInput, match=r"does not answer .* as Airflow does"):
        client.health()


@pytest.mark.parametrize("name", ["../../x", "a/b", "a b?c#d", "{{ 7*7 }}"])
def test_names_cannot_leave_their_place_in_the_address(
    server: Server, client: AirflowClient, name: str
) -> None:
    server.plan = lambda method, path, n: (200, {"state": "queued"})
    client.run_state(name, name)
    path = server.requests[0][1]
    assert path.count("/") == 6
    assert "?" not in path
    assert client.page(name, name).count("/") == 6


def test_pages_of_tasks_are_put_together(server: Server, client: AirflowClient) -> None:
    def plan(method: str, path: str, n: int) -> Answer:
        first = 0 if "offset=0" in path else 100
        tasks = [
            {"task_id": f"t{i}", "state": None, "try_number": 0, "duration": None,
             "start_date": None} for i in range(first, min(first + 100, 130))
        ]  # fmt: skip
        return 200, {"task_instances": tasks, "total_entries": 130}

    server.plan = plan
    assert [t.task_id for t in client.tasks("d", "r")] == [f"t{i}" for i in range(130)]
