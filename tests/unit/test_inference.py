"""Rows as requests and answers of the Open Inference Protocol V2, and what is refused of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor

from stackyard.components.registry import Field, Signature
from stackyard.errors import InvalidInput
from stackyard.inference import answer, decode_request, decode_response, encode_request
from stackyard.model_signature import infer_signature

SIGNATURE = Signature((Field("a", "FP32"), Field("n", "INT8"), Field("t", "BYTES")))


def tensor(name: str, datatype: str, data: list[Any], shape: Any = None) -> dict[str, Any]:
    shape = [len(data)] if shape is None else shape
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def request(**change: Any) -> dict[str, Any]:
    columns = {
        "a": tensor("a", "FP64", [1.0, 2.0]),
        "n": tensor("n", "INT64", [1, 2]),
        "t": tensor("t", "BYTES", ["x", "y"]),
    } | change
    return {"inputs": [one for one in columns.values() if one is not None]}


def test_columns_of_any_kind_travel() -> None:
    """As JSON; what is missing is null, times and categories are text."""
    frame = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "part": [1.5, None, np.inf],
            "text": ["x", None, "größe"],
            "flag": [True, False, True],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "complete": pd.array([1, 2, 3], dtype="Int16"),
            "kind": pd.Categorical(["u", None, "v"]),
            "code": pd.Categorical([7, 8, 7]),
            "when": pd.to_datetime(["2013-01-01", None, "2013-01-03"], utc=True),
        }
    )
    sent = json.loads(json.dumps(encode_request(frame, id="x"), allow_nan=False))
    assert sent["id"] == "x"
    assert {one["name"]: (one["datatype"], one["data"]) for one in sent["inputs"]} == {
        "whole": ("INT64", [1, 2, 3]),
        "part": ("FP64", [1.5, None, None]),
        "text": ("BYTES", ["x", None, "größe"]),
        "flag": ("BOOL", [True, False, True]),
        "nullable": ("FP64", [1.0, None, 3.0]),
        "complete": ("INT16", [1, 2, 3]),
        "kind": ("BYTES", ["u", None, "v"]),
        "code": ("INT64", [7, 8, 7]),
        "when": ("BYTES", ["2013-01-01T00:00:00+00:00", None, "2013-01-03T00:00:00+00:00"]),
    }


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_infinity=False),
            st.text(),
            st.booleans(),
        ),
        min_size=1,
    )
)  # fmt: skip
def test_what_is_encoded_is_decoded(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["i", "f", "t", "b"]).astype({"t": "object"})
    kinds = {"i": "INT64", "f": "FP64", "t": "BYTES", "b": "BOOL"}
    signature = Signature(tuple(Field(name, kind) for name, kind in kinds.items()))
    sent = json.loads(json.dumps(encode_request(frame), allow_nan=False))
    pd.testing.assert_frame_equal(decode_request(sent, signature), frame)


def test_columns_come_in_the_models_order_and_types() -> None:
    frame = decode_request({"inputs": request()["inputs"][::-1]}, SIGNATURE)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "a": "float32",
        "n": "int8",
        "t": "object",
    }
    assert decode_request(request(a=tensor("a", "INT32", [1, 2])), SIGNATURE)["a"].tolist() == [
        1,
        2,
    ]
    column = tensor("n", "INT64", [[1], [2]], [2, 1])
    assert decode_request(request(n=column), SIGNATURE)["n"].tolist() == [1, 2]


def test_an_array_travels_flat_or_nested() -> None:
    values = np.arange(6.0).reshape(3, 2)
    signature = Signature((Field("input", "FP64", (-1, 2)),))
    assert np.array_equal(decode_request(encode_request(values), signature), values)
    nested = {"inputs": [tensor("input", "FP64", values.tolist(), [3, 2])]}
    assert np.array_equal(decode_request(nested, signature), values)
    for data, shape in (([[1, 2], [3]], [2, 2]), ([[1, 2]], [1, 3]), ([1, 2, 3], [1, 3])):
        with pytest.raises(InvalidInput, match="'input'"):
            decode_request({"inputs": [tensor("input", "FP64", data, shape)]}, signature)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "no list 'inputs'"),
        ([], "no list 'inputs'"),
        ({}, "no list 'inputs'"),
        ({"instances": []}, "no list 'inputs'"),
        ({"inputs": []}, "'inputs' is empty"),
        ({"inputs": [7]}, r"inputs\[0\] is 7"),
        ({"inputs": [{}]}, r"inputs\[0\] has no name"),
        (request(a={"name": "a"}), "'a': datatype null is unknown"),
        (request(a=tensor("a", "fp64", [1, 2])), "Did you mean 'FP64'"),
        (request(a=tensor("a", "FP64", [1, 2], "2")), "'a': shape"),
        (request(a=tensor("a", "FP64", [1, 2], [-1])), "'a': shape"),
        (request(a=tensor("a", "FP64", [1, 2], [True])), "'a': shape"),
        (request(a={**tensor("a", "FP64", []), "data": "12"}), "'a': data is \"12\""),
        (request(a=tensor("a", "FP64", [1, 2], [3])), "2 values in data, 3 by shape"),
        (request(a=tensor("a", "FP64", [1, 2, 3])), "rows differ: a 3, n 2, t 2"),
        (request(a=None), r"input 'a' \(FP32\) is missing"),
        (request(b=tensor("b", "FP64", [1, 2])), "input 'b' is unknown.*takes: a, n, t"),
        (request(b=tensor("a", "FP64", [1, 2])), r"inputs\[3\]: 'a' is there twice"),
        (request(a=tensor("a", "BYTES", ["1", "2"])), "'a' is BYTES; the model takes FP32"),
        (request(n=tensor("n", "FP64", [1.0, 2.0])), "'n' is FP64; the model takes INT8"),
        (request(n=tensor("n", "BOOL", [True, True])), "'n' is BOOL"),
        (request(n=tensor("n", "INT64", [1, 2.0])), r"data\[1\] is 2.0, not a whole number"),
        (request(n=tensor("n", "INT64", [1, True])), r"data\[1\] is true"),
        (request(n=tensor("n", "INT64", [1, None])), r"data\[1\] is null"),
        (request(n=tensor("n", "INT64", [1, 128])), "out of the range of INT8"),
        (request(a=tensor("a", "FP64", [1, 1e39])), "out of the range of FP32"),
        (request(a=tensor("a", "FP64", [1, 10**400])), "out of the range of FP32"),
        (request(t=tensor("t", "BYTES", ["x", {"y": 1}])), r"data\[1\] is \{"),
        (request(a=tensor("a", "FP64", [[1], [2]], [2])), r"data\[0\] is \[1\]"),
    ],
)
def test_what_is_wrong_is_told(wrong: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        decode_request(wrong, SIGNATURE)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_is_told_up_to_five() -> None:
    many = {"inputs": [tensor(name, "FP64", [1]) for name in "bcdefg"]}
    with pytest.raises(InvalidInput) as caught:
        decode_request(many, SIGNATURE)
    assert str(caught.value).count("is unknown") == 5
    assert "and 4 more" in str(caught.value)


def test_a_request_without_rows_is_refused() -> None:
    empty = {
        name: tensor(name, kind, [])
        for name, kind in zip("ant", ("FP64", "INT8", "BYTES"), strict=True)
    }
    with pytest.raises(InvalidInput, match="no rows"):
        decode_request(request(**empty), SIGNATURE)
    for nothing in (pd.DataFrame({"a": []}), pd.Series([1]), [[1]]):
        with pytest.raises(InvalidInput, match="encode_request"):
            encode_request(nothing)


def asked(model: Any, rows: Any, **more: Any) -> dict[str, Any]:
    signature = infer_signature(model, rows)
    return answer(model, signature, encode_request(rows) | more, name="m", version="3", id="made")


def test_answers_of_models_of_any_kind() -> None:
    """Classes, probabilities of two classes and of more, several targets."""
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 5.0]})
    two = LogisticRegression().fit(rows, [False, True, True, True])
    given = asked(two, rows)
    assert (given["model_name"], given["model_version"], given["id"]) == ("m", "3", "made")
    found = decode_response(given)
    assert found["predict"].tolist() == two.predict(rows).tolist()
    assert np.allclose(found["probability"], two.predict_proba(rows)[:, 1])
    three = LogisticRegression().fit(rows, ["r", "g", "b", "b"])
    found = decode_response(asked(three, rows, id="mine"))
    assert set(found["predict"]) <= set("rgb")
    assert np.allclose(found["probability"].tolist(), three.predict_proba(rows))
    several = MultiOutputRegressor(LinearRegression()).fit(rows.to_numpy(), rows)
    found = decode_response(asked(several, rows.to_numpy()))
    assert np.allclose(found["predict"].tolist(), rows)
    classes = MultiOutputClassifier(LogisticRegression()).fit(
        rows, [[0, 1], [1, 0], [1, 1], [0, 1]]
    )
    found = decode_response(asked(classes, rows))
    assert list(found) == ["predict"]  # it has one array of probabilities for each target
    assert np.array_equal(found["predict"].tolist(), classes.predict(rows))
    assert asked(two, rows, outputs=[{"name": "probability"}])["outputs"][0]["shape"] == [4]
    for wrong in ([{"name": "x"}], [7], "predict", [{}]):
        with pytest.raises(InvalidInput, match="Outputs: predict, probability"):
            asked(two, rows, outputs=wrong)
    with pytest.raises(InvalidInput, match="'id'"):
        asked(two, rows, id=7)


def test_what_the_model_itself_refuses_is_told() -> None:
    rows = pd.DataFrame({"x": [0.0, 1.0]})
    model = LogisticRegression().fit(rows, [False, True])
    with pytest.raises(InvalidInput, match="the model refuses the rows: Input X contains NaN"):
        answer(
            model,
            infer_signature(model, rows),
            encode_request(pd.DataFrame({"x": [None, 1.0]})),
            name="m", version="1", id="i",
        )  # fmt: skip


@pytest.mark.parametrize("wrong", [{}, {"outputs": []}, {"error": "no"}, None])
def test_what_is_no_answer(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="answer"):
        decode_response(wrong)
