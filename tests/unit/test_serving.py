"""The steps of a rollout: a version is served beside the champion, judged, goes live or back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from stackyard.components.base import Context
from stackyard.components.registry import ModelVersion
from stackyard.errors import Conflict, InvalidInput, NotFound
from stackyard.gating.intervals import share_above
from stackyard.gating.report import GateReport
from stackyard.gating.trial import Terms, hold
from stackyard.inference import encode_request
from stackyard.inference_log import read_answers, read_inferences
from stackyard.judging import judge
from stackyard.models import package_model
from stackyard.serving import Trial, canary, deploy, go_live, roll_back, shadow
from stackyard.testing import MemoryRegistry, MemoryServer

NAME = "flight-delays"
NOT_WORSE = "brier_champion - brier > -0.02 +/- 0.02"


class Fails(LogisticRegression):
    """Fails at whatever is above 1."""

    def predict(self, X: Any) -> Any:
        if (np.asarray(X) > 1).any():
            raise ValueError("too much")
        return super().predict(X)


def rows(number: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=number)})
    frame["late"] = (frame["x"] + random.normal(size=number) > 0).astype(int)
    return frame


def fitted(sign: float = 1.0, kind: type[LogisticRegression] = LogisticRegression) -> Any:
    """A model that knows, or with ``sign=-1`` says the contrary."""
    learnt = rows(2000, seed=9)
    return kind().fit(sign * learnt[["x"]], learnt["late"])


@pytest.fixture
def server(tmp_path: Path) -> MemoryServer:
    return MemoryServer(None, Context(name="server", state_dir=tmp_path / "state"))


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


def registered(registry: MemoryRegistry, model: Any, folder: Path) -> ModelVersion:
    package = package_model(model, example=rows(5)[["x"]], folder=folder)
    return registry.register("flight_delays", package)


@pytest.fixture
def versions(
    registry: MemoryRegistry, server: MemoryServer, tmp_path: Path
) -> tuple[ModelVersion, ModelVersion]:
    """Version 1 is the champion, version 2 stands beside it and says the contrary."""
    made = [registered(registry, fitted(sign), tmp_path / f"m{sign}") for sign in (1.0, -1.0)]
    for version in made:
        deploy(version, registry=registry, server=server)
    return made[0], made[1]


def ask(server: MemoryServer, number: int, seed: int = 1) -> pd.DataFrame:
    """Send flights one by one; return their labels."""
    sent = rows(number, seed)
    ids = [f"{seed}-{n}" for n in range(number)]
    for place, id in enumerate(ids):
        request = encode_request(sent[["x"]].iloc[[place]], id=id)
        server.predict(NAME, request)
    return pd.DataFrame({"id": ids, "late": sent["late"]})


def test_the_first_version_is_alone_and_the_next_one_is_not(
    registry: MemoryRegistry, server: MemoryServer, tmp_path: Path
) -> None:
    first = registered(registry, fitted(), tmp_path / "one")
    assert deploy(first, registry=registry, server=server).alone
    assert deploy(first, registry=registry, server=server).alone
    second = registered(registry, fitted(-1.0), tmp_path / "two")
    beside = deploy(second, registry=registry, server=server)
    assert not beside.alone
    assert beside.endpoint.traffic == {"1": 100, "2": 0}


def test_a_worse_canary_is_found_and_rolled_back(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    trial = canary(versions[1], 40, server=server)
    assert (trial.champion, trial.percent) == ("1", 40)
    labels = ask(server, 600)
    found = judge(trial, labels, NOT_WORSE, label="late", server=server)
    report = found.report
    assert not found.passed
    assert report.outcome == "fail"
    assert report.challenger.requests + report.champion.requests == 600
    assert report.challenger.labels == report.challenger.requests
    assert report.metrics["brier"] > report.metrics["brier_champion"] + 0.1
    back = roll_back(trial, because=report, server=server)
    assert back.traffic == {"1": 100, "2": 0}
    assert roll_back(trial, because=report, server=server) == back


def test_a_canary_that_is_as_good_goes_live_and_back(
    registry: MemoryRegistry, server: MemoryServer, tmp_path: Path
) -> None:
    for n in range(2):
        version = registered(registry, fitted(), tmp_path / f"m{n}")
        deploy(version, registry=registry, server=server)
    trial = canary(version, 50, server=server)
    labels = ask(server, 1500)
    terms = {"label": "late", "reliability": 0.9, "slower": 20.0}
    found = judge(trial, labels, "brier_champion - brier > -0.05 +/- 0.02", server=server, **terms)
    assert found.passed, found.report
    live = go_live(trial, because=found.report, server=server)
    assert (live.champion, live.previous) == ("2", "1")
    back = roll_back(trial, because="it was too early", server=server)
    assert back.champion == "1"
    assert roll_back(trial, server=server) == back


def test_a_shadow_is_judged_on_the_same_requests(
    registry: MemoryRegistry, server: MemoryServer, tmp_path: Path
) -> None:
    """So that it takes fewer labels to tell models apart that mostly agree."""
    for n in range(2):
        version = registered(registry, fitted(1.0 + n / 2), tmp_path / f"m{n}")
        deploy(version, registry=registry, server=server)
    trial = shadow(version, server=server)
    labels = ask(server, 200)
    report = judge(trial, labels, NOT_WORSE, label="late", server=server).report
    assert (report.challenger.requests, report.champion.requests) == (200, 200)
    paired = (report.high or 0) - (report.low or 0)
    log = read_answers(server.inferences(NAME), *window())
    watched = log["role"] == "shadow"
    apart = log.assign(
        role=log["role"].replace("shadow", "challenger"),
        id=log["id"].where(~watched, "other-" + log["id"]),
    )
    both = pd.concat([labels, labels.assign(id="other-" + labels["id"])])
    unpaired = judged(apart, both, condition=NOT_WORSE)
    assert 0 < 2 * paired < (unpaired.high or 0) - (unpaired.low or 0)
    assert roll_back(trial, server=server).shadow is None


def test_a_version_that_fails_is_found_without_labels(
    registry: MemoryRegistry, server: MemoryServer, tmp_path: Path
) -> None:
    for n in range(2):
        version = registered(registry, fitted(), tmp_path / f"m{n}")
        deploy(version, registry=registry, server=server)
    server._served[NAME].models["2"] = fitted(kind=Fails)
    trial = canary(version, 50, server=server)
    failed = 0
    for n in range(400):
        try:
            ask(server, 1, seed=n)
        except InvalidInput:
            failed += 1
    report = judge(trial, server=server, slower=50.0).report
    assert 0 < failed == report.challenger.failed
    assert report.champion.failed == 0
    assert (report.outcome, report.condition) == ("fail", "")
    assert f"{failed} of {report.challenger.requests} requests failed" in report.reason
    log = read_inferences(server.inferences(NAME))
    assert len(log) == 400 - failed


def window() -> tuple[dt.datetime, dt.datetime]:
    return dt.datetime(2000, 1, 1, tzinfo=dt.UTC), dt.datetime(3000, 1, 1, tzinfo=dt.UTC)


def log_of(mine: Mapping[str, Any], other: Mapping[str, Any], number: int = 400) -> pd.DataFrame:
    """A log of ``number`` requests of each version."""
    sides = []
    for version, role, given in (("2", "challenger", mine), ("1", "champion", other)):
        ids = [f"{version}-{n}" for n in range(number)]
        base = {"id": ids, "row": 0, "version": version, "role": role, "latency_ms": 5.0}
        sides.append(pd.DataFrame({**base, "error": None, "output:predict": 0.0, **given}))
    return pd.concat(sides, ignore_index=True)


def judged(log: pd.DataFrame, labels: Any = None, *, watched: bool = False, **terms: Any) -> Any:
    given = {"condition": "", "label": "late", "reliability": 0.95, "minimum": 100}
    asked = Terms(**{**given, "failing": 0.01, "slower": 2.0, **terms})
    return hold(asked, NAME, ("2", "1"), log, labels, watched=watched)


def test_what_takes_too_long_fails() -> None:
    random = np.random.default_rng(0)
    quick, slow = random.gamma(4, 1, 400), random.gamma(4, 4, 400)
    report = judged(log_of({"latency_ms": slow}, {"latency_ms": quick}))
    assert report.outcome == "fail"
    assert "more than 2 times" in report.reason
    assert judged(log_of({"latency_ms": quick}, {"latency_ms": slow})).outcome == "pass"
    assert judged(log_of({"latency_ms": slow}, {"latency_ms": quick}), slower=9).outcome == "pass"


def test_one_failure_does_not_hide_that_it_is_slow() -> None:
    errors = np.array([None] * 100, dtype=object)
    errors[3] = "500"
    log = log_of({"latency_ms": 500.0, "error": errors}, {}, 100)
    assert judged(log).outcome == "fail"


def test_seldom_does_one_that_is_as_good_fail() -> None:
    """At reliability 0.95 each of two checks is wrong about equals in at most 5 of 100 trials."""
    wrong = {"failed, of": 0, "answers take": 0}
    for seed in range(200):
        random = np.random.default_rng(seed)
        sides = [
            {
                "latency_ms": random.gamma(4, 1, 200),
                "error": np.where(random.random(200) < 0.02, "500", None),
            }
            for _ in range(2)
        ]
        report = judged(log_of(sides[0], sides[1], 200), slower=1.0, failing=0.0)
        for said in wrong:
            wrong[said] += said in report.reason
    assert max(wrong.values()) <= 10 + 10  # three standard deviations of chance


def test_what_often_fails_is_mostly_found() -> None:
    found = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        errors = np.where(random.random(100) < 0.1, "500", None)
        found += judged(log_of({"error": errors}, {}, 100)).outcome == "fail"
    assert found > 85


def test_rows_of_one_request_are_no_evidence_of_their_own() -> None:
    """Of equals, whose requests have ten rows with one truth, few are told apart."""
    told = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        logs, truths = [], []
        for version, role in (("2", "challenger"), ("1", "champion")):
            ids = np.repeat([f"{version}-{n}" for n in range(100)], 10)
            base = {"id": ids, "row": np.tile(range(10), 100), "version": version, "role": role}
            logs.append(pd.DataFrame({**base, "latency_ms": 5.0, "error": None}))
            logs[-1]["output:probability"] = 0.3
            late = np.repeat(random.random(100) < 0.3, 10)
            truths.append(pd.DataFrame({"id": ids, "row": base["row"], "late": late}))
        condition = "brier_champion - brier > 0 +/- 0.5"
        report = judged(pd.concat(logs), pd.concat(truths), condition=condition)
        told += report.outcome == "pass"
    assert told <= 8


@pytest.mark.parametrize("watched", [False, True])
def test_rows_of_few_requests_tell_nothing(watched: bool) -> None:
    """However many they are: what is drawn are requests."""
    logs = []
    for version, role in (("2", "shadow" if watched else "challenger"), ("1", "champion")):
        ids = np.repeat([n if watched else f"{version}-{n}" for n in range(100)], 50)
        base = {"id": ids, "row": np.tile(range(50), 100), "version": version, "role": role}
        logs.append(pd.DataFrame({**base, "latency_ms": 5.0, "error": None}))
        logs[-1]["output:probability"] = 0.3 if version == "1" else 0.9
    log = pd.concat(logs)
    few = log[log["id"].isin([1, 2, "1-1", "1-2", "2-1", "2-2"])]
    labels = few[["id", "row"]].drop_duplicates().assign(late=np.arange(50 * 2 * (2 - watched)) % 2)
    report = judged(log, labels, watched=watched, condition=NOT_WORSE)
    assert report.outcome == "inconclusive"
    assert report.reason == "labels of 2 requests of 30 needed of either version"
    assert report.needed == (28 if watched else 56)


def test_looking_again_and_again_is_paid_for() -> None:
    """Equals are judged after each 50 requests, 20 times; one look alone would find many worse."""

    def found_worse(looks: int) -> int:
        worse = 0
        for seed in range(100):
            random = np.random.default_rng(seed)
            failed = [np.cumsum(random.binomial(50, 0.05, 20)) for _ in range(2)]
            worse += any(
                share_above((mine, asked), (other, asked), error(looks)) > 0
                for mine, other, asked in zip(*failed, range(50, 1050, 50), strict=True)
            )
        return worse

    def error(looks: int) -> float:
        return Terms("", "", 0.9, 1, 0.0, 1.0, looks).error

    assert found_worse(1) > 10 >= found_worse(20)
    assert judged(log_of({}, {}), looks=1).outcome == "pass"
    ten = {"error": np.where(np.arange(100) < 10, "500", None)}
    assert judged(log_of(ten, {}, 100)).outcome == "fail"
    assert judged(log_of(ten, {}, 100), looks=1000).outcome == "pass"
    with pytest.raises(InvalidInput, match="looks is 0"):
        judged(log_of({}, {}), looks=0)


def test_too_little_tells_nothing() -> None:
    log = log_of({}, {}, 50)
    assert judged(log).outcome == "inconclusive"
    assert "50 requests to it of 100 needed" in judged(log).reason
    condition = "accuracy - accuracy_champion > -0.02 +/- 0.02"
    assert judged(log_of({}, {}), condition=condition).reason == "no label has come"
    labels = pd.DataFrame({"id": ["1-1", "2-1", "1-2", "2-2"], "late": [0, 0, 1, 1]})
    report = judged(log_of({}, {}), labels, condition=condition)
    assert (report.outcome, report.needed > 0) == ("inconclusive", True)
    assert (report.challenger.labels, report.champion.labels) == (2, 2)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"reliability": 1.0}, "reliability"),
        ({"minimum": 0}, "minimum"),
        ({"failing": 1.0}, "failing"),
        ({"slower": 0.5}, "slower"),
        ({"condition": "brier < 0.2 +/- 0.1"}, "does not name the champion"),
        ({"condition": NOT_WORSE, "label": ""}, "column with the label"),
    ],
)
def test_terms_that_cannot_be_are_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        judged(log_of({}, {}), **terms)


def test_only_what_came_since_the_trial_began_counts(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    trial = canary(versions[1], 50, server=server)
    ask(server, 50)
    later = replace(trial, since=dt.datetime.now(dt.UTC).timestamp())
    assert judge(later, server=server).report.challenger.requests == 0
    before = judge(trial, server=server).report
    assert before.challenger.requests + before.champion.requests == 50


def test_a_judge_waits_for_requests(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion], monkeypatch: Any
) -> None:
    trial = canary(versions[1], 50, server=server)
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        ask(server, 100, seed=len(naps))

    monkeypatch.setattr("stackyard.judging.time.sleep", nap)
    report = judge(trial, minimum=120, patience="1h", slower=50.0, server=server).report
    assert report.challenger.requests >= 120
    assert 1 < len(naps) < 6


def test_what_is_no_trial_is_refused(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    for percent in (0, 100):
        with pytest.raises(InvalidInput, match="1 to 99"):
            canary(versions[1], percent, server=server)
    with pytest.raises(InvalidInput, match="champion already"):
        canary(versions[0], 10, server=server)
    with pytest.raises(InvalidInput, match="champion already"):
        shadow(versions[0], server=server)
    with pytest.raises(NotFound):
        canary(versions[1], 10, "elsewhere", server=server)
    with pytest.raises(NotFound):
        roll_back(Trial("elsewhere", "2", "1", 10, 0.0), server=server)


def test_a_gate_is_a_reason_too(
    server: MemoryServer,
    versions: tuple[ModelVersion, ModelVersion],
    capsys: pytest.CaptureFixture[str],
) -> None:
    trial = canary(versions[1], 10, server=server)
    go_live(trial, GateReport("auc > 0.6 +/- 0.1", "pass", "", 10, 0.9), server=server)
    assert "gate: pass: auc > 0.6 +/- 0.1" in capsys.readouterr().out


def test_whoever_asks_a_shadow_by_name_is_no_part_of_its_trial(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    trial = shadow(versions[1], server=server)
    labels = ask(server, 150)
    sent = rows(40, 7)
    ids = [f"named-{n}" for n in range(40)]
    for place, id in enumerate(ids):
        request = encode_request(sent[["x"]].iloc[[place]], id=id)
        server.predict(NAME, request, version="2")
    both = pd.concat([labels, pd.DataFrame({"id": ids, "late": sent["late"]})])
    report = judge(trial, both, NOT_WORSE, label="late", server=server).report
    assert report.outcome == "fail"
    assert (report.challenger.requests, report.challenger.labels) == (150, 150)


def test_a_trial_that_is_over_is_not_judged(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    """So that nothing comes back that a person has rolled back."""
    trial = canary(versions[1], 50, server=server)
    ask(server, 300)
    assert judge(trial, server=server, slower=50.0).passed
    server.rollback(NAME)
    found = judge(trial, server=server, slower=50.0)
    assert not (found.passed or found.failed)
    assert found.report.reason == "the trial is over: version 2 gets no requests"


def test_only_what_was_judged_changes_places(
    registry: MemoryRegistry,
    server: MemoryServer,
    versions: tuple[ModelVersion, ModelVersion],
    tmp_path: Path,
) -> None:
    trial = canary(versions[1], 50, server=server)
    go_live(trial, server=server)
    third = registered(registry, fitted(), tmp_path / "third")
    deploy(third, registry=registry, server=server)
    later = canary(third, 10, server=server)
    with pytest.raises(Conflict, match="1, which was before it, is not ready"):
        roll_back(trial, server=server)
    assert server.status(NAME).traffic == {"2": 90, "3": 10}
    go_live(later, server=server)
    with pytest.raises(Conflict, match="the champion is 3"):
        go_live(trial, server=server)


def test_a_canary_that_always_fails_is_not_given_more_requests(
    server: MemoryServer, versions: tuple[ModelVersion, ModelVersion], monkeypatch: Any
) -> None:
    monkeypatch.setattr("stackyard.judging.time.sleep", pytest.fail)
    trial = canary(versions[1], 50, server=server)
    server._served[NAME].models["2"] = None
    for n in range(60):
        with suppress(Exception):
            ask(server, 1, seed=n)
    found = judge(trial, server=server, minimum=1000, patience="1h")
    assert found.failed
    assert found.report.challenger.failed == found.report.challenger.requests > 15


def labelled(log: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": log["id"], "late": 0, **columns})


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (lambda log: labelled(log).drop(columns="id"), "needs the column 'id'"),
        (lambda log: labelled(log).rename(columns={"late": "truth"}), "no column 'late'"),
        (lambda log: labelled(log, role="x"), "has a column 'role', too"),
        (lambda log: pd.concat([labelled(log)] * 2), "are of a row that has one"),
    ],
)
def test_labels_that_cannot_be_joined_are_refused(labels: Any, said: str) -> None:
    log = log_of({}, {})
    with pytest.raises(InvalidInput, match=said):
        judged(log, labels(log), condition="accuracy - accuracy_champion > 0 +/- 0.1")


def test_labels_of_one_class_tell_nothing() -> None:
    log = log_of({"output:predict": 1.0}, {"output:predict": 0.0})
    report = judged(log, labelled(log, late="no"), condition=NOT_WORSE)
    assert (report.outcome, report.reason) == ("inconclusive", "all labels are of one class")


def test_classes_that_are_not_told_as_0_and_1_are_refused() -> None:
    log = log_of({"output:predict": 2.0}, {"output:predict": 1.0})
    late = np.tile([0, 1], len(log) // 2)
    with pytest.raises(InvalidInput, match="classes other than 0 and 1"):
        judged(log, labelled(log, late=late), condition=NOT_WORSE)


def test_an_id_that_many_requests_have_counts_each_and_has_no_label() -> None:
    log = log_of({}, {})
    log.loc[log["version"] == "2", "id"] = "same"
    labels = labelled(log.drop_duplicates("id"))
    report = judged(log, labels, condition="accuracy - accuracy_champion > 0 +/- 0.1")
    assert (report.challenger.requests, report.challenger.labels) == (400, 0)
    assert report.outcome == "inconclusive"


def test_what_the_champion_was_not_asked_tells_nothing() -> None:
    log = log_of({"latency_ms": 500.0}, {}, 120)
    report = judged(log[log["version"] == "2"])
    assert (report.outcome, report.champion.requests) == ("inconclusive", 0)
    assert "0 requests to the champion of 100 needed" in report.reason
