"""A Stackyard model package as an MLflow model: the same folder and what MLflow wants beside it.

The model file is not read and not written again: MLflow's ``sklearn`` flavor gets the package's own
``model.skops``, whose digest was verified, and of the types on the store's reviewed list those that
skops must be told to trust. So registering executes nothing of the model, and what MLflow holds is
bit for bit the package.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.errors import InvalidInput
from stackyard.model_signature import datatype
from stackyard.models import (
    MODEL,
    PACKAGE,
    REQUIREMENTS,
    SIGNATURE,
    SKLEARN,
    read_signature,
    trusted_types,
)

MLFLOW = "mlflow"  # format of a folder with an MLmodel that was made elsewhere
FILES = (MODEL, SIGNATURE, REQUIREMENTS, PACKAGE)
_DOWNLOADED = "registered_model_meta"  # MLflow adds it to what it downloads

_TYPES = {
    "BOOL": "boolean",
    "INT8": "integer",
    "INT16": "integer",
    "INT32": "integer",
    "INT64": "long",
    "UINT8": "integer",
    "UINT16": "integer",
    "UINT32": "long",
    "UINT64": "long",
    "FP16": "float",
    "FP32": "float",
    "FP64": "double",
    "BYTES": "string",
}
_NUMPY = {"FP16": "float16", "FP32": "float32", "FP64": "float64", "BOOL": "bool", "BYTES": "str"}


def write(package: ModelPackage, source: Path, target: Path, ids: dict[str, Any]) -> None:
    """Lay out an MLflow model in the empty folder ``target``.

    Args:
        package: The package whose verified folder ``source`` is.
        ids: What MLflow calls the model: arguments of ``mlflow.models.Model``.

    Raises:
        InvalidInput: MLflow cannot hold a package of this format.
    """
    if package.format == MLFLOW:
        shutil.copytree(source, target, dirs_exist_ok=True)
        return
    if package.format != SKLEARN:
        raise InvalidInput(
            f"MLflow cannot hold a model package of format {package.format!r}. "
            f"Formats: {SKLEARN}, {MLFLOW}"
        )
    for name in FILES:
        if (source / name).exists():
            _link(source / name, target / name)
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    model = Model(signature=_signature(package.signature), **ids)
    pinned = dict(r.split("==", 1) for r in package.requirements if "==" in r)
    add_to_model(
        model,
        loader_module="mlflow.sklearn",
        model_path=MODEL,
        predict_fn="predict",
        conda_env="conda.yaml",
        python_env="python_env.yaml",
    )
    model.add_flavor(
        "sklearn",
        pickled_model=MODEL,
        sklearn_version=pinned.get("scikit-learn", ""),
        serialization_format="skops",
        skops_trusted_types=list(trusted_types(source / MODEL)),
        code=None,
    )
    model.model_size_bytes = sum(
        (source / n).stat().st_size for n in FILES if (source / n).exists()
    )
    model.save(str(target / "MLmodel"))
    _write_environment(package, target)


def restore(folder: Path, package_format: str, target: Path) -> None:
    """Take the package out of a downloaded MLflow model."""
    target.mkdir(parents=True)
    if package_format == SKLEARN:
        for name in FILES:
            if (folder / name).exists():
                shutil.copyfile(folder / name, target / name)
    else:
        shutil.copytree(
            folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(_DOWNLOADED)
        )


def signature_in(folder: Path, package_format: str) -> Signature | None:
    """The signature that a restored package has among its files, None where it has none.

    Raises:
        InvalidInput: that of an MLmodel has no counterpart; says which part.
    """
    if package_format == SKLEARN:
        return read_signature(folder)
    from mlflow.models import Model

    found = Model.load(str(folder)).signature
    if found is None or found.inputs is None:
        return None
    outputs = () if found.outputs is None else _from_schema(found.outputs, "predict")
    return Signature(_from_schema(found.inputs, "input"), outputs)


def to_text(package: ModelPackage, limit: int) -> str:
    """The package without its address, as the text of a tag; without signature if that is long."""
    signature = package.signature
    data: dict[str, Any] = {
        "format": package.format,
        "digest": package.digest,
        "requirements": list(package.requirements),
    }
    fields = None if signature is None else [_rows(signature.inputs), _rows(signature.outputs)]
    text = json.dumps({**data, "signature": fields}, separators=(",", ":"))
    return text if len(text) <= limit else json.dumps(data, separators=(",", ":"))


def from_text(text: str, uri: str) -> ModelPackage:
    """Read what ``to_text`` wrote."""
    data = json.loads(text)
    fields = data.get("signature")
    return ModelPackage(
        format=data["format"],
        uri=uri,
        digest=data["digest"],
        signature=None if fields is None else Signature(_fields(fields[0]), _fields(fields[1])),
        requirements=tuple(data["requirements"]),
    )


def _rows(fields: tuple[Field, ...]) -> list[list[Any]]:
    return [[f.name, f.datatype, list(f.shape)] for f in fields]


def _fields(rows: list[Any]) -> tuple[Field, ...]:
    return tuple(Field(name, datatype, tuple(shape)) for name, datatype, shape in rows)


def _signature(signature: Signature | None) -> Any:
    if signature is None:
        return None
    from mlflow.models import ModelSignature

    outputs = _schema(signature.outputs, array=True) if signature.outputs else None
    return ModelSignature(inputs=_schema(signature.inputs), outputs=outputs)


def _schema(fields: tuple[Field, ...], *, array: bool = False) -> Any:
    """Columns of a frame; a tensor where a field has more dimensions or comes as an array."""
    import numpy as np
    from mlflow.types import ColSpec, Schema, TensorSpec

    if not array and all(f.shape == (-1,) for f in fields):
        return Schema([ColSpec(_TYPES[f.datatype], f.name) for f in fields])
    names = [f.name if len(fields) > 1 else None for f in fields]
    return Schema(
        [
            TensorSpec(np.dtype(_NUMPY.get(f.datatype, f.datatype.lower())), f.shape, name)
            for f, name in zip(fields, names, strict=True)
        ]
    )


def _from_schema(schema: Any, unnamed: str) -> tuple[Field, ...]:
    """The fields of an MLflow schema; those without a name as the store would call them."""
    from mlflow.types import DataType, TensorSpec

    fields = []
    for place, spec in enumerate(schema.inputs):
        name = spec.name or (unnamed if len(schema.inputs) == 1 else f"{unnamed}_{place}")
        if isinstance(spec, TensorSpec):
            fields.append(Field(name, datatype(spec.type), spec.shape))
        elif isinstance(spec.type, DataType):
            fields.append(Field(name, datatype(spec.type.to_numpy())))
        else:
            raise InvalidInput(
                f"the Open Inference Protocol has no type for {name!r}, which is {spec.type}"
            )
    return tuple(fields)


def _write_environment(package: ModelPackage, folder: Path) -> None:
    """Python and packages, as MLflow restores them to serve the model."""
    import mlflow
    import yaml

    python, ours = platform.python_version(), f"mlflow=={mlflow.__version__}"
    pip = [*package.requirements, ours]
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": pip}],
    }
    dependencies = [f"-r {REQUIREMENTS}", ours]
    virtual = {"python": python, "build_dependencies": ["pip"], "dependencies": dependencies}
    for name, content in (("conda.yaml", conda), ("python_env.yaml", virtual)):
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """The same file at another place, without a copy where the disk allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
