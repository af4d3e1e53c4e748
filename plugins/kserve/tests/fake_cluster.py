"""A fake Kubernetes API server with a fake KServe behind it. It is no cluster.

It keeps InferenceServices in memory and answers as the real API does where that matters here:
resource versions and conflicts, 404 and 422, finalizers, a login. Behind it is as much of KServe's
Knative mode as a rollout needs: each change of annotations or model makes a revision, which gets
ready later or not at all; ``canaryTrafficPercent`` splits the requests between it and the revision
that KServe remembers as rolled out, by the rules of KServe's ``ksvc_reconciler.go`` and
``inference_service_status.go``, one step for each look at the status. Requests are answered with
the models themselves.
"""

from __future__ import annotations

import copy
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import InvalidInput
from stackyard.inference import answer
from stackyard.models import SIGNATURE, load_model

TOKEN = "fake-token"
ROOT = "/apis/serving.kserve.io/v1beta1/namespaces/"
MISSING_IMAGE = "registry.example/missing:1"

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


@dataclass
class Revision:
    """What Knative makes of one template."""

    name: str
    template: Any
    predictor: dict[str, Any]
    made: float = field(default_factory=time.monotonic)
    ready: bool = False
    failure: tuple[str, str] = ("", "")  # reason, message
    answers: Callable[[Any], Any] | None = None


