"""Requests and answers in the Open Inference Protocol V2, from rows and back to rows.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md

A frame travels as one tensor per column, an array as one tensor. The protocol has no word for a
missing value; here it is ``null`` among numbers with a fraction (``FP``) and text (``BYTES``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stackyard.components.registry import Signature
from stackyard.errors import InvalidInput, suggest
from stackyard.inference_checks import same_rows, tensors, values
from stackyard.model_signature import datatype

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY = "probability"  # the output beside ``predict`` of a model that gives probabilities
_FAULTS = 5  # how many of those of a request are told


def encode_request(rows: Any, *, id: str | None = None) -> dict[str, Any]:
    """Write rows as a request.

    Args:
        rows: A frame, whose columns become tensors of shape (n,), or an array of shape (n, k),
            which becomes the tensor ``input``. Categories and times become text.
        id: Under which the answer comes back and labels join later; by default the server makes
            one.

    Raises:
        InvalidInput: it is neither, or has no rows.
    """
    if len(getattr(rows, "shape", ())) != 2 or not rows.shape[0]:
        raise InvalidInput(
            f"encode_request: {type(rows).__name__}; give some rows as a frame or a "
            "two-dimensional array"
        )
    columns = rows.items() if hasattr(rows, "columns") else [("input", rows)]
    request: dict[str, Any] = {} if id is None else {"id": id}
    request["inputs"] = [_encoded(str(name), column) for name, column in columns]
    return request


def decode_request(request: Any, signature: Signature) -> Any:
    """Read a request's rows as the model takes them, or say what is wrong with it.

    A whole number may stand where the model wants one with a fraction, and any size of number that
    holds the value may be given. Nothing else is converted.

    Args:
        request: What JSON gave: ``{"inputs": [{"name", "shape", "datatype", "data"}, ...]}``.
        signature: What the model takes.

    Returns:
        A frame with the signature's columns, in its order and types; for a model of one
        two-dimensional input an array of shape (n, k).

    Raises:
        InvalidInput: inputs are missing, unknown, of another type or shape, ragged or empty. All of
            it is told, up to five faults.
    """
    faults: list[str] = []
    given = tensors(request, "inputs", faults)
    wanted = {field.name: field for field in signature.inputs}
    columns: dict[str, Any] = {}
    if given:
        for name in [name for name in given if name not in wanted]:
            takes = f"The model takes: {', '.join(wanted)}"
            faults.append(f"input {name!r} is unknown.{suggest(name, [*wanted])} {takes}")
        named = {one.get("name") for one in request["inputs"] if isinstance(one, dict)}
        for name, field in wanted.items():
            if name in given:
                columns[name] = values(given[name], field, faults)
            elif name not in named:  # else it has been told what is wrong with it
                faults.append(f"input {name!r} ({field.datatype}) is missing")
    if not faults:
        same_rows(given.values(), faults)
    _refuse("request", faults)
    if len(wanted) == 1 and len(signature.inputs[0].shape) > 1:
        return columns[signature.inputs[0].name]
    import pandas as pd

    return pd.DataFrame(columns, copy=False)


def answer(
    model: Any, signature: Signature, request: Any, *, name: str, version: str, id: str
) -> dict[str, Any]:
    """Let a model answer a request.

    The outputs are what ``predict`` gives and, of a model that has ``predict_proba``, the tensor
    ``probability``: of the second class where there are two, else of shape (n, classes). For
    several targets at once there is none.

    Args:
        model: An estimator.
        signature: What it takes.
        request: What JSON gave.
        name: The model's name in the answer.
        version: Its version in the answer.
        id: The answer's id where the request has none.

    Raises:
        InvalidInput: the request is refused, by the signature or by the model.
    """
    rows = decode_request(request, signature)
    given = request.get("id") or id
    if not isinstance(given, str):
        raise InvalidInput("request: its 'id' is no text")
    try:
        outputs = _outputs(model.predict(rows), signature)
        if hasattr(model, "predict_proba"):
            chance = model.predict_proba(rows)
            if hasattr(chance, "shape"):  # else it is a list, of one array for each target
                outputs[PROBABILITY] = chance[:, 1] if chance.shape[1] == 2 else chance
    except (ValueError, TypeError) as exc:  # what estimators raise for values they do not know
        raise InvalidInput(f"the model refuses the rows: {exc}") from exc
    return {
        "model_name": name,
        "model_version": version,
        "id": given,
        "outputs": [_encoded(name, column) for name, column in _chosen(outputs, request)],
    }


def decode_response(response: Any) -> pd.DataFrame:
    """Read an answer's outputs: one column each, with lists where one has further dimensions.

    Raises:
        InvalidInput: it is no answer.
    """
    import pandas as pd

    from stackyard.components.registry import Field

    faults: list[str] = []
    given = tensors(response, "outputs", faults)
    columns: dict[str, Any] = {}
    for name, tensor in given.items():
        columns[name] = values(
            tensor, Field(name, tensor.datatype, (-1, *tensor.shape[1:])), faults
        )
    if not faults:
        same_rows(given.values(), faults)
    _refuse("answer", faults)
    return pd.DataFrame({k: v if v.ndim == 1 else v.tolist() for k, v in columns.items()})


def _outputs(predicted: Any, signature: Signature) -> dict[str, Any]:
    """What ``predict`` gave, by the signature's names."""
    import numpy as np

    if hasattr(predicted, "columns"):  # set_output(transform="pandas")
        return {str(name): column for name, column in predicted.items()}
    parts = predicted if isinstance(predicted, tuple | list) else [predicted]
    names = [field.name for field in signature.outputs]
    if len(names) != len(parts):  # it was made without outputs
        names = ["predict"] if len(parts) == 1 else [f"predict_{i}" for i in range(len(parts))]
    return {name: np.asarray(part) for name, part in zip(names, parts, strict=True)}


def _chosen(outputs: Mapping[str, Any], request: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The outputs that a request asks for; all, where it names none."""
    asked = request.get("outputs")
    if not asked:
        return outputs.items()
    try:
        names = [one["name"] for one in asked]
        return [(name, outputs[name]) for name in names]
    except (KeyError, TypeError) as exc:
        have = ", ".join(outputs)
        raise InvalidInput(
            f'request: \'outputs\' is a list of {{"name": "..."}}. Outputs: {have}'
        ) from exc


def _encoded(name: str, column: Any) -> dict[str, Any]:
    """One tensor; what is missing is null, and so is what JSON has no word for."""
    import numpy as np
    import pandas as pd

    kind = datatype(column.dtype)
    missing = np.asarray(pd.isna(column))
    if kind == "BYTES":
        texts = column.astype("object").tolist()
        data = [None if gone else _text(v) for v, gone in zip(texts, missing.flat, strict=True)]
        return {"name": name, "shape": list(column.shape), "datatype": kind, "data": data}
    if missing.any() and not kind.startswith("FP"):  # a nullable column of whole numbers
        kind = "FP64"
    if hasattr(column, "to_numpy"):
        column = column.to_numpy("float64" if missing.any() else None)
    data = column.ravel().tolist()
    if kind.startswith("FP") and not np.isfinite(column).all():
        data = [v if math.isfinite(v) else None for v in data]
    return {"name": name, "shape": list(column.shape), "datatype": kind, "data": data}


def _text(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _refuse(what: str, faults: list[str]) -> None:
    if not faults:
        return
    more = f"; and {len(faults) - _FAULTS} more" if len(faults) > _FAULTS else ""
    raise InvalidInput(f"{what}: {'; '.join(faults[:_FAULTS])}{more}")
