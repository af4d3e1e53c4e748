"""An endpoint's processes: what is started, and where it listens."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from stackyard.components.base import Command, Service
from stackyard.errors import UsageError
from stackyard.loopback import HOST, check_free
from stackyard_bentoml.state import State

FOLDER = "STACKYARD_BENTOML_ENDPOINT"  # the endpoint's folder, in the processes' environment
# A model is asked by one thread; more would only fight for the processors.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def service_name(component: str, endpoint: str) -> str:
    """What the processes of an endpoint are called; no other endpoint's are called so.

    No endpoint has a ``_`` in its name. More than 64 letters are too many for a service.
    """
    full = f"{component.replace('.', '-')}_{endpoint}"
    if len(full) <= 64:
        return full
    return f"{full[:51]}_{hashlib.sha256(full.encode()).hexdigest()[:12]}"


def described(name: str, folder: Path, state: State, home: Path, ready_within: float) -> Service:
    """What is started for an endpoint.

    Args:
        name: Of the service on this machine.
        folder: The endpoint's.
        state: What it serves.
        home: BentoML's store.
        ready_within: Seconds that it may take to answer.
    """
    env = {
        **THREADS,
        FOLDER: str(folder),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",  # no usage statistics
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "prometheus"),
    }
    argv = [
        sys.executable, "-m", "bentoml", "serve", "stackyard_bentoml.gateway:Gateway",
        "--host", HOST, "--port", str(state.port), "--working-dir", str(folder),
    ]  # fmt: skip
    command = Command("bentoml", argv, env, f"{state.url}/v2/health/live", state.port)
    return Service(name, [command], state.url, ready_within=ready_within)


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of loopback."""
    try:
        check_free(port, "")
    except UsageError:
        return False
    return True
