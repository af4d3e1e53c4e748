"""The part of a server's contract that is about its capabilities."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.components.server import Server
from stackyard.errors import Conflict, InvalidInput, NotFound
from stackyard.inference import decode_response, encode_request
from stackyard.testing.manners import needs, until
from stackyard.testing.server_case import Ended, Models, ServerCase, ask, rows


class ServerTraffic(ServerCase):
    """Shares, promotion, rollback, shadow and log."""

    def test_13_versions_get_their_share(self, server: Server, shared: str) -> None:
        """Of the requests, while they come (capability ``canary``)."""
        needs(server, "canary", refused=lambda: server.set_traffic(shared, {"1": 100}))
        made = server.set_traffic(shared, {"1": 70, "2": 30})
        assert (made.traffic, made.champion) == ({"1": 70, "2": 30}, "1")
        assert server.status(shared) == made
        self.can_answer()
        count = 400
        seen = [ask(server, shared)["model_version"] for _ in range(count)]
        spread = 4 * (count * 0.3 * 0.7) ** 0.5  # four standard deviations
        assert abs(seen.count("2") - 0.3 * count) < spread
        server.set_traffic(shared, {"2": 100})
        assert server.status(shared).champion == "1"
        assert {ask(server, shared)["model_version"] for _ in range(10)} == {"2"}

    def test_14_what_is_no_traffic_is_refused(self, server: Server, shared: str) -> None:
        """A sum that is not 100, a share that is none, an unknown version; nothing is changed."""
        needs(server, "canary", refused=lambda: server.set_traffic(shared, {"1": 100}))
        before = server.set_traffic(shared, {"1": 60, "2": 40})
        wrong: list[dict[str, Any]] = [
            {"1": 60, "2": 41}, {"1": 60}, {}, {"1": 150, "2": -50}, {"1": 99.5, "2": 0.5},
        ]  # fmt: skip
        for traffic in wrong:
            with pytest.raises(InvalidInput, match="traffic"):
                server.set_traffic(shared, traffic)
        with pytest.raises(NotFound, match=r"'7'.*1, 2"):
            server.set_traffic(shared, {"7": 100})
        assert server.status(shared) == before

    def test_15_a_version_is_promoted_and_rolled_back(self, server: Server, shared: str) -> None:
        """The one before stays ready; a rollback never goes forward (capability ``canary``)."""
        needs(server, "canary", refused=lambda: server.promote(shared, "1"))
        server.set_traffic(shared, {"1": 90, "2": 10})
        made = server.promote(shared, "2")
        assert (made.champion, made.previous, made.traffic) == ("2", "1", {"2": 100, "1": 0})
        assert server.promote(shared, "2") == made
        back = server.rollback(shared)
        assert (back.champion, back.previous, back.traffic) == ("1", None, {"1": 100, "2": 0})
        with pytest.raises(Conflict, match="nothing to roll back"):
            server.rollback(shared)
        with pytest.raises(NotFound, match="'7'"):
            server.promote(shared, "7")
        assert server.status(shared) == back

    def test_16_a_canary_is_rolled_back(self, server: Server, models: Models, shared: str) -> None:
        """The champion gets everything again (capability ``canary``)."""
        needs(server, "canary", refused=lambda: server.rollback(shared))
        server.set_traffic(shared, {"1": 20, "2": 80})
        with pytest.raises(Conflict, match="80"):
            server.deploy(models(3), shared, "3")
        back = server.rollback(shared)
        assert (back.champion, back.traffic) == ("1", {"1": 100, "2": 0})
        if self.answers:
            assert {ask(server, shared)["model_version"] for _ in range(10)} == {"1"}

    def test_17_changes_fail_no_request(self, server: Server, models: Models, shared: str) -> None:
        """Traffic, promotion, rollback and a new version while requests come (``canary``)."""
        needs(server, "canary", refused=lambda: server.promote(shared, "1"))
        self.can_answer()
        over = threading.Event()
        seen: list[str] = []
        wrong: list[Exception] = []

        def send() -> None:
            while not over.is_set():
                try:
                    seen.append(ask(server, shared)["model_version"])
                except Exception as exc:
                    wrong.append(exc)

        changes: list[Callable[[], Any]] = [
            lambda: server.set_traffic(shared, {"1": 50, "2": 50}),
            lambda: server.promote(shared, "2"),
            lambda: server.rollback(shared),
            lambda: server.deploy(models(3), shared, "3"),
            lambda: server.promote(shared, "3"),
            lambda: server.rollback(shared),
            lambda: server.deploy(models(2), shared, "2"),
        ]
        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for change in changes:
                enough = len(seen) + 8
                change()
                until(lambda enough=enough: len(seen) > enough or wrong)  # type: ignore[misc]
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert wrong == []
        assert set(seen) == {"1", "2", "3"}

    def test_18_a_shadow_sees_what_nobody_sees(self, server: Server, shared: str) -> None:
        """Every request; none of its answers is given (capability ``shadow``)."""
        needs(server, "shadow", refused=lambda: server.set_shadow(shared, "1"))
        made = server.set_shadow(shared, "2")
        assert (made.shadow, made.traffic) == ("2", {"1": 100, "2": 0})
        with pytest.raises(Conflict, match="100"):
            server.set_shadow(shared, "1")
        with pytest.raises(NotFound, match="'7'"):
            server.set_shadow(shared, "7")
        self.can_answer()
        sent = {ask(server, shared, seed=n)["id"] for n in range(20)}
        assert {ask(server, shared)["model_version"] for _ in range(5)} == {"1"}
        log = read_log(server, shared)
        copies = log[log["role"] == "shadow"]
        assert sent <= set(copies["id"])
        assert set(copies["version"]) == {"2"}
        assert server.set_shadow(shared, None).shadow is None

    def test_19_a_shadow_ends(self, server: Server, shared: str) -> None:
        """With traffic of its own, promotion or rollback (capability ``shadow``)."""
        needs(server, "shadow", refused=lambda: server.set_shadow(shared, "1"))
        endings: dict[str, Any] = {
            "traffic": lambda: server.set_traffic(shared, {"1": 90, "2": 10}),
            "rollback": lambda: server.rollback(shared),
            "promote": lambda: server.promote(shared, "1"),
        }
        for end in endings.values():
            server.promote(shared, "1")
            assert server.set_shadow(shared, "2").shadow == "2"
            assert end().shadow is None

    def test_20_what_was_answered_is_logged(self, server: Server, shared: str) -> None:
        """Each row with inputs, outputs, version, role and time, when ``inferences`` is called; of
        what was refused only why (capability ``log``)."""
        needs(server, "log", refused=lambda: server.inferences(shared))
        frame = rows(9, seed=5)
        began = pd.Timestamp.now("UTC")
        given = server.predict(shared, encode_request(frame, id=f"logged-{began.value}"))
        with pytest.raises(InvalidInput):
            server.predict(shared, {"id": "refused", "inputs": []})
        log = read_log(server, shared)
        failed = log[(log["time"] >= began) & log["error"].notna()]
        assert len(failed) == 1
        blank = [name for name in log if str(name).startswith(("input:", "output:"))]
        assert failed[blank].isna().all(axis=None)
        assert log.loc[log["id"] == given["id"], "error"].isna().all()
        found = log[log["id"] == given["id"]].sort_values("row").reset_index(drop=True)
        assert list(found["row"]) == list(range(9))
        assert set(found["version"]) == {"1"}
        assert set(found["role"]) == {"champion"}
        times = found["time"]
        assert times.between(began, pd.Timestamp.now("UTC")).all()
        assert found["latency_ms"].between(0, 60_000, inclusive="neither").all()
        inputs = found[[f"input:{name}" for name in frame]].set_axis(list(frame), axis=1)
        pd.testing.assert_frame_equal(inputs, frame, check_dtype=False)
        outputs = decode_response(given)
        for name in outputs:
            assert np.array_equal(found[f"output:{name}"], outputs[name])

    def test_21_the_log_stays(self, server: Server, ended: Ended) -> None:
        """After the endpoint was ended (capability ``log``); before it, there is none."""
        needs(server, "log", refused=lambda: server.inferences(ended.name))
        with pytest.raises(NotFound, match="never"):
            server.inferences("never")
        assert ended.logged_before == 0
        self.can_answer()
        assert set(read_log(server, ended.name)["id"]) == ended.asked


def read_log(server: Server, name: str) -> pd.DataFrame:
    """The whole inference log of an endpoint."""
    files = sorted(server.inferences(name).rglob("[!.]*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
