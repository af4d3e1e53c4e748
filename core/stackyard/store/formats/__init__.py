"""Formats: how values become files whose bytes depend on nothing but the value."""

from __future__ import annotations

from collections.abc import Iterator

from stackyard.flavors import ArtifactFormat
from stackyard.store.formats.base import (
    CompositeFormat,
    Format,
    FormatRegistry,
    Parts,
    Sink,
    Unsuited,
)

__all__ = [
    "CompositeFormat",
    "Format",
    "FormatRegistry",
    "Parts",
    "Sink",
    "Unsuited",
    "builtin_formats",
]

_HERE = "stackyard.store.formats"


def builtin_formats() -> Iterator[ArtifactFormat]:
    """Yield the formats that come with the core, as a plugin would."""
    yield ArtifactFormat("plain", ("builtins.object",), f"{_HERE}.plain:PlainFormat")
    paths = ("pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.Path")
    yield ArtifactFormat("folder", paths, f"{_HERE}.folder:FolderFormat")
    tables = (
        "pandas.DataFrame",
        "pandas.core.frame.DataFrame",
        "pandas.Series",
        "pandas.core.series.Series",
        "pandas.Index",
        "pandas.core.indexes.base.Index",
        "pyarrow.lib.Table",
    )
    yield ArtifactFormat("frame", tables, f"{_HERE}.frame:FrameFormat")
    yield ArtifactFormat("array", ("numpy.ndarray",), f"{_HERE}.array:ArrayFormat")
    yield ArtifactFormat(
        "sklearn", ("sklearn.base.BaseEstimator",), f"{_HERE}.sklearn:SklearnFormat"
    )
    yield ArtifactFormat("parts", ("builtins.object",), f"{_HERE}.parts:PartsFormat", -10)
    yield ArtifactFormat("pickle", ("builtins.object",), f"{_HERE}.pickled:PickleFormat", -100)