@dataclass
class Kept:
    """An InferenceService and its revisions."""

    body: dict[str, Any]
    revisions: list[Revision] = field(default_factory=list)
    looks: int = 2  # at it that are left once it is being deleted

    @property
    def latest_ready(self) -> Revision | None:
        return next((one for one in reversed(self.revisions) if one.ready), None)


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

    def __init__(self, schema: Callable[[dict[str, Any]], list[str]] = lambda body: []) -> None:
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
            self._reconcile(kept)
        return shown

    def _reconcile(self, kept: Kept) -> None:
        name, spec = kept.body["metadata"]["name"], kept.body["spec"]["predictor"]
        model = {k: v for k, v in spec.items() if k != "canaryTrafficPercent"}
        template = copy.deepcopy([kept.body["metadata"].get("annotations"), model])
        if not kept.revisions or kept.revisions[-1].template != template:
            number = len(kept.revisions) + 1
            made = Revision(f"{name}-predictor-{number:05d}", template, model)
            kept.revisions.append(made)
        newest = kept.revisions[-1]
        if time.monotonic() >= newest.made + self.delay and not (newest.ready or newest.failure[0]):
            self._start(newest, name)
        status = kept.body.setdefault("status", {"components": {"predictor": {}}})
        predictor = status["components"]["predictor"]
        traffic = self._traffic(kept, spec.get("canaryTrafficPercent"), predictor)
        _propagate(predictor, kept, traffic)
        status |= _told(kept, traffic, f"http://{self._host(kept)}")

    def _start(self, revision: Revision, name: str) -> None:
        containers = revision.predictor.get("containers") or [{}]
        if containers[0].get("image") == MISSING_IMAGE:
            revision.failure = ("RevisionFailed", f'Unable to fetch image "{MISSING_IMAGE}"')
            return
        settings = {one["name"]: one.get("value") for one in containers[0].get("env", [])}
        if uri := settings.get("STORAGE_URI", "").removeprefix("file://"):
            try:
                revision.answers = _answering(uri, settings, name)
            except Exception as exc:
                revision.failure = ("ModelLoadFailed", f"{type(exc).__name__}: {exc}")
                return
        revision.ready = True

    def _traffic(self, kept: Kept, percent: int | None, known: dict[str, Any]) -> list[Any]:
        ready = kept.latest_ready
        if ready is None:
            return []
        host, rolled_out = self._host(kept, "-predictor"), known.get("latestRolledoutRevision")
        newest = {"revisionName": ready.name, "latestRevision": True, "tag": "latest",
                  "url": f"http://latest-{host}"}  # fmt: skip
        if percent is None or not rolled_out:
            return [newest | {"percent": 100}]
        if percent == 100:
            return [newest | {"percent": 100}]
        other = {"revisionName": rolled_out, "latestRevision": False, "tag": "prev",
                 "url": f"http://prev-{host}", "percent": 100 - percent}  # fmt: skip
        return [newest | {"percent": percent}, other]

    def _host(self, kept: Kept, suffix: str = "") -> str:
        metadata = kept.body["metadata"]
        return f"{metadata['name']}{suffix}.{metadata['namespace']}.example.test"

    # The gateway

    def infer(self, host: str, name: str, request: Any) -> Any:
        """Answer an inference request with the model that the traffic chooses."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                raise Refused(404, None, "no route")
            predictor = kept.body.get("status", {})["components"]["predictor"]
            targets = predictor.get("traffic", [])
            if host == self._host(kept):
                weights = [one["percent"] for one in targets]
                chosen = self._random.choices(targets, weights)[0]
            else:
                chosen = next((one for one in targets if one["url"] == f"http://{host}"), None)
            if chosen is None:
                raise Refused(404, None, f"no route for {host}")
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


def _answering(folder: str, settings: dict[str, Any], name: str) -> Callable[[Any], Any]:
    """A container that serves the package in ``folder``."""
    package = ModelPackage("sklearn-skops", folder, settings["STACKYARD_DIGEST"])
    model = load_model(package)
    facts = json.loads((Path(folder) / SIGNATURE).read_text())["inputs"]
    fields = tuple(Field(f["name"], f["datatype"], tuple(f["shape"])) for f in facts)
    signature, version = Signature(fields), settings["STACKYARD_VERSION"]
    return lambda request: answer(
        model, signature, request, name=name, version=version, id=str(uuid.uuid4())
    )


def _propagate(predictor: dict[str, Any], kept: Kept, traffic: list[dict[str, Any]]) -> None:
    """What KServe takes from Knative's status into its own: ``PropagateStatus``."""
    ready = kept.latest_ready
    predictor["latestCreatedRevision"] = kept.revisions[-1].name
    if ready is None:
        return
    predictor["latestReadyRevision"] = ready.name
    whole: dict[str, int] = {}
    for one in traffic:
        whole[one["revisionName"]] = whole.get(one["revisionName"], 0) + one["percent"]
    newest = traffic[0]
    if predictor.get("latestRolledoutRevision") != ready.name:
        if newest["percent"] == 100:
            predictor["previousRolledoutRevision"] = predictor.get("latestRolledoutRevision", "")
            predictor["latestRolledoutRevision"] = ready.name
    elif ready is kept.revisions[-1] and newest["percent"] < 100 and whole[ready.name] == 100:
        predictor["latestRolledoutRevision"] = (
            predictor["previousRolledoutRevision"] or predictor["latestRolledoutRevision"]
        )
    predictor["traffic"] = traffic


def _told(kept: Kept, traffic: list[Any], url: str) -> dict[str, Any]:
    """Conditions, model status and address."""
    newest = kept.revisions[-1]
    reason, message = newest.failure
    state = "True" if newest.ready else "False" if reason else "Unknown"
    configuration = {"type": "PredictorConfigurationReady", "status": state}
    if reason:
        configuration |= {"reason": reason, "message": message}
    elif not newest.ready:
        configuration |= {"reason": "Deploying", "message": "the pod is starting"}
    routed = {"status": "True" if traffic else "Unknown"}
    told: dict[str, Any] = {
        "conditions": [
            configuration,
            configuration | {"type": "PredictorReady"},
            {"type": "PredictorRouteReady", **routed},
            {"type": "IngressReady", **routed},
        ]
    }
    told["modelStatus"] = {"transitionStatus": "UpToDate" if newest.ready else "InProgress"}
    if reason == "ModelLoadFailed":
        told["modelStatus"] = {
            "transitionStatus": "BlockedByFailedLoad",
            "lastFailureInfo": {
                "reason": reason, "message": message, "modelRevisionName": newest.name,
            },
        }  # fmt: skip
    return told | ({"url": url} if traffic else {})
