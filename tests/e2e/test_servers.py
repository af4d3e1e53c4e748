"""What a model answers does not depend on the server that it is behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from stackyard.components.base import Context
from stackyard.components.server import Server
from stackyard.errors import InvalidInput
from stackyard.inference import encode_request
from stackyard.models import package_model
from stackyard.testing.server_case import model, rows

pytestmark = pytest.mark.full  # two servers take a while to start


def _bentoml(context: Context) -> Server:
    from stackyard_bentoml.config import BentomlConfig
    from stackyard_bentoml.server import BentomlServer

    return BentomlServer(BentomlConfig(), context)


def _kserve(context: Context) -> Server:
    from stackyard_kserve.config import LocalKServeConfig
    from stackyard_kserve.local import LocalKServe

    return LocalKServe(LocalKServeConfig(), context)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """BentoML and KServe's model server, each serving the same package."""
    root = tmp_path_factory.mktemp("project")
    package = package_model(model(1), example=rows(), folder=root / "package")
    made: list[Server] = []
    try:
        for name, make in (("bentoml", _bentoml), ("kserve", _kserve)):
            project = root / name
            state, cache = project / "state", project / "cache"
            where = Context(name="server", project=project, state_dir=state, cache_dir=cache)
            made.append(make(where))
            made[-1].deploy(package, "delays", "3")
        yield made
    finally:
        for server in made:
            server.undeploy("delays")
            server.close()


def _requests() -> Iterator[dict[str, Any]]:
    """Every kind of request that is answered: sizes, missing values, unknown text, some outputs."""
    for seed, count in enumerate((1, 7, 500)):
        yield encode_request(rows(count, seed), id=f"rows-{count}")
    frame = rows(6)
    frame.loc[0, "carrier"], frame.loc[1, "carrier"] = None, "größe\n"
    frame["distance"] = np.nan
    odd = encode_request(frame, id="odd")
    yield odd
    yield {**odd, "outputs": [{"name": "probability"}]}
    nested = encode_request(rows(4), id="nested")
    nested["inputs"][0] |= {"shape": [4, 1], "data": [[n] for n in nested["inputs"][0]["data"]]}
    yield nested
    whole = encode_request(rows(4).fillna(1), id="whole")
    whole["inputs"][1] |= {"datatype": "INT32", "data": [100, 200, 300, 400]}
    yield whole


def _said(answer: Mapping[str, Any]) -> Any:
    """An answer without what KServe adds to it: ``parameters`` that are null."""
    if isinstance(answer, Mapping):
        return {k: _said(v) for k, v in answer.items() if (k, v) != ("parameters", None)}
    return [_said(one) for one in answer] if isinstance(answer, list) else answer


def test_the_same_requests_get_the_same_answers(servers: list[Server]) -> None:
    for request in _requests():
        one, other = (_said(server.predict("delays", request)) for server in servers)
        assert one == other
        assert one["id"] == request["id"]


def test_the_same_requests_are_refused(servers: list[Server]) -> None:
    good = encode_request(rows(2))
    wrong: list[dict[str, Any]] = [
        {"inputs": []},
        {"inputs": good["inputs"][1:]},
        {"inputs": [*good["inputs"], {**good["inputs"][0], "name": "other"}]},
        {"inputs": [{**good["inputs"][0], "data": ["x", "y"]}, *good["inputs"][1:]]},
        {**good, "outputs": [{"name": "other"}]},
    ]
    for request in wrong:
        told = []
        for server in servers:
            with pytest.raises(InvalidInput) as caught:
                server.predict("delays", request)
            told.append(str(caught.value).partition("request: ")[2])
        assert told[0] == told[1] != ""
