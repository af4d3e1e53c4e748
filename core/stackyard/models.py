"""Models as packages: a folder that registries, servers and monitors understand.

    model.skops         the model, as the store writes it
    signature.json      what it takes and gives
    requirements.txt    what it needs, pinned
    package.json        its format, its class, and every class that reading it uses

``digest`` is that of the folder in the store: BLAKE3 over its manifest.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import DigestMismatch, InvalidInput, NotFound
from stackyard.graph import canonical_json
from stackyard.model_signature import infer_signature
from stackyard.store.formats.base import Unsuited

if TYPE_CHECKING:
    from stackyard.store.formats.base import Buffer, Format, Parts

SKLEARN = "sklearn-skops"
MODEL, SIGNATURE, REQUIREMENTS, PACKAGE = (
    "model.skops",
    "signature.json",
    "requirements.txt",
    "package.json",
)

# Where a top-level module's distribution has another name; others are looked up.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def package_model(
    model: Any,
    *,
    example: Any = None,
    requirements: Sequence[str] | None = None,
    folder: str | Path | None = None,
    keep: Callable[[Path], str] | None = None,
) -> ModelPackage:
    """Write a scikit-learn model as a package that a registry takes.

    Args:
        model: A fitted estimator or pipeline.
        example: Some rows of input, a frame or a two-dimensional array: the signature is taken
            from it and from what the model predicts for it. Without it there is no signature.
        requirements: Pinned requirements; by default the installed versions of what the model's
            classes come from.
        folder: Where to write the package: a new or empty folder. By default it is kept in the
            run's store when a step calls this, else in a new temporary folder.
        keep: Takes the folder into a store and returns its digest; by default the running step's.

    Raises:
        InvalidInput: the model holds what cannot be stored safely, or ``folder`` is not empty.
    """
    if folder is not None:
        target = Path(folder)
        if target.exists() and any(target.iterdir()):
            raise InvalidInput(f"package_model: folder {target} is not empty")
        return _write(model, example, requirements, target, f"{target.resolve()}")
    keep = keep or _keep_of_step()
    if keep is None:
        target = Path(tempfile.mkdtemp(prefix="stackyard-model-"))
        return _write(model, example, requirements, target, str(target))
    with tempfile.TemporaryDirectory(prefix="stackyard-model-") as scratch:
        package = _write(model, example, requirements, Path(scratch), "")
        kept = keep(Path(scratch))
    return ModelPackage(
        package.format, f"artifact:{kept}", package.digest, package.signature, package.requirements
    )


def load_model(package: ModelPackage, *, fetch: Callable[[str], Path] | None = None) -> Any:
    """Read the model of a package; nothing is deserialised before the digest was verified.

    Raises:
        DigestMismatch: the folder is not what the digest says.
        InvalidInput: the format is not ``sklearn-skops``, or only a registry can fetch the package.
    """
    if package.format != SKLEARN:
        raise InvalidInput(f"load_model: format {package.format!r} is not known. Known: {SKLEARN}")
    folder = verified_folder(package, fetch=fetch)
    return _format().read(folder / MODEL)


def verified_folder(package: ModelPackage, *, fetch: Callable[[str], Path] | None = None) -> Path:
    """Return the local folder of a package after checking it against the digest.

    Args:
        fetch: Gives the local path of an artifact; by default the running step's store.

    Raises:
        DigestMismatch: the folder is not what the digest says.
        InvalidInput: the package is elsewhere.
        NotFound: the folder is gone.
    """
    folder = _folder(package.uri, fetch)
    if not folder.is_dir():
        raise NotFound(f"model package {package.uri}: there is no such folder")
    found = folder_digest(folder)
    if found != package.digest:
        raise DigestMismatch(
            f"model package {package.uri}: its digest is {found[:12]}, not {package.digest[:12]}; "
            "nothing was read"
        )
    return folder


def read_signature(folder: Path) -> Signature | None:
    """The signature in the folder of a ``sklearn-skops`` package, None where it has none."""
    try:
        return signature_from(json.loads((folder / SIGNATURE).read_bytes()))
    except FileNotFoundError:
        return None


def signature_from(facts: Mapping[str, Any]) -> Signature:
    """A signature from what ``asdict`` made of it, and JSON of that."""
    inputs, outputs = (
        tuple(Field(f["name"], f["datatype"], tuple(f["shape"])) for f in facts[part])
        for part in ("inputs", "outputs")
    )
    return Signature(inputs, outputs)


def folder_digest(folder: Path) -> str:
    """The digest that a folder has in the store, computed without storing it."""
    import blake3

    from stackyard.store.formats.folder import describe

    return blake3.blake3(describe(folder, cast("Parts", _Hashing()))).hexdigest()


class _Hashing:
    """As much of a store as ``describe`` needs, keeping nothing."""

    def keep_file(self, path: Path) -> str:
        """The digest of a file's bytes."""
        import blake3

        return blake3.blake3().update_mmap(path).hexdigest()


