"""What ``stackyard artifact get`` writes: a file's ending says in which form it is wanted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from stackyard.errors import UsageError

if TYPE_CHECKING:
    from stackyard.cli.artifact import Found
    from stackyard.store.store import Store

Write: TypeAlias = Callable[[Any, Path], None]  # a value, to a file that is not there yet
Forms: TypeAlias = Mapping[str, Write | None]  # by ending, the own one first; None: as stored
AS_STORED = ".bin"  # an ending that promises nothing


def forms(store: Store, found: Found) -> Forms:
    """The endings that an artifact can be written with; none for what may have any name."""
    ref = found.ref
    if ref is None:
        return {}
    if ref.format == "folder":
        source = store.artifacts.fetch(found.digest)
        return {source.suffix: None} if source.is_file() and source.suffix else {}
    if ref.format == "plain":
        return {".json": _json, AS_STORED: None}
    own = store.artifacts.formats.named(ref.format).suffix
    converted = _TABLES.get(ref.type.rpartition(".")[2], {}) if ref.format == "frame" else {}
    return {own: None, **converted, AS_STORED: None}


def named(path: Path, how: Forms, reference: str, found: Found) -> Path:
    """The file to write; a name without an ending is given the artifact's own.

    In a folder that there is, the file is called after the artifact.

    Raises:
        UsageError: the ending is of another kind of file; says which fit.
    """
    if path.is_dir():
        called = found.step if found.output == "result" else f"{found.step}.{found.output}"
        return path / f"{called if found.step else found.digest[:16]}{next(iter(how), '')}"
    suffix = path.suffix.lower()
    if not how or suffix in how:
        return path
    own = next(iter(how))
    if not suffix:
        return path.with_name(f"{path.name}{own}")
    kind = found.ref.type if found.ref else "file"
    raise UsageError(
        f"artifact {reference!r} is a {kind}, which cannot be written as {path.suffix}. "
        f"Endings: {', '.join(how)}. Type: stackyard artifact get {reference} "
        f"{path.with_suffix(own)}"
    )


def write(store: Store, found: Found, target: Path, how: Forms) -> str:
    """Write the file or folder; say in which form."""
    convert = how.get(target.suffix.lower())
    if convert is not None and found.ref is not None:
        convert(store.artifacts.load(found.ref), target)
        suffix = target.suffix[1:].lower()
        return "JSON" if suffix == "json" else suffix
    source = store.artifacts.fetch(found.digest)
    if source.is_dir():
        if target.suffix.lower() in (".csv", ".parquet", ".json"):
            raise UsageError(f"this artifact is a folder; {target} reads as a file. Name a folder")
        shutil.copytree(source, target)
        for path in [target, *target.rglob("*")]:  # the store's own copy is read-only
            path.chmod(path.stat().st_mode | 0o200)
        return "folder"
    shutil.copyfile(source, target)
    return f"the stored file (format {found.ref.format})" if found.ref else "the stored file"


def _json(value: Any, target: Path) -> None:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    with target.open("x", encoding="utf-8") as file:
        file.write(text)


def _pandas_csv(value: Any, target: Path) -> None:
    value.to_csv(target, index=not _row_numbers(value.index))


def _pandas_parquet(value: Any, target: Path) -> None:
    value.to_parquet(target)


def _arrow_csv(value: Any, target: Path) -> None:
    from pyarrow import csv

    csv.write_csv(value, target)


def _arrow_parquet(value: Any, target: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(value, target)


def _row_numbers(index: Any) -> bool:
    """Whether an index is pandas' default, which is no data."""
    return index.name is None and getattr(index, "start", None) == 0 and index.step == 1


_TABLES: Mapping[str, Mapping[str, Write]] = {
    "DataFrame": {".csv": _pandas_csv, ".parquet": _pandas_parquet},
    "Series": {".csv": _pandas_csv},
    "Table": {".csv": _arrow_csv, ".parquet": _arrow_parquet},
}
