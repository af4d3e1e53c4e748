"""What is told of requests that reach no endpoint."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from stackyard.errors import InvalidInput, Unavailable
from stackyard_bentoml.wire import ask
from tests.ports import closed_port


def test_that_nobody_listens_is_told_as_such() -> None:
    """Not as a long wait, which it was not."""
    with closed_port() as port, pytest.raises(Unavailable, match=r"no answer \(Connection"):
        ask(port, "GET", "/v2/health/live", seconds=90)


def test_how_long_was_waited_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Unavailable, match=r"no answer within 0.2 s$"):
            ask(port, "GET", "/v2/health/live", seconds=0.2)


@pytest.mark.parametrize("data", [np.arange(3), ["\ud800"]])
def test_what_is_no_json_is_refused(data: object) -> None:
    with pytest.raises(InvalidInput, match=r"no JSON.*encode_request"):
        ask(1, "POST", "/v2/models/f/infer", content={"inputs": [{"name": "x", "data": data}]})