def _folder(uri: str, fetch: Callable[[str], Path] | None) -> Path:
    scheme, _, rest = uri.partition(":")
    if scheme == "artifact":
        fetch = fetch or _fetch_of_step()
        if fetch is None:
            raise InvalidInput(
                f"model package {uri} is in a run's store, which only a step of a run can read"
            )
        return fetch(rest)
    if scheme == "file":
        return Path(unquote(urlsplit(uri).path))
    if "://" in uri or scheme == "models":
        raise InvalidInput(
            f"model package {uri} is not on this machine: use registry.fetch(version)"
        )
    return Path(uri)


def _keep_of_step() -> Callable[[Path], str] | None:
    from stackyard.execute import current

    step = current()
    return None if step is None else step.keep


def _fetch_of_step() -> Callable[[str], Path] | None:
    from stackyard.execute import current

    step = current()
    return None if step is None else step.fetch


def _write(
    model: Any, example: Any, requirements: Sequence[str] | None, folder: Path, uri: str
) -> ModelPackage:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / MODEL
    with file.open("wb") as stream:
        try:
            _format().write(model, _FileSink(stream))
        except Unsuited as exc:
            raise InvalidInput(f"package_model: {exc}") from exc
    classes = model_classes(file)
    pinned = tuple(sorted(requirements or _requirements(classes, model, example)))
    signature = None if example is None else infer_signature(model, example)
    if signature is not None:
        (folder / SIGNATURE).write_bytes(canonical_json(asdict(signature)) + b"\n")
    (folder / REQUIREMENTS).write_text("".join(f"{r}\n" for r in pinned), encoding="utf-8")
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    facts = {"format": SKLEARN, "class": kind, "classes": classes}
    (folder / PACKAGE).write_bytes(canonical_json(facts) + b"\n")
    return ModelPackage(SKLEARN, uri, folder_digest(folder), signature, pinned)


class _FileSink:
    """A format's sink that is a file."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: Buffer) -> None:
        """Append the bytes of a buffer."""
        self._stream.write(memoryview(data).cast("B"))


def _format() -> Format:
    from stackyard.store.formats import FormatRegistry, builtin_formats

    return FormatRegistry(builtin_formats()).named("sklearn")


def model_classes(file: Path) -> tuple[str, ...]:
    """Dotted names of all classes and functions that reading a ``model.skops`` would use."""
    import zipfile

    with zipfile.ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__module__" in node and "__class__" in node:
                found.add(f"{node['__module__']}.{node['__class__']}")
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return tuple(sorted(found))


def trusted_types(file: Path) -> tuple[str, ...]:
    """What skops must be told to trust to read a ``model.skops``.

    Raises:
        InvalidInput: the file names a type that is not on the reviewed list of the store.
    """
    import skops.io

    from stackyard.store.formats.trusted import TRUSTED

    asked = set(skops.io.get_untrusted_types(file=file))
    if foreign := sorted(asked - TRUSTED):
        raise InvalidInput(f"the model holds {', '.join(foreign)}, which reading does not trust")
    return tuple(sorted(asked))


def _requirements(classes: Sequence[str], model: Any, example: Any) -> tuple[str, ...]:
    """The installed version of every distribution that a class comes from, and of skops."""
    modules = {"numpy", "sklearn", "skops"} | {name.partition(".")[0] for name in classes}
    if hasattr(example, "columns") or hasattr(model, "feature_names_in_"):
        modules.add("pandas")
    named = {m: _DISTRIBUTIONS.get(m, m) for m in sorted(modules - sys.stdlib_module_names)}
    pinned = set()
    for module, name in named.items():
        try:
            pinned.add(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            pinned |= _looked_up(module)
    return tuple(sorted(pinned))


def _looked_up(module: str) -> set[str]:
    """The distributions of a module whose name differs; none for project code."""
    names = importlib.metadata.packages_distributions().get(module, [])
    return {f"{name}=={importlib.metadata.version(name)}" for name in names}
