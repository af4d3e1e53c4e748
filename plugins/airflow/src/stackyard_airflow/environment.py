"""Where the local Airflow is installed: this interpreter's environment, or one of its own."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from stackyard import environments

OLDEST = (3, 1)
# Airflow leaves its dependencies open, so that a newer one can break it: 3.2.2 starts with FastAPI
# 0.139 and not with 0.165. These are the days up to which a version was tried with all there was.
TRIED = {"3.3.2": "2026-11-20"}


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


def ensure(environment: Path, version: str, packages: tuple[str, ...]) -> None:
    """Install Airflow into ``environment`` unless that has been done.

    Raises:
        Unavailable: it cannot be installed; the message has the installer's last lines.
    """
    wanted = [f"apache-airflow=={version}", *packages]
    environments.ensure(environment, wanted, what="Airflow", until=TRIED.get(version, ""))
