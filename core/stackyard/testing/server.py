"""The contract of a model server as tests; numbered in docs/reference/server.md."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.server import Endpoint, Server
from stackyard.errors import AlreadyExists, DigestMismatch, InvalidInput, NotFound, Unavailable
from stackyard.inference import decode_response, encode_request
from stackyard.models import MODEL, package_model
from stackyard.testing.manners import side_by_side
from stackyard.testing.server_case import (
    NO_NAMES,
    Ended,
    Models,
    ask,
    expected,
    model,
    rows,
    unreadable,
)
from stackyard.testing.server_traffic import ServerTraffic


class ServerContract(ServerTraffic):
    """Inherit, and say what a stack says of the server, in ``settings`` of the class's scope."""

    # Deploying

    def test_01_the_first_version_gets_every_request(
        self,
        server: Server,
        context: Context,
        models: Models,
        deployed: tuple[Endpoint, ...],
        shared: str,
    ) -> None:
        """It is ready when ``deploy`` returns, and found by whoever asks later."""
        made = deployed[0]
        assert (made.name, made.status, made.reason) == (shared, "ready", "")
        assert (made.traffic, made.champion) == ({"1": 100}, "1")
        assert (made.previous, made.shadow) == (None, None)
        now = server.status(shared)
        server.close()
        later = self.connect(context)
        assert later.status(shared) == now
        assert now in list(later.list())
        if self.answers:
            assert ask(later, shared)["model_version"] == "1"
        assert later.deploy(models(1), shared, "1") == now

    def test_02_a_further_version_gets_no_request(
        self, server: Server, models: Models, deployed: tuple[Endpoint, ...], shared: str
    ) -> None:
        """It stands ready beside the champion; without ``canary`` it takes its place."""
        canary = "canary" in server.capabilities
        if canary:
            assert (deployed[1].traffic, deployed[1].champion) == ({"1": 100, "2": 0}, "1")
        made = server.deploy(models(3), shared, "3")
        assert made.traffic == ({"1": 100, "3": 0} if canary else {"3": 100})
        assert made.champion == ("1" if canary else "3")
        assert server.deploy(models(3), shared, "3") == made
        with pytest.raises(AlreadyExists, match="'3'"):
            server.deploy(models(2), shared, "3")
        assert server.status(shared) == made
        back = "2" if canary else "1"
        assert back in server.deploy(models(int(back)), shared, back).traffic

    def test_03_what_does_not_get_ready_changes_nothing(
        self, server: Server, models: Models, shared: str, tmp_path: Path
    ) -> None:
        """It is Unavailable and says why; what was served still is."""
        self.can_answer()
        before = server.status(shared)
        with pytest.raises(Unavailable, match=shared):
            server.deploy(unreadable(models(1), tmp_path / "bad"), shared, "9")
        assert server.status(shared) == before
        assert ask(server, shared)["model_version"] == "1"

    def test_04_what_cannot_be_served_is_refused(
        self, server: Server, models: Models, tmp_path: Path
    ) -> None:
        """No signature, an unknown format, a damaged package, a name or version that is none."""
        good = models(1)
        bare = package_model(model(1), folder=tmp_path / "bare")
        with pytest.raises(InvalidInput, match="signature"):
            server.deploy(bare, "refused", "1")
        with pytest.raises(InvalidInput, match="pickled"):
            server.deploy(replace(good, format="pickled"), "refused", "1")
        damaged = package_model(model(1), example=rows(), folder=tmp_path / "damaged")
        file = tmp_path / "damaged" / MODEL
        file.chmod(0o644)
        file.write_bytes(file.read_bytes() + b"x")
        with pytest.raises(DigestMismatch):
            server.deploy(damaged, "refused", "1")
        for wrong in NO_NAMES:
            with pytest.raises(InvalidInput, match="endpoint name"):
                server.deploy(good, wrong, "1")
        for wrong in ("", "a/b", "..", "a b", "x" * 64, "1\n", "größe", '"1"'):
            with pytest.raises(InvalidInput, match="version"):
                server.deploy(good, "refused", wrong)
        with pytest.raises(NotFound):
            server.status("refused")

    def test_05_what_is_not_there(self, server: Server, context: Context, shared: str) -> None:
        """NotFound, naming what there is; ending it is nothing, whatever its name may mean."""
        for call in (server.status, lambda name: server.predict(name, {})):
            with pytest.raises(NotFound, match=f"'missing'.*{shared}"):
                call("missing")
        server.undeploy("missing")
        near = context.project / "near" / "file.json"
        near.parent.mkdir(exist_ok=True)
        near.write_text("{}", encoding="utf-8")
        paths = [f"{'../' * up}near{end}" for up in range(5) for end in ("", "/file")]
        for hostile in (*paths, str(near.parent), "..", "", "a\nb"):
            for call in (server.status, lambda name: server.predict(name, {})):
                with pytest.raises((InvalidInput, NotFound)):
                    call(hostile)
            with suppress(InvalidInput):
                server.undeploy(hostile)
        assert near.read_text(encoding="utf-8") == "{}"
        names = [endpoint.name for endpoint in server.list()]
        assert names == sorted(names)
        assert shared in names

    def test_06_what_is_undeployed_is_gone(
        self, server: Server, models: Models, ended: Ended
    ) -> None:
        """It answers nobody, and its name may be used again."""
        server.undeploy(ended.name)
        with pytest.raises(NotFound):
            server.predict(ended.name, encode_request(rows(3)))
        assert ended.name not in {endpoint.name for endpoint in server.list()}
        assert server.deploy(models(2), ended.name, "1").traffic == {"1": 100}
        server.undeploy(ended.name)

    # Answering

    def test_07_the_answers_are_the_models(
        self, server: Server, models: Models, shared: str
    ) -> None:
        """In the V2 shape, with the request's id; text and missing values come through."""
        self.can_answer()
        frame = rows(50, seed=3)
        frame.loc[4, "carrier"] = None
        frame.loc[5, "carrier"] = "größe"
        given = server.predict(shared, encode_request(frame, id="a-1"))
        assert (given["model_name"], given["model_version"], given["id"]) == (shared, "1", "a-1")
        assert json.loads(json.dumps(given)) == given
        pd.testing.assert_frame_equal(decode_response(given), expected(models(1), frame))
        made = {ask(server, shared)["id"] for _ in range(3)}
        assert len(made) == 3
        assert all(isinstance(one, str) and one for one in made)

    def test_08_only_the_outputs_that_are_asked_for(self, server: Server, shared: str) -> None:
        """By name, in the request's order; an unknown one is refused."""
        self.can_answer()
        request = encode_request(rows(3))
        given = server.predict(shared, {**request, "outputs": [{"name": "predict"}]})
        assert [one["name"] for one in given["outputs"]] == ["predict"]
        with pytest.raises(InvalidInput, match="predict"):
            server.predict(shared, {**request, "outputs": [{"name": "other"}]})

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"carrier": None}, "'carrier'.*missing"),
            ({"carier": ("BYTES", ["UA", "DL"])}, "'carier'.*Did you mean 'carrier'"),
            ({"hour": ("INT64", ["1", "2"])}, "'hour'.*\"1\""),
            ({"hour": ("FP64", [1.0, 2.5])}, "'hour'.*INT64"),
            ({"hour": ("INT64", [None, 2])}, "'hour'.*null"),
            ({"distance": ("BYTES", ["1", "2"])}, "'distance'.*FP64"),
            ({"carrier": ("BYTES", ["UA"])}, "rows.*carrier 1"),
            ({"hour": ("int", [1, 2])}, "'hour'.*INT64"),
        ],
    )
    def test_09_what_the_model_does_not_take_is_refused(
        self, server: Server, shared: str, change: dict[str, Any], said: str
    ) -> None:
        """Columns that are missing, unknown or of another type or length; it says which."""
        self.can_answer()
        columns = {
            "hour": ("INT64", [1, 2]),
            "distance": ("FP64", [500.0, None]),
            "carrier": ("BYTES", ["UA", "DL"]),
        } | change
        inputs = [
            {"name": name, "datatype": given[0], "shape": [len(given[1])], "data": given[1]}
            for name, given in columns.items()
            if given is not None
        ]
        with pytest.raises(InvalidInput, match=said):
            server.predict(shared, {"inputs": inputs})

    def test_10_what_is_no_request_is_refused(self, server: Server, shared: str) -> None:
        """Nothing in it, no rows, another protocol; and the next one is answered."""
        self.can_answer()
        empty = [
            {"name": name, "datatype": kind, "shape": [0], "data": []}
            for name, kind in (("hour", "INT64"), ("distance", "FP64"), ("carrier", "BYTES"))
        ]
        nothing: list[dict[str, Any]] = [
            {}, {"inputs": []}, {"instances": [[1, 2]]}, {"inputs": empty},
        ]  # fmt: skip
        for request in nothing:
            with pytest.raises(InvalidInput):
                server.predict(shared, request)
        assert ask(server, shared)["outputs"]

    def test_11_threads_get_their_own_answers(
        self, server: Server, models: Models, shared: str
    ) -> None:
        """Each one that of its rows."""
        self.can_answer()
        frames = [rows(5 + n, seed=n) for n in range(8)]

        def send(frame: pd.DataFrame) -> list[pd.DataFrame]:
            request = encode_request(frame)
            return [decode_response(server.predict(shared, request)) for _ in range(5)]

        for frame, given in zip(frames, side_by_side(send, frames), strict=True):
            for found in given:
                pd.testing.assert_frame_equal(found, expected(models(1), frame))

    def test_12_a_version_can_be_asked(self, server: Server, shared: str) -> None:
        """Whatever its share; one that is not ready is NotFound."""
        self.can_answer()
        for version in server.status(shared).traffic:
            assert ask(server, shared, version=version)["model_version"] == version
        with pytest.raises(NotFound, match="'77'"):
            ask(server, shared, version="77")
        for wrong in ("../1", "1/../1", "1\n", "1 2", "größe"):
            with pytest.raises((InvalidInput, NotFound)):
                ask(server, shared, version=wrong)
