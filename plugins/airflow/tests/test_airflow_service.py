"""The local Airflow's descriptors and environment, without starting anything."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stackyard import environments
from stackyard.components.base import Context
from stackyard.errors import ConfigError, Unavailable, UsageError
from stackyard_airflow import environment
from stackyard_airflow.config import AirflowConfig
from stackyard_airflow.orchestrator import AirflowOrchestrator
from stackyard_airflow.service import LocalAirflow
from tests.ports import closed_port

FAKE_UV = """#!{python}
import os, pathlib, sys, time
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if "fail" in os.environ.get("FAKE_UV", ""):
    sys.exit("no such package")
if "dates" in os.environ.get("FAKE_UV", "") and "--exclude-newer" in sys.argv:
    sys.exit("no version of apache-airflow was published before")
if sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[-1]) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
time.sleep(0.2)
"""


def _orchestrator(root: Path, **config: object) -> AirflowOrchestrator:
    return AirflowOrchestrator(AirflowConfig(**config), Context(project=root, stack="dev"))  # type: ignore[arg-type]


def test_everything_listens_on_loopback_and_stays_in_its_folder(tmp_path: Path) -> None:
    (service,) = _orchestrator(tmp_path, port=18999).services()
    assert [c.name for c in service.commands] == ["api-server", "scheduler", "dag-processor"]
    server, scheduler, _ = service.commands
    assert list(server.argv)[-6:] == ["--host", "127.0.0.1", "--port", "18999", "--workers", "1"]
    assert "--skip-serve-logs" in scheduler.argv  # it would listen on all interfaces
    assert server.port == 18999
    home = str(tmp_path / ".stackyard" / "services" / "airflow")
    for command in service.commands:
        env = command.env
        assert env["AIRFLOW_HOME"] == home
        for name in ("DATABASE__SQL_ALCHEMY_CONN", "LOGGING__BASE_LOG_FOLDER"):
            assert home in env[f"AIRFLOW__{name}"]
        assert env["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
        assert env["STACKYARD_PYTHON"] == sys.executable
        assert env["STACKYARD_PROJECT"] == str(tmp_path)
    assert not list(tmp_path.iterdir())  # describing it does nothing


def test_the_description_is_equal_each_time_and_holds_no_secret(tmp_path: Path) -> None:
    orchestrator = _orchestrator(tmp_path)
    before = orchestrator.services()
    local = orchestrator._local()
    local.home.mkdir(parents=True)
    local.passwords.write_text(json.dumps({"admin": "pa55word"}))
    assert orchestrator.services() == before
    assert "pa55word" not in repr(before)
    assert not [k for c in before[0].commands for k in c.env if "SECRET" in k or "KEY" in k]


def test_an_existing_airflow_needs_no_service(tmp_path: Path) -> None:
    assert _orchestrator(tmp_path, url="https://airflow.example").services() == ()


def test_preparing_makes_secrets_for_the_owner_only_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalAirflow, "_migrate", lambda self, version: None)
    orchestrator = _orchestrator(tmp_path)
    (service,) = orchestrator.services()
    with pytest.raises(UsageError, match="stackyard stack up --stack dev"):
        orchestrator._local().password()
    orchestrator.prepare(service)
    local = orchestrator._local()
    first = local.password()
    assert len(first) >= 20
    for file in (local.passwords, local.home / "airflow.cfg"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(local.home.stat().st_mode) == 0o700
    text = (local.home / "airflow.cfg").read_text()
    orchestrator.prepare(service)
    assert local.password() == first
    assert (local.home / "airflow.cfg").read_text() == text
    assert local.dags == tmp_path / "dags" / "generated" / "dev"
    assert local.dags.is_dir()


def test_a_database_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalAirflow, "_python", lambda self: str(tmp_path / "python"))
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'the disk is full'\nexit 1\n")
    fake.chmod(0o755)
    orchestrator = _orchestrator(tmp_path / "project")
    with pytest.raises(Unavailable, match=r"db migrate failed:\n    the disk is full"):
        orchestrator._local().prepare()


def test_a_run_without_the_local_airflow_says_what_to_type(tmp_path: Path) -> None:
    from graphs import FLIGHTS

    from plugins.airflow.tests.conftest import RealAirflow

    with closed_port() as port:
        orchestrator = _orchestrator(tmp_path, port=port)
        nobody = RealAirflow(tmp_path, orchestrator, tmp_path / "x", tmp_path / "y")
        with pytest.raises(Unavailable, match="stackyard stack up --stack dev"):
            nobody.run(FLIGHTS)
        (finding,) = orchestrator.check()
    assert not finding.ok
    assert "stackyard stack up --stack dev" in finding.cure


def test_an_existing_airflow_without_a_login_says_what_to_write(tmp_path: Path) -> None:
    orchestrator = _orchestrator(tmp_path, url="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="needs 'token', or 'username' and 'password'"):
        orchestrator._login(orchestrator._client())


def test_an_old_or_missing_airflow_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    versions = {"apache-airflow": "2.11.2"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(environment.metadata, "version", version)
    assert environment.importable_version() is None
    versions["apache-airflow-core"] = "3.10.0"
    assert environment.importable_version() == "3.10.0"
    versions["apache-airflow-core"] = "3.0.6"
    assert environment.importable_version() is None
    versions.clear()
    assert environment.importable_version() is None


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for uv that only writes down what it was asked; returns that log."""
    log = tmp_path / "uv.log"
    program = tmp_path / "path" / "uv"
    program.parent.mkdir()
    program.write_text(FAKE_UV.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return log


def test_the_environment_is_made_once_by_several_at_once(tmp_path: Path, uv: Path) -> None:
    folder = environment.folder(tmp_path / "environments", "3.3.2")
    makers = [
        threading.Thread(target=environment.ensure, args=(folder, "3.3.2", ("x==1",)))
        for _ in range(3)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    lines = uv.read_text().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("venv ")
    assert lines[1].endswith(
        f"--exclude-newer {environment.TRIED['3.3.2']} apache-airflow==3.3.2 x==1"
    )
    environment.ensure(folder, "3.3.2", ("x==2",))  # other packages: made again
    assert len(uv.read_text().splitlines()) == 4


def test_an_interrupted_installation_is_made_again(
    tmp_path: Path, uv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = environment.folder(tmp_path / "environments", "3.3.2")
    monkeypatch.setenv("FAKE_UV", "fail")
    with pytest.raises(Unavailable, match=r"(?s)installing Airflow failed: .*no such package"):
        environment.ensure(folder, "3.3.2", ())
    asked = [line.partition("apache")[0] for line in uv.read_text().splitlines()[1:]]
    assert asked == []  # the environment itself could not be made
    monkeypatch.setenv("FAKE_UV", "dates")  # a registry that tells no dates
    (folder / "bin").mkdir(parents=True)
    (folder / "half").touch()
    environment.ensure(folder, "3.3.2", ())
    assert not (folder / "half").exists()
    assert (folder / environments.DONE).is_file()
    assert (
        uv.read_text().splitlines()[-1].endswith(f"{folder / 'bin/python'} apache-airflow==3.3.2")
    )


def test_loading_the_plugin_and_describing_its_services_imports_no_tool() -> None:
    code = (
        "import sys; from stackyard_airflow import plugin, config, orchestrator\n"
        "from stackyard.components.base import Context\n"
        "list(plugin.stackyard_flavors())\n"
        "orchestrator.AirflowOrchestrator(config.AirflowConfig(), Context()).services()\n"
        "heavy = {'airflow', 'httpx', 'jinja2', 'pandas', 'pydantic', 'yaml', 'msgspec'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.full
def test_a_run_on_an_airflow_in_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphs import FLIGHTS

    from plugins.airflow.tests.conftest import started

    monkeypatch.setattr(environment, "importable_version", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with started(tmp_path / "project") as airflow:
        folder = environment.folder(tmp_path / "cache/stackyard/environments", "3.3.2")
        assert (folder / environments.DONE).is_file()
        python = str(environments.interpreter(folder))
        missing = [python, "-c", "import stackyard"]  # Airflow needs none of our packages
        assert subprocess.run(missing, capture_output=True, cwd=tmp_path).returncode == 1
        assert airflow.run(FLIGHTS, {"period": "2013-01", "depth": 6}).outcome.status == "succeeded"
