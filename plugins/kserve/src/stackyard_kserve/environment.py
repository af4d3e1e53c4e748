"""The environment of KServe's model server for one model: the SDK, and what the model needs."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from stackyard import environments
from stackyard.errors import InvalidInput

# KServe leaves its dependencies open, so that a newer one can break it. These are the days up to
# which a version was tried with all there was.
TRIED = {"0.21.0": "2026-11-20"}
# They reach the installer's command line.
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?==[A-Za-z0-9.!+_-]+")


def folder(parent: Path, version: str, requirements: Sequence[str]) -> Path:
    """The folder of the environment, whether it exists or not."""
    key = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    return parent / f"kserve-{version}-py{sys.version_info[0]}.{sys.version_info[1]}-{key}"


def ensure(parent: Path, version: str, requirements: Sequence[str]) -> Path:
    """Install what serves a model unless that has been done; return the interpreter.

    Args:
        parent: Folder of all environments.
        version: Version of KServe.
        requirements: Further packages, pinned.

    Raises:
        InvalidInput: a requirement is not a name and a version.
        Unavailable: it cannot be installed, as where the model needs other versions than KServe
            does; the message has the installer's last lines.
    """
    for one in requirements:
        if _PINNED.fullmatch(one) is None:
            raise InvalidInput(f"requirement {one!r}: write name and version, as in skops==0.16")
    made = folder(parent, version, requirements)
    # blake3 is all that reading a package takes of Stackyard's own dependencies.
    packages = [f"kserve=={version}", "blake3>=1.0", *requirements]
    environments.ensure(made, packages, what=f"KServe {version}", until=TRIED.get(version, ""))
    return environments.interpreter(made)


def importable(parent: Path) -> Path:
    """A folder with Stackyard and this plugin and nothing else of their environment."""
    import stackyard
    import stackyard_kserve

    found = [Path(str(package.__file__)).parent for package in (stackyard, stackyard_kserve)]
    key = hashlib.sha256("\n".join(map(str, found)).encode()).hexdigest()[:12]
    made = parent / f"python-{key}"
    made.mkdir(parents=True, exist_ok=True)
    for source in found:
        with contextlib.suppress(FileExistsError):
            (made / source.name).symlink_to(source, target_is_directory=True)
    return made
