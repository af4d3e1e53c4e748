"""What a model takes and gives, in the words of the Open Inference Protocol V2.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from typing import Any

from stackyard.components.registry import Field, Signature
from stackyard.errors import InvalidInput

_KINDS = {"i": "INT", "u": "UINT", "f": "FP"}


def infer_signature(model: Any, example: Any) -> Signature:
    """Take inputs from ``example``, outputs from what the model predicts for it.

    Args:
        model: An estimator; without ``predict`` the signature has no outputs.
        example: Some rows: a frame, whose columns become fields, or an array, one field ``input``.

    Raises:
        InvalidInput: the example is neither, is empty, or the model refuses it.
    """
    inputs = _inputs(example)
    if not hasattr(model, "predict"):
        return Signature(inputs)
    try:
        predicted = model.predict(example)
    except Exception as exc:  # whatever an estimator raises for input that it was not made for
        raise InvalidInput(
            f"the model refuses the example: {type(exc).__name__}: {exc}. Give rows as for predict"
        ) from exc
    return Signature(inputs, _outputs(predicted))


def datatype(dtype: Any) -> str:
    """The V2 name of a numpy or pandas dtype; text, categories and times are ``BYTES``."""
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        return datatype(categories.dtype)
    kind = getattr(dtype, "kind", "O")
    if kind == "b":
        return "BOOL"
    if kind in _KINDS:
        bits = min(8 * dtype.itemsize, 64)
        return f"{_KINDS[kind]}{bits}"
    return "BYTES"


def _inputs(example: Any) -> tuple[Field, ...]:
    if not hasattr(example, "shape") or len(example.shape) != 2 or not example.shape[0]:
        raise InvalidInput(
            f"the example is {type(example).__name__}; give some rows as a frame or a "
            "two-dimensional array"
        )
    if hasattr(example, "dtypes") and hasattr(example, "columns"):
        return tuple(
            Field(str(name), datatype(dtype))
            for name, dtype in zip(example.columns, example.dtypes, strict=True)
        )
    return (Field("input", datatype(example.dtype), (-1, int(example.shape[1]))),)


def _outputs(predicted: Any) -> tuple[Field, ...]:
    if isinstance(predicted, tuple | list):
        return tuple(
            Field(f"predict_{i}", datatype(getattr(p, "dtype", None)), _shape(p))
            for i, p in enumerate(predicted)
        )
    if hasattr(predicted, "dtypes") and hasattr(predicted, "columns"):  # set_output(pandas)
        return _inputs(predicted)
    return (Field("predict", datatype(getattr(predicted, "dtype", None)), _shape(predicted)),)


def _shape(values: Any) -> tuple[int, ...]:
    return (-1, *(int(n) for n in getattr(values, "shape", (0,))[1:]))
