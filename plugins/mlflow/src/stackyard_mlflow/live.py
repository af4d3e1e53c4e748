"""Metrics and tags sent to an MLflow server while a step runs, without importing MLflow.

Best effort: what is logged stands in the step's journal, and the projection at the end of the run
writes it again, with the same time stamps, which MLflow keeps once. Params are not sent: MLflow
never changes one, so that a failed attempt's would stay. The first failure ends the sending, for
a while also that of the steps that follow in the same process, lest each of them waits.

The REST calls are those of https://mlflow.org/docs/latest/rest-api.html.
"""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from stackyard.components.base import Context
from stackyard.components.tracker import Entry, LoggedMetric, LoggedTag
from stackyard.errors import InvalidInput
from stackyard_mlflow import runs
from stackyard_mlflow.address import without_password
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.entries import TAG_CHARACTERS, Batch, Request, clean, requests

INTERVAL = 1.0  # seconds between two sendings
PATIENCE = 5.0  # seconds that the server has for one answer
REST = 60.0  # seconds for which a server that failed is not asked again

_failed: dict[str, float] = {}  # address of a server -> when it failed


class LiveWriter:
    """Sends entries to the tracking run of the step's run, at most once a second."""

    def __init__(self, config: MlflowTrackerConfig, context: Context, uri: str) -> None:
        self._config = config
        self._context = context
        self._uri = uri
        address = urllib.parse.urlsplit(uri)
        self._place = address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()
        self._waiting: list[LoggedMetric | LoggedTag] = []
        self._sent = 0.0
        self._tracking_id: str | None = None
        rests = time.monotonic() - _failed.get(uri, -REST) < REST
        self._off = rests or not (context.run and (context.pipeline or config.experiment))

    def add(self, entry: Entry) -> None:
        """Queue a metric or a tag; send what waits if a second has passed."""
        if self._off or not isinstance(entry, LoggedMetric | LoggedTag):
            return
        self._waiting.append(entry)
        if time.monotonic() - self._sent >= INTERVAL:
            self._send()

    def close(self) -> None:
        """Send what waits."""
        if self._waiting and not self._off:
            self._send()

    def _send(self) -> None:
        batch = Batch()
        for entry in self._waiting:
            if clean(entry.key) != entry.key:
                continue  # the projection finds another name for it
            if isinstance(entry, LoggedMetric):
                batch.metrics.append(entry)
            elif len(entry.value) <= TAG_CHARACTERS:
                batch.tags[entry.key] = entry.value
        self._waiting.clear()
        try:
            if self._tracking_id is None:
                self._tracking_id = self._open()
            for request in requests(batch):
                self._post("runs/log-batch", _body(self._tracking_id, request))
        except (OSError, ValueError, KeyError, http.client.HTTPException, InvalidInput) as exc:
            self._off = True
            _failed[self._uri] = time.monotonic()
            self._context.logger.warning(
                "%s: nothing more is sent to %s while this step runs (%s); it is kept and follows "
                "when the run ends", self._context.name, without_password(self._uri), exc,
            )  # fmt: skip
        self._sent = time.monotonic()

    def _open(self) -> str:
        """The id of the run's tracking run: claimed, found by its tag, or made and claimed."""
        context, claims = self._context, self._context.claims
        name = self._config.experiment or context.pipeline
        agreed = runs.claim_name(without_password(self._uri), name)
        for claim in (f"tracking.{context.name}", agreed):
            known = claims.get(claim) if claims else None
            if known is not None:
                return known
        winner = self._found_or_made(name, agreed)
        return claims.claim(f"tracking.{context.name}", winner) if claims else winner

    def _found_or_made(self, name: str, agreed: str) -> str:
        context, run, experiment = self._context, str(self._context.run), self._experiment(name)
        query = {"experiment_ids": [experiment], "filter": runs.by_tag(run), "max_results": 100}
        found = self._post("runs/search", query).get("runs", [])
        if found:
            infos = [r["info"] for r in found]
            return str(min((int(i["start_time"]), i["run_id"]) for i in infos)[1])
        tags = runs.basic_tags(
            run, pipeline=context.pipeline, stack=context.stack, actor=context.actor
        )
        made = self._post(
            "runs/create",
            {
                "experiment_id": experiment,
                "start_time": runs.milliseconds(runs.began(run)),
                "run_name": run,
                "tags": [{"key": k, "value": v} for k, v in tags.items()],
            },
        )
        mine = str(made["run"]["info"]["run_id"])
        winner = context.claims.claim(agreed, mine) if context.claims else mine
        if winner != mine:
            self._post("runs/delete", {"run_id": mine})
        return winner

    def _experiment(self, name: str) -> str:
        query = urllib.parse.urlencode({"experiment_name": name})
        try:
            found = self._ask("GET", f"experiments/get-by-name?{query}")
            return str(found["experiment"]["experiment_id"])
        except urllib.error.HTTPError as exc:
            if exc.code != 404:
                raise
        return str(self._post("experiments/create", {"name": name})["experiment_id"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", **self._authorization()}
        request = urllib.request.Request(
            f"{self._place}/api/2.0/mlflow/{path}", data=body, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            made: dict[str, Any] = json.loads(answer.read() or b"{}")
        return made

    def _authorization(self) -> dict[str, str]:
        """As MLflow does it: from the stack, the address or the environment; a name goes first."""
        config, address = self._config, urllib.parse.urlsplit(self._uri)
        given = config.token or config.username or config.password
        env: Mapping[str, str] = {} if given else os.environ
        user = config.username or env.get("MLFLOW_TRACKING_USERNAME")
        secret = (
            config.password.reveal() if config.password else env.get("MLFLOW_TRACKING_PASSWORD")
        )
        if address.password is not None:
            unquote = urllib.parse.unquote
            user, secret = unquote(address.username or ""), unquote(address.password)
        token = config.token.reveal() if config.token else env.get("MLFLOW_TRACKING_TOKEN")
        if user and secret:
            pair = base64.b64encode(f"{user}:{secret}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {"Authorization": f"Bearer {token}"} if token else {}


def _body(tracking_id: str, request: Request) -> dict[str, Any]:
    return {
        "run_id": tracking_id,
        "metrics": [
            {
                "key": m.key,
                "value": _number(m.value),
                "timestamp": runs.milliseconds(m.time),
                "step": m.step,
            }
            for m in request.metrics
        ],
        "tags": [{"key": k, "value": v} for k, v in request.tags],
    }


def _number(value: float) -> float | str:
    """JSON has no name for what is not finite; protocol buffers in JSON have these."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
