"""The data versioner. Here versions are kept in a folder: put your tool's client in its place.

What a data versioner must keep is numbered in Stackyard's docs/reference/data-versioner.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stackyard import DataVersion, DataVersioner
from stackyard.components.data_versioner import (
    DataDiff,
    check_dataset_name,
    check_target,
    dataset_files,
    file_suffix,
)
from stackyard.errors import AlreadyExists, Conflict, NotFound
from stackyard.whole_folder import made_whole


@dataclass(frozen=True)
class AcmeDataVersionerConfig:
    """What a stack may say.

    Attributes:
        folder: Where the versions are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-data"


class AcmeDataVersioner(DataVersioner):
    """``files/<digest>`` is the content of a file, ``versions/<dataset>/<id>.json`` a version.

    Both appear whole, and a version last: so a killed process leaves nothing that is half, and
    several processes may commit at once.
    """

    config: AcmeDataVersionerConfig

    @property
    def capabilities(self) -> frozenset[str]:
        """Two of three: ``remote`` would be ``push`` and ``pull``."""
        return frozenset({"diff", "verify"})

    def commit(self, path: Path, name: str) -> DataVersion:
        """Keep the content of each file, then write down which files there are."""
        check_dataset_name(name)
        path = self.context.project / path
        before = _stamps(path)
        try:
            kept = {part: self._keep(path / part) for part in before}
        except FileNotFoundError as exc:
            raise Conflict(f"{path}: {exc.filename} went while it was committed") from exc
        if _stamps(path) != before:
            raise Conflict(f"{path} was changed while it was committed. Commit it again")
        parts = {part: digest for part, (digest, _) in sorted(kept.items())}
        version = DataVersion(
            name,
            id=hashlib.sha256(json.dumps(parts).encode()).hexdigest(),
            size=sum(size for _, size in kept.values()),
            files=len(parts),
            committed=time.time(),
            suffix=file_suffix(path),
        )
        note = self._home / "versions" / name / f"{version.id}.json"
        with (
            contextlib.suppress(AlreadyExists),  # then the first commit counts
            made_whole(note, overwrite=False) as made,
        ):
            text = json.dumps({"version": asdict(version), "parts": parts})
            made.write_text(text, encoding="utf-8")
        first, _ = self._find(name, version.id)
        self.note(first)
        return first

    def checkout(
        self, name: str, version: str, target: Path, *, overwrite: bool = False
    ) -> DataVersion:
        """Copy the files of a version, if all are sound."""
        known, parts = self._find(name, version)
        project = self.context.project
        place = check_target(project / target, project, overwrite=overwrite)
        wrong = self.verify(name, version)
        if wrong:
            raise NotFound(
                f"version {version} of {name!r}: damaged or gone here: {', '.join(wrong[:5])}. "
                "Commit the same content again"
            )
        with made_whole(place, overwrite=overwrite) as made:
            for part, digest in parts.items():
                (made / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._home / "files" / digest, made / part)
        self.note(known)
        return known

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions, newest first."""
        notes = (json.loads(path.read_text(encoding="utf-8")) for path in self._notes(name))
        versions = (DataVersion(**note["version"]) for note in notes)
        return sorted(versions, key=lambda version: version.committed, reverse=True)

    def diff(self, name: str, first: str, second: str) -> DataDiff:
        """Compare the digests of two versions' files."""
        (_, old), (_, new) = self._find(name, first), self._find(name, second)
        changed = (part for part in old.keys() & new.keys() if old[part] != new[part])
        return DataDiff(
            _paths(name, new.keys() - old.keys()),
            _paths(name, changed),
            _paths(name, old.keys() - new.keys()),
        )

    def verify(self, name: str, version: str) -> Sequence[str]:
        """Read every file of a version again."""
        _, parts = self._find(name, version)
        files = self._home / "files"
        return _paths(name, (p for p, digest in parts.items() if _digest(files / digest) != digest))

    @property
    def _home(self) -> Path:
        return self.context.project / self.config.folder

    def _notes(self, name: str | None) -> Iterable[Path]:
        dataset = "*" if name is None else check_dataset_name(name)
        return (self._home / "versions").glob(f"{dataset}/*.json")

    def _find(self, name: str, version: str) -> tuple[DataVersion, dict[str, str]]:
        for path in self._notes(name):
            if path.stem == version:
                note = json.loads(path.read_text(encoding="utf-8"))
                return DataVersion(**note["version"]), note["parts"]
        have = ", ".join(known.id for known in self.list(name)) or "none"
        raise NotFound(f"there is no version {version!r} of {name!r}. Versions: {have}")

    def _keep(self, source: Path) -> tuple[str, int]:
        """Copy a file to where its content is kept; return digest and size of the copy."""
        folder = self._home / "files"
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f".{uuid.uuid4().hex}"
        try:
            shutil.copyfile(source, copy)
            digest, size = _digest(copy), copy.stat().st_size
            os.replace(copy, folder / digest)
        finally:
            copy.unlink(missing_ok=True)
        return digest, size


def _stamps(path: Path) -> dict[str, tuple[int, int]]:
    files = dataset_files(path)  # refuses what cannot be kept
    return {part: (facts.st_size, facts.st_mtime_ns) for part, facts in files.items()}


def _digest(path: Path) -> str:
    """SHA-256 of a file's content; nothing where it is gone."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _paths(name: str, parts: Iterable[str]) -> tuple[str, ...]:
    """As they are told: a single file goes by the dataset's name."""
    return tuple(sorted(part or name for part in parts))
