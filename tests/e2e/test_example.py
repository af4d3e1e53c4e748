"""examples/acme-plugin as an outsider has it: installed, tested, and used in its project."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stackyard.environments import find_uv
from tests.docs.pages import ROOT, Reader, blocks
from tests.e2e.conftest import Place

EXAMPLE = ROOT / "examples" / "acme-plugin"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin is installed: what its wheel has, and no more."""
    uv = find_uv()
    assert uv is not None, "uv is not installed"
    made = tmp_path_factory.mktemp("site")
    command = ["pip", "install", "-q", "--python", sys.executable, "--target", str(made)]
    subprocess.run([uv, *command, "--no-deps", str(EXAMPLE)], check=True, timeout=120)
    return made


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example without its source."""
    left = shutil.ignore_patterns("src", ".*", "runs.db", "__pycache__")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "acme-plugin", ignore=left))


@pytest.fixture
def acme(example: Path) -> Place:
    """The example's project."""
    return Place(example / "project")


def rows(place: Place, query: str) -> list[tuple[Any, ...]]:
    """What the project's database answers."""
    with closing(sqlite3.connect(place.root / "runs.db")) as db:
        return list(db.execute(query))


def latest(place: Place, env: dict[str, str]) -> Any:
    """The record of the latest run."""
    return place.json("runs", "show", "latest", env=env)


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook, and what it was sent."""
    sent: list[dict[str, Any]] = []

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Post) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook/private", sent
        finally:
            server.shutdown()


def test_its_readme_is_followed(site: Path, example: Path) -> None:
    """Its own tests, the lists of plugins, a run and one that fails."""
    reader = Reader(example, {"PYTHONPATH": str(site)})
    assert reader.follow(blocks(EXAMPLE / "README.md"), slow=False) == 3
    stack = "stacks/local.yaml"
    said = (example / "project" / stack).read_text(encoding="utf-8")
    assert said == f"# project/{stack}\n{(EXAMPLE / 'project' / stack).read_text('utf-8')}"


def test_it_is_listed_with_what_it_offers(site: Path, acme: Place) -> None:
    env = {"PYTHONPATH": str(site), "COLUMNS": "200"}
    listed = acme.run("plugin", "list", env=env).stdout
    assert "tracker=acme; validator=acme; listens: after_run, on_failure" in listed
    told = acme.run("plugin", "show", "acme-stackyard", env=env).stdout
    assert ".stackyard/acme/runs.db  File of the database" in told


def test_a_run_is_in_the_database_and_its_record_has_the_validation(
    site: Path, acme: Place
) -> None:
    env = {"PYTHONPATH": str(site)}
    with webhook() as (url, sent):
        done = acme.json("run", "orders", "--param", "rows=300", env=env | {"ACME_ALERT_URL": url})
    assert sent == []
    assert rows(acme, "SELECT stackyard_run, pipeline, status FROM runs") == [
        (done["run_id"], "orders", "succeeded")
    ]
    assert dict(rows(acme, "SELECT key, value FROM params")) == {
        "rows": "300", "twice": "0", "countries": "3",
    }  # fmt: skip
    metrics = dict(rows(acme, "SELECT key, value FROM metrics"))
    assert set(metrics) == {"revenue.DE", "revenue.FR", "revenue.NL"}
    ((name, content),) = rows(acme, "SELECT path, content FROM files")
    assert name == "revenue.csv" and content.startswith(b"country,price\nDE,")
    tags = dict(rows(acme, "SELECT key, value FROM tags"))
    assert tags["validation.orders"] == "passed"
    (found,) = latest(acme, env)["evidence"]
    assert "6 of 7 expectations hold on 300 rows; not: between(price) (warning)" in str(found)
    before = {t: rows(acme, f"SELECT * FROM {t}") for t in ("params", "metrics", "tags", "files")}
    acme.run("publish", done["run_id"], env=env)
    assert {table: rows(acme, f"SELECT * FROM {table}") for table in before} == before


def test_a_run_that_fails_is_told_to_the_webhook(site: Path, acme: Place) -> None:
    with webhook() as (url, sent):
        env = {"PYTHONPATH": str(site), "ACME_ALERT_URL": url}
        done = acme.run("run", "orders", "--param", "twice=2", env=env, check=False)
    assert done.returncode == 1 and "warning: listener" not in done.stderr
    of_run = {"run": latest(acme, env)["run_id"], "pipeline": "orders", "stack": "local"}
    assert sent == [
        {"event": "step_failed", **of_run, "step": "validate", "attempt": 1},
        {"event": "run_failed", **of_run, "steps": ["validate"]},
    ]
    assert rows(acme, "SELECT status FROM runs") == [("failed",)]


def test_a_webhook_that_is_not_there_changes_nothing(site: Path, acme: Place) -> None:
    """Each alert is a warning, which does not name the address."""
    env = {"PYTHONPATH": str(site), "ACME_ALERT_URL": "http://127.0.0.1:1/private"}
    done = acme.run("run", "orders", "--param", "twice=2", env=env, check=False)
    assert done.returncode == 1
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: listener")]
    assert warnings == [
        f"warning: listener acme-stackyard failed in {hook}: RuntimeError: no alert was sent to "
        "ACME_ALERT_URL: ConnectionRefusedError"
        for hook in ("stackyard_on_failure", "stackyard_after_run")
    ]
    assert "private" not in done.stdout + done.stderr
    statuses = {step["name"]: step["status"] for step in latest(acme, env)["steps"]}
    assert statuses == {"load": "succeeded", "validate": "failed", "revenue": "skipped"}
    assert rows(acme, "SELECT status FROM runs") == [("failed",)]
