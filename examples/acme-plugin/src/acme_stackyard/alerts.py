"""Alerts: a message to the webhook at ``ACME_ALERT_URL``, when a step or a run has failed.

What is raised here, Stackyard reports on standard error; the run goes on. So nothing is caught
only to be kept quiet.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping

from stackyard.components.orchestrator import StepEvent
from stackyard.components.tracker import RunFacts

VARIABLE = "ACME_ALERT_URL"
TIMEOUT = 3.0  # seconds that a run waits for an answer


def step_failed(run: RunFacts, event: StepEvent) -> None:
    """Tell that a step has failed for good."""
    _post({"event": "step_failed", **_of(run), "step": event.step, "attempt": event.attempt})


def run_ended(run: RunFacts) -> None:
    """Tell that a run has failed; of another one, nothing."""
    if run.status == "failed":
        failed = [step.name for step in run.steps if step.status == "failed"]
        _post({"event": "run_failed", **_of(run), "steps": failed})


def _of(run: RunFacts) -> dict[str, str]:
    """What names the run. Params, tags and errors may hold anything, so they stay at home."""
    return {"run": run.run_id, "pipeline": run.pipeline, "stack": run.stack}


def _post(message: Mapping[str, object]) -> None:
    """Send ``message``; without an address, nothing.

    Raises:
        RuntimeError: it did not arrive. The address is not named: it lets whoever has it post.
    """
    url = os.environ.get(VARIABLE)
    if not url:
        return
    if not url.startswith(("http://", "https://")):
        raise RuntimeError(f"{VARIABLE} is no address: write http://... or https://...")
    head = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, json.dumps(message).encode(), head, method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return
    except urllib.error.HTTPError as exc:
        exc.close()
        why = f"it answered {exc.code}"
    except (OSError, ValueError, http.client.HTTPException) as exc:  # silent, or no address
        why = type(getattr(exc, "reason", exc)).__name__
    raise RuntimeError(f"no alert was sent to {VARIABLE}: {why}")
