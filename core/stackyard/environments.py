"""Python environments for tools whose dependencies cannot be beside those of Stackyard."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stackyard.errors import Unavailable
from stackyard.locking import locked

DONE = "stackyard-complete"  # written last into a finished environment


def interpreter(environment: Path) -> Path:
    """The interpreter of an environment."""
    windows = sys.platform == "win32"
    return environment / ("Scripts/python.exe" if windows else "bin/python")


def ensure(environment: Path, packages: Sequence[str], *, what: str, until: str = "") -> None:
    """Install ``packages`` into ``environment`` unless that is done; only one process does it.

    An installation that was interrupted is made again from the start. It is made by ``uv`` if there
    is one, else by ``venv`` and ``pip``.

    Args:
        environment: The environment's folder.
        packages: Requirements as for pip. If they change, it is made again.
        what: What is installed, for the message of an error.
        until: The last day of releases to consider, ``2026-11-20``, where the installer can.

    Raises:
        Unavailable: it cannot be installed; the message has the installer's last lines.
    """
    done = environment / DONE
    with locked(environment.parent / f".{environment.name}.lock"):
        if done.is_file() and done.read_text().split("\n") == [*packages]:
            return
        if environment.exists():
            shutil.rmtree(environment)
        uv = find_uv()
        python = str(interpreter(environment))
        if uv is not None:
            _run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable,
                  str(environment)], what)  # fmt: skip
            install = [uv, "pip", "install", "--quiet", "--python", python]
            dated = ["--exclude-newer", until] if until else []
            _first([*install, *dated, *packages], [*install, *packages], what)
        else:
            _run([sys.executable, "-m", "venv", str(environment)], what)
            _run([python, "-m", "pip", "install", "--quiet", *packages], what)
        done.write_text("\n".join(packages))


def find_uv() -> str | None:
    """The program uv on the path, or beside this interpreter."""
    beside = Path(sys.executable).with_name("uv.exe" if sys.platform == "win32" else "uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def _first(command: list[str], other: list[str], what: str) -> None:
    """Run ``command``; if that fails, as where a registry tells no dates, run ``other``."""
    try:
        _run(command, what)
    except Unavailable:
        if command == other:
            raise
        _run(other, what)


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        lines = "\n    ".join(done.stdout.strip().splitlines()[-15:])
        raise Unavailable(f"installing {what} failed: {' '.join(command)}\n    {lines}")
