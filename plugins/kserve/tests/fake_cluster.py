"""A fake Kubernetes API server with a fake KServe behind it. It is no cluster.

It keeps InferenceServices in memory and answers as the real API does where that matters here:
resource versions and conflicts, 404 and 422, finalizers, a login. Behind it is a fake of KServe's
controller, which goes on by a step with each look at the status (see ``fake_controller``). Requests
are answered with the models themselves.
"""

from __future__ import annotations

import copy
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fake_controller import Kept, host, reconcile

from stackyard.errors import InvalidInput

TOKEN = "fake-token"
ROOT = "/apis/serving.kserve.io/v1beta1/namespaces/"

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: fake
clusters: [{{name: fake, cluster: {{server: "{url}"}}}}]
users: [{{name: fake, user: {{token: {token}}}}}]
contexts:
  - {{name: fake, context: {{cluster: fake, user: fake}}}}
  - {{name: stranger, context: {{cluster: fake, user: nobody}}}}
"""


class Refused(Exception):
    """An answer other than 200, as a Kubernetes ``Status``; None as reason: plain text."""

    def __init__(self, code: int, reason: str | None, message: str, name: str = "") -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.name = code, reason, message, name


class FakeCluster:
    """The fake API server and gateway, on one port of loopback, until ``stop``.

    Attributes:
        delay: Seconds until a new revision is ready.
        schema: Checks an InferenceService; gives what is wrong with it.
        outage: Calls that are yet to be answered 503.
        asleep: Looks at the status that are yet to find the controller doing nothing.
        intruders: Replacements that are yet to find somebody else was faster.
        losses: For each change that is yet to be applied and answered 503, what follows it.
        calls: Method and path of every call to the API.
    """

    def __init__(
        self, schema: Callable[[dict[str, Any]], list[str]] = lambda body: [], clock: Any = time
    ) -> None:
        self._clock = clock
        self.delay = 0.0
        self.schema = schema
        self.outage = 0
        self.asleep = 0
        self.intruders = 0
        self.losses: list[Callable[[], object]] = []
        self.installed = True
        self.calls: list[tuple[str, str]] = []
        self._kept: dict[str, Kept] = {}
        self._version = 0
        self._lock = threading.RLock()
        self._random = random.Random(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def kubeconfig(self, folder: Path) -> str:
        """Write a kubeconfig; return its path."""
        file = folder / "kubeconfig"
        file.write_text(KUBECONFIG.format(url=self.url, token=TOKEN))
        return str(file)

    def service(self, name: str) -> dict[str, Any]:
        """An InferenceService as it is kept."""
        with self._lock:
            return copy.deepcopy(self._kept[name].body)

    def put(self, body: dict[str, Any]) -> None:
        """Keep an InferenceService, as if somebody had applied it with other tools."""
        with self._lock:
            self._create({"metadata": {}, **copy.deepcopy(body)})

    def edit(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change one, as somebody with other tools."""
        with self._lock:
            change(self._kept[name].body)
            self._touch(self._kept[name])

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    # The API

    def api(self, method: str, path: str, body: Any, login: str | None) -> Any:
        """Answer a call to the Kubernetes API."""
        with self._lock:
            self.calls.append((method, path))
            if self.outage:
                self.outage -= 1
                raise Refused(503, "ServiceUnavailable", "the server is currently unable")
            if login != f"Bearer {TOKEN}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            if not self.installed or not path.startswith(ROOT):
                raise Refused(404, None, "404 page not found\n")
            name = path.removeprefix(ROOT).partition("/")[2].partition("/")[2]
            if method == "POST":
                return self._answered(self._create(body))
            if not name:
                return {"items": [self._look(kept) for kept in [*self._kept.values()]]}
            if name not in self._kept:
                text = f'inferenceservices.serving.kserve.io "{name}" not found'
                raise Refused(404, "NotFound", text, name)
            kept = self._kept[name]
            if method == "PUT":
                return self._answered(self._replace(kept, body))
            if method == "DELETE":
                kept.body["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z"
                return {"kind": "Status", "status": "Success"}
            return self._look(kept)

    def _answered(self, made: Any) -> Any:
        if self.losses:
            self.losses.pop()()
            raise Refused(503, "ServiceUnavailable", "the answer was lost")
        return made

    def _create(self, body: dict[str, Any]) -> Any:
        name = body["metadata"]["name"]
        if name in self._kept:
            text = f'inferenceservices.serving.kserve.io "{name}" already exists'
            raise Refused(409, "AlreadyExists", text, name)
        self._valid(body)
        body["metadata"] |= {"uid": str(uuid.uuid4())}
        self._kept[name] = Kept(body)
        self._touch(self._kept[name])
        return copy.deepcopy(body)

    def _replace(self, kept: Kept, body: dict[str, Any]) -> Any:
        if self.intruders:
            self.intruders -= 1
            self._touch(kept)
        name = body["metadata"]["name"]
        if body["metadata"].get("resourceVersion") != kept.body["metadata"]["resourceVersion"]:
            text = f'Operation cannot be fulfilled on inferenceservices "{name}": the object has '
            raise Refused(409, "Conflict", text + "been modified", name)
        self._valid(body)
        kept.body |= {"metadata": body["metadata"], "spec": body["spec"]}
        self._touch(kept)
        return copy.deepcopy(kept.body)

    def _valid(self, body: dict[str, Any]) -> None:
        if wrong := self.schema(body):
            text = f'InferenceService "{body["metadata"]["name"]}" is invalid: {"; ".join(wrong)}'
            raise Refused(422, "Invalid", text)

    def _touch(self, kept: Kept) -> None:
        self._version += 1
        kept.body["metadata"]["resourceVersion"] = str(self._version)

    # KServe's controller

    def _look(self, kept: Kept) -> Any:
        """What a look at it shows; its controller has gone on by a step since the last one."""
        metadata = kept.body["metadata"]
        if "deletionTimestamp" in metadata:
            kept.looks -= 1
            if kept.looks < 0:
                del self._kept[metadata["name"]]
                text = f'inferenceservices.serving.kserve.io "{metadata["name"]}" not found'
                raise Refused(404, "NotFound", text, metadata["name"])
            return copy.deepcopy(kept.body)
        shown = copy.deepcopy(kept.body)
        if self.asleep:
            self.asleep -= 1
        else:
            reconcile(kept, self._clock.monotonic(), self.delay)
        return shown

    # The gateway

    def infer(self, asked: str, name: str, request: Any) -> Any:
        """Answer an inference request with the model that the traffic chooses."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                raise Refused(404, None, "no route")
            predictor = kept.body.get("status", {})["components"]["predictor"]
            targets = predictor.get("traffic", [])
            if asked == host(kept):
                weights = [one["percent"] for one in targets]
                chosen = self._random.choices(targets, weights)[0]
            else:
                chosen = next((one for one in targets if one["url"] == f"http://{asked}"), None)
            if chosen is None:
                raise Refused(404, None, f"no route for {asked}")
            model = {one.name: one for one in kept.revisions}[chosen["revisionName"]].answers
        assert model is not None
        return model(request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def handle_any(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(data) if data else None
                path = self.path.partition("?")[0]
                try:
                    if path.startswith("/v2/models/"):
                        name = path.split("/")[3]
                        found = cluster.infer(self.headers["Host"], name, body)
                    else:
                        login = self.headers.get("Authorization")
                        found = cluster.api(self.command, path, body, login)
                    self.say(200, json.dumps(found), "application/json")
                except InvalidInput as exc:
                    self.say(400, json.dumps({"error": str(exc)}), "application/json")
                except Refused as exc:
                    if exc.reason is None:
                        self.say(exc.code, exc.message, "text/plain")
                        return
                    status = {"kind": "Status", "reason": exc.reason, "message": exc.message}
                    status |= {"code": exc.code, "details": {"name": exc.name}}
                    self.say(exc.code, json.dumps(status), "application/json")

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def say(self, code: int, text: str, kind: str) -> None:
                raw = text.encode()
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        return Handler
