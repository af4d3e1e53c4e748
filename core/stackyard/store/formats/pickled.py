"""The last resort: cloudpickle, with the versions of the libraries that a value comes from.

Equal values need not give equal bytes here, and reading runs code that the file names; a stack may
refuse it with ``pickle: forbid``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError, Unstorable
from stackyard.store.formats.base import Format, Sink, dotted_name, header, need

_HEADER = header("pickle/1")[:-1]


class PickleFormat(Format):
    """Any value that cloudpickle takes."""

    name: ClassVar[str] = "pickle"
    runs_code: ClassVar[bool] = True

    def write(self, value: Any, sink: Sink) -> None:
        """Write one line of library versions, then the pickle."""
        import io
        import pickle

        body = io.BytesIO()
        pickler = _pickler(body)
        try:
            pickler.dump(value)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as exc:
            raise Unstorable(
                f"cannot store a value of type {dotted_name(type(value))}: {exc}. Return data "
                "rather than what holds a connection, a file or a lock"
            ) from exc
        sink.write(header("pickle/1", {"versions": _versions(pickler.packages)}))
        sink.write(body.getbuffer())

    def read(self, path: Path) -> Any:
        """Read the value back; what fails names the versions that it was written with."""
        import pickle

        with path.open("rb") as file:
            line = file.readline()
            if not line.startswith(_HEADER):
                raise StoreError(f"{path.name[:12]} is not of format pickle/1")
            try:
                return pickle.load(file)
            except Exception as exc:  # what an unpickled object's own code raises is not ours
                then = json.loads(line[len(_HEADER) :])["versions"]
                raise StoreError(
                    f"cannot read pickled artifact {path.name[:12]} ({type(exc).__name__}: {exc})."
                    f"{_difference(then)} Run the step that made it again with --no-cache"
                ) from exc


def _pickler(file: Any) -> Any:
    base = need("cloudpickle", "pickle").Pickler

    class Recording(base):  # type: ignore[misc, valid-type]
        """Notes the packages whose objects it meets."""

        def __init__(self, file: Any) -> None:
            super().__init__(file, protocol=5)
            self.packages: set[str] = set()

        def reducer_override(self, obj: Any) -> Any:
            named = obj if isinstance(getattr(obj, "__module__", None), str) else type(obj)
            self.packages.add(named.__module__.partition(".")[0])
            return super().reducer_override(obj)

    return Recording(file)


def _versions(packages: set[str]) -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in sorted({*packages, "cloudpickle"}):
        version = getattr(sys.modules.get(package), "__version__", None)
        if isinstance(version, str):
            found[package] = version
    return found


def _difference(then: dict[str, str]) -> str:
    now = _versions(set(then))
    changed = [f"{n} {v}, here {now.get(n, 'none')}" for n, v in then.items() if now.get(n) != v]
    return f" It was written with {'; '.join(changed)}." if changed else ""
