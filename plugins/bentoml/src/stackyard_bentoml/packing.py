"""From a model package to a bento, in a process of its own.

BentoML reads where its store is when it is imported, so no process of the user's imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

from stackyard.components.registry import ModelPackage
from stackyard.errors import Unavailable
from stackyard_bentoml.host import FACTS, PACKAGE

# What the bento's module is made of; a bento has to bring the class that it serves.
SERVICE = """\
from pathlib import Path

import bentoml

from stackyard_bentoml.model_app import make_app
from stackyard_bentoml.host import open_stored

app = make_app()


@bentoml.asgi_app(app)
@bentoml.service(name={name!r}, logging={{"access": {{"enabled": False}}}})
class Model:
    stored = bentoml.models.BentoModel({tag!r})

    def __init__(self):
        app.state.hosted = open_stored(Path(self.stored.path))
"""


@dataclass(frozen=True)
class Packed:
    """A bento, and the package as it lies in BentoML's model store."""

    bento: str
    package: ModelPackage


def environment(home: Path) -> dict[str, str]:
    """The environment of a process with BentoML in it."""
    ours = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    return {**os.environ, **ours}


def tag_of(name: str, version: str, digest: str) -> str:
    """BentoML's name of a version; it takes 63 letters, no capitals, for what is after the colon.

    ``RC`` and ``rc`` are two versions, also of one model; so the digest is of both.
    """
    exact = hashlib.sha256(f"{version} {digest}".encode()).hexdigest()
    return f"{name}:{version.lower()[:40]}-{exact[:20]}"


def pack(home: Path, package: ModelPackage, source: Path, name: str, version: str) -> Packed:
    """Make a bento of the package, unless there is one of this name, version and digest.

    Args:
        home: BentoML's store.
        package: The model.
        source: The package's folder, checked against its digest.
        name: The endpoint's name, which is the bento's.
        version: The model's version.

    Raises:
        Unavailable: BentoML cannot make it; the message has its last lines.
    """
    tag = tag_of(name, version, package.digest)
    facts = {"name": name, "version": version, "package": asdict(package)}
    order = {"tag": tag, "source": str(source), "facts": facts}
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "stackyard_bentoml.packing"], input=json.dumps(order),
        capture_output=True, text=True, env=environment(home),
    )  # fmt: skip
    if done.returncode != 0:
        lines = "\n    ".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Unavailable(f"endpoint {name!r}: BentoML made no bento of {version!r}:\n    {lines}")
    folder = home / "models" / name / tag.partition(":")[2] / PACKAGE
    return Packed(tag, replace(package, uri=str(folder)))


def main() -> None:
    """Make the bento that standard input orders."""
    import bentoml
    from bentoml.exceptions import NotFound

    order = json.load(sys.stdin)
    tag, facts = order["tag"], order["facts"]
    name, _, version = tag.partition(":")
    try:
        bentoml.models.get(tag)
    except NotFound:
        with bentoml.models.create(tag, labels={"version": facts["version"]}) as model:
            shutil.copytree(order["source"], model.path_of(PACKAGE))
            Path(model.path_of(FACTS)).write_text(json.dumps(facts), encoding="utf-8")
    try:
        bentoml.bentos.get(tag)
        return
    except NotFound:
        pass
    needs = [
        *facts["package"]["requirements"],
        f"stackyard-bentoml=={metadata.version('stackyard-bentoml')}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "service.py"
        module.write_text(SERVICE.format(name=name, tag=tag), encoding="utf-8")
        bentoml.build(
            "service:Model",
            name=name,
            version=version,
            build_ctx=folder,
            include=["service.py"],
            models=[tag],
            labels={"version": facts["version"]},
            # The requirements are pinned; locking them would ask a registry.
            python={"packages": needs, "lock_packages": False},
        )


if __name__ == "__main__":
    main()
