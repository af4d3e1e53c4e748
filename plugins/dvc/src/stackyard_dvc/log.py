"""The versions that are known here: one small file each, which never changes.

Each is a ``.dvc`` file, so that DVC itself understands the folder too: ``dvc push`` brings all of
them to a remote and ``dvc gc --workspace`` keeps what they name. Nothing of DVC is imported here.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from stackyard.components.data_versioner import SUFFIX, DataVersion, check_dataset_name
from stackyard.errors import ComponentError, NotFound, suggest
from stackyard.whole_file import write_whole

ID = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Log:
    """The versions in a folder, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self, name: str | None = None) -> list[DataVersion]:
        """Versions of one dataset or of all, newest first."""
        names = _names(self._folder) if name is None else [check_dataset_name(name)]
        found = [
            self._read(path) for one in names for path in (self._folder / one).glob("[0-9a-f]*.dvc")
        ]
        return sorted(found, key=lambda v: (v.committed, v.name, v.id), reverse=True)

    def get(self, name: str, version: str) -> DataVersion:
        """Return one version.

        Raises:
            NotFound: it is not known here; names those that are.
        """
        path = self._path(check_dataset_name(name), version)
        if ID.fullmatch(version) is None or not path.is_file():
            have = [v.id for v in self.list(name)]
            shown = ", ".join(have[:10]) + (f" and {len(have) - 10} more" if have[10:] else "")
            if not have:
                known = _names(self._folder)
                raise NotFound(
                    f"there is no version {version!r} of {name!r} here, nor any other. Datasets: "
                    f"{', '.join(known) or 'none'}.{suggest(name, known)}"
                )
            raise NotFound(f"there is no version {version!r} of {name!r} here. Versions: {shown}")
        return self._read(path)

    def put(self, version: DataVersion) -> DataVersion:
        """Write a version down unless it is there; return what is there then."""
        path = self._path(version.name, version.id)
        with contextlib.suppress(FileNotFoundError):
            return self._read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        write_whole(made, to_text(version))
        try:
            os.link(made, path)
        except FileExistsError:  # somebody was faster: theirs is the first
            return self._read(path)
        except OSError:  # a file system without links
            os.replace(made, path)
            return version
        finally:
            made.unlink(missing_ok=True)
        return version

    def _path(self, name: str, version: str) -> Path:
        return self._folder / name / f"{version}.dvc"

    def _read(self, path: Path) -> DataVersion:
        version = from_text(path.read_text(encoding="utf-8"), path.parent.name)
        if version is None or version.id != path.stem:
            raise ComponentError(
                f"{path} is not what was written there. Remove it, and commit or pull again"
            )
        return version


def to_text(version: DataVersion) -> str:
    """A version as a ``.dvc`` file."""
    files = f"  nfiles: {version.files}\n" if version.id.endswith(".dir") else ""
    suffix = f"  suffix: {version.suffix}\n" if version.suffix else ""
    return (
        f"outs:\n- md5: {version.id}\n  size: {version.size}\n{files}  hash: md5\n"
        f"  path: {version.id}\nmeta:\n  dataset: {version.name}\n"
        f"  committed: {version.committed!r}\n{suffix}"
    )


def from_text(text: str, name: str) -> DataVersion | None:
    """The version of dataset ``name`` that a ``.dvc`` file of ours holds, None for another text."""
    facts = dict(re.findall(r"^[- ] (\w+): (\S+)$", text, re.MULTILINE))
    try:
        version = DataVersion(
            name,
            facts["md5"],
            int(facts["size"]),
            int(facts.get("nfiles", 1)),
            float(facts["committed"]),
            facts.get("suffix", ""),
        )
    except (KeyError, ValueError):
        return None
    # Both reach paths, and the text may be from a remote, which is other people's.
    plain = ID.fullmatch(version.id) and SUFFIX.fullmatch(version.suffix or ".none")
    return version if plain and to_text(version) == text else None


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
