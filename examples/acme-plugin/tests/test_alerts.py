"""Alerts reach a webhook, tell nothing that may be secret, and wait for nobody."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from acme_stackyard import alerts, plugin
from stackyard.components.orchestrator import StepEvent
from stackyard.components.tracker import LoggedParam, RunFacts, RunStatus, StepFacts

EVENT = StepEvent("charge", "failed", attempt=2, text="KeyError: card 4111-private")


def run(status: RunStatus) -> RunFacts:
    """A run with two steps."""
    steps = (
        StepFacts("load", "succeeded", 1.0, (LoggedParam("token", "private"),)),
        StepFacts("charge", "failed", 1.0),
    )
    params, tags = {"password": "private"}, {"note": "private"}
    return RunFacts(
        "20260101-1", "orders", "prod", status, 1.0, 2.0, "ada", params=params, tags=tags,
        steps=steps,
    )  # fmt: skip


class Webhook(ThreadingHTTPServer):
    """A webhook on this machine; keeps what it was sent."""

    answer = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Post)
        self.sent: list[dict[str, Any]] = []


class Post(BaseHTTPRequestHandler):
    """One request."""

    server: Webhook

    def do_POST(self) -> None:
        """Keep it."""
        assert self.headers["Content-Type"] == "application/json"
        self.server.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook whose address is in the environment."""
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        url = f"http://127.0.0.1:{server.server_port}/hook/private-path"
        monkeypatch.setenv("ACME_ALERT_URL", url)
        yield server
        server.shutdown()


def test_a_step_that_failed_is_told_at_once(webhook: Webhook) -> None:
    plugin.stackyard_on_failure(run("running"), EVENT)
    assert webhook.sent == [
        {
            "event": "step_failed",
            "run": "20260101-1",
            "pipeline": "orders",
            "stack": "prod",
            "step": "charge",
            "attempt": 2,
        }
    ]


def test_a_run_that_failed_is_told_with_its_steps(webhook: Webhook) -> None:
    plugin.stackyard_after_run(run("failed"))
    (message,) = webhook.sent
    assert (message["event"], message["steps"]) == ("run_failed", ["charge"])
    assert "private" not in json.dumps(message)


@pytest.mark.parametrize("status", ["succeeded", "cancelled"])
def test_of_another_run_nothing_is_told(status: RunStatus, webhook: Webhook) -> None:
    plugin.stackyard_after_run(run(status))
    assert webhook.sent == []


def test_without_an_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_ALERT_URL", raising=False)
    plugin.stackyard_on_failure(run("running"), EVENT)
    plugin.stackyard_after_run(run("failed"))


def test_a_refusal_is_told_without_the_address(webhook: Webhook) -> None:
    webhook.answer = 403
    with pytest.raises(RuntimeError, match="ACME_ALERT_URL: it answered 403") as caught:
        plugin.stackyard_after_run(run("failed"))
    assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/private", "private", "http://", "http://127.0.0.1:private/",
        "http://[private", "http://127.0.0.1/private path",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_told_without_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_ALERT_URL", url)
    with pytest.raises(RuntimeError, match="ACME_ALERT_URL") as caught:
        plugin.stackyard_after_run(run("failed"))
    assert "private" not in str(caught.value)


def test_a_webhook_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not wait for it longer than is said."""
    monkeypatch.setattr(alerts, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ACME_ALERT_URL", "http://{}:{}".format(*silent.getsockname()))
        start = time.monotonic()
        with pytest.raises(RuntimeError, match="TimeoutError"):
            plugin.stackyard_after_run(run("failed"))
        assert time.monotonic() - start < 3


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ACME_ALERT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(RuntimeError, match="ConnectionRefusedError"):
        plugin.stackyard_after_run(run("failed"))
