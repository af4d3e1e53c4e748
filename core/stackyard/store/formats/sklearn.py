"""scikit-learn models in the layout of skops (https://skops.readthedocs.io), in canonical form.

skops names what it writes after memory addresses and the time of day, and keeps sets in the order
of the hash seed. Here files are named by their content, equal parts are written once, sets are
sorted, and no version of skops is kept, so that equal models give equal bytes. Only an object that
has a state of its own, an estimator or a random state, stays shared where it was shared. What a
model notes about the machine or its use is reset: threads, addresses, counts of queries. Measured
times, as in ``GridSearchCV.cv_results_``, are part of a model and make it another one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from stackyard.errors import StoreError
from stackyard.store.formats.array import canonical_members
from stackyard.store.formats.base import Format, Sink, Unsuited, dotted_name, need
from stackyard.store.formats.trusted import TRUSTED

_MARK = "stackyard-sklearn-1"  # the first, empty, file of ours
_SHARED = ("ObjectNode", "RandomStateNode", "RandomGeneratorNode")
_QUERIES = range(7, 11)  # n_trims, n_leaves, n_splits, n_calls in a BinaryTree's state
_SETS = ("set", "frozenset")


class SklearnFormat(Format):
    """Estimators of scikit-learn itself, alone or composed of each other."""

    name: ClassVar[str] = "sklearn"
    suffix: ClassVar[str] = ".skops"

    def write(self, value: Any, sink: Sink) -> None:
        """Write the model, after making sure that it can be read back and stays the same.

        Raises:
            Unsuited: a class outside scikit-learn, or something in the model that is not on the
                reviewed list of types, as a function of the project's own.
        """
        if not type(value).__module__.startswith("sklearn."):
            raise Unsuited(f"{dotted_name(type(value))} is not one of scikit-learn's own classes")
        data = _dump(value)
        if foreign := sorted(_untrusted(data) - TRUSTED):
            raise Unsuited(
                f"the model holds {', '.join(foreign)}, not on the list of types that are trusted "
                "when a scikit-learn model is read"
            )
        try:
            again = _dump(_load(data))
        except Unsuited:
            raise
        except Exception as exc:  # skops and the model's own code raise what they like
            raise Unsuited(f"skops cannot read the model back ({exc})") from exc
        if again != data:
            raise Unsuited("the model changes when it is stored with skops")
        sink.write(data)

    def read(self, path: Path) -> Any:
        """Read the model back; a type that is not trusted is refused before anything is built."""
        refused = need("skops.io.exceptions", "sklearn").UntrustedTypesFoundException
        data = path.read_bytes()
        try:
            return _load(data)
        except refused as exc:
            raise StoreError(f"model {path.name[:12]}: {str(exc).splitlines()[0]}") from exc


def _dump(value: Any) -> bytes:
    try:
        import skops.io

        return _canonical(skops.io.dumps(value))
    except ImportError as exc:
        raise Unsuited("skops is not installed: uv pip install 'stackyard[sklearn]'") from exc
    except Exception as exc:  # skops raises a dozen types for what it cannot hold
        raise Unsuited(f"skops cannot hold the model ({exc})") from exc


def _load(data: bytes) -> Any:
    import skops.io

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if archive.namelist()[0] != _MARK:
            raise StoreError("this artifact is not of format sklearn/1")
        named = {
            f"{node['__module__']}.{node['__class__']}"
            for node in _nodes(json.loads(archive.read("schema.json")))
        }
    return skops.io.loads(data, trusted=sorted(named & TRUSTED))


def _untrusted(data: bytes) -> set[str]:
    import skops.io

    return set(skops.io.get_untrusted_types(data=data))


def _canonical(data: bytes) -> bytes:
    """The same archive, of the same meaning, that depends on nothing but the model."""
    import blake3

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        schema.pop("_skops_version")
        files: dict[str, bytes] = {}
        for node in _nodes(schema):
            if "file" in node:
                content = _content(archive.read(node["file"]), Path(node["file"]).suffix)
                name = blake3.blake3(content).hexdigest() + Path(node["file"]).suffix
                node["file"] = name
                files[name] = content
            _reset(node)
    _number(schema, _sort_sets(schema))
    members = {_MARK: b"", "schema.json": _json(schema).encode()}
    return _archive({**members, **dict(sorted(files.items()))})


def _reset(node: dict[str, Any]) -> None:
    """Undo what is no content: neither the data nor the parameters have a part in it."""
    state = node.get("content")
    members = state.get("content") if isinstance(state, dict) else None
    if isinstance(members, dict):
        if "n_threads" in members and node["__class__"] == "_BinMapper":
            members["n_threads"]["content"] = "1"
        if "_stop_words_id" in members:  # where the list lay in memory when it was checked last
            members["_stop_words_id"]["content"] = "0"
    if isinstance(members, list) and node["__class__"].startswith(("KDTree", "BallTree")):
        for number in _QUERIES:
            members[number]["content"] = "0"


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the schema, parents first."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
    elif isinstance(tree, dict):
        if "__loader__" in tree:
            yield tree
        for item in tree.values():
            yield from _nodes(item)


def _sort_sets(tree: Any) -> set[int]:
    """Order the members of sets; return the addresses that occur more than once."""
    seen: set[int] = set()
    shared: set[int] = set()
    for node in _nodes(tree):
        address = node["__id__"]
        if node["__loader__"] not in _SHARED:
            del node["__id__"]
        elif address in seen:
            shared.add(address)
        else:
            seen.add(address)
    for node in _nodes(tree):
        if node["__class__"] in _SETS and isinstance(node.get("content"), list | dict):
            members = node["content"]
            if isinstance(members, dict):  # frozenset, by its constructor's argument
                members = members["content"][0]["content"]
            members.sort(key=lambda member: _json(_without_addresses(member)))
    return shared


def _without_addresses(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_without_addresses(item) for item in tree]
    if isinstance(tree, dict):
        return {k: _without_addresses(v) for k, v in tree.items() if k != "__id__"}
    return tree


def _number(tree: Any, shared: set[int]) -> None:
    """Count the shared objects instead of telling where they lay in memory."""
    numbers: dict[int, int] = {}
    for node in _nodes(tree):
        address = node.pop("__id__", None)
        if address in shared:
            node["__id__"] = numbers.setdefault(address, len(numbers) + 1)


def _content(data: bytes, suffix: str) -> bytes:
    """A file of the archive without what is not its content."""
    if suffix == ".npy":
        return _npy(data)
    if suffix == ".npz":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _archive({n: _npy(archive.read(n)) for n in sorted(archive.namelist())})
    return data


def _npy(data: bytes) -> bytes:
    """An .npy file in which every NaN is the same and nothing lies between members."""
    import numpy as np

    values = np.load(io.BytesIO(data), allow_pickle=False)
    if values.dtype.kind not in "fcV" or not values.nbytes:
        return data
    order = "C" if values.flags.c_contiguous else "F"
    body: bytes = canonical_members(values.ravel(order)).tobytes()
    return data[: -len(body)] + body


def _archive(members: dict[str, bytes]) -> bytes:
    """A zip archive without times, owners or compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            archive.writestr(entry, content)
    return buffer.getvalue()


def _json(tree: Any) -> str:
    return json.dumps(tree, separators=(",", ":"))
