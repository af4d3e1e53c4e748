"""Where the local Airflow is installed: this interpreter's environment, or one of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from stackyard.errors import Unavailable

OLDEST = (3, 1)
# Airflow leaves its dependencies open, so that a newer one can break it: 3.2.2 starts with FastAPI
# 0.139 and not with 0.165. These are the days up to which a version was tried with all there was.
TRIED = {"3.3.2": "2026-11-20"}
DONE = "stackyard-complete"  # written last into a finished environment


def importable_version() -> str | None:
    """The version of Airflow beside this interpreter, None without one that can be used."""
    for name in ("apache-airflow-core", "apache-airflow"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        numbers = tuple(int(n) for n in version.split(".")[:2] if n.isdigit())
        return version if numbers >= OLDEST else None
    return None


def folder(parent: Path, version: str) -> Path:
    """The folder of the environment for ``version``, whether it exists or not."""
    return parent / f"airflow-{version}-py{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter(environment: Path) -> Path:
    """The interpreter of an environment."""
    windows = sys.platform == "win32"
    return environment / ("Scripts/python.exe" if windows else "bin/python")


def ensure(environment: Path, version: str, packages: tuple[str, ...]) -> None:
    """Install Airflow into ``environment`` unless that has been done; only one process does it.

    An installation that was interrupted is made again from the start.

    Raises:
        Unavailable: it cannot be installed; the message has the installer's last lines.
    """
    wanted = [f"apache-airflow=={version}", *packages]
    done = environment / DONE
    environment.parent.mkdir(parents=True, exist_ok=True)
    with (environment.parent / f".{environment.name}.lock").open("ab") as lock:
        _lock(lock.fileno())
        if done.is_file() and done.read_text().split("\n") == wanted:
            return
        if environment.exists():
            shutil.rmtree(environment)
        uv = find_uv()
        python = str(interpreter(environment))
        if uv is not None:
            _run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable,
                  str(environment)])  # fmt: skip
            install = [uv, "pip", "install", "--quiet", "--python", python]
            _first([*install, *_until(version), *wanted], [*install, *wanted])
        else:
            _run([sys.executable, "-m", "venv", str(environment)])
            _run([python, "-m", "pip", "install", "--quiet", *wanted])
        done.write_text("\n".join(wanted))


def find_uv() -> str | None:
    """The program uv on the path, or beside this interpreter."""
    beside = Path(sys.executable).with_name("uv.exe" if sys.platform == "win32" else "uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def _until(version: str) -> list[str]:
    return ["--exclude-newer", TRIED[version]] if version in TRIED else []


def _first(command: list[str], other: list[str]) -> None:
    """Run ``command``; if that fails, as where a registry tells no dates, run ``other``."""
    try:
        _run(command)
    except Unavailable:
        if command == other:
            raise
        _run(other)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        lines = "\n    ".join(done.stdout.strip().splitlines()[-15:])
        raise Unavailable(f"installing Airflow failed: {' '.join(command)}\n    {lines}")


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
