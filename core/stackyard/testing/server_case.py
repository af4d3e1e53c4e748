"""What the tests of a server's contract are made of: models, requests, an endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.components.server import Endpoint, Server
from stackyard.inference import PROBABILITY, encode_request
from stackyard.models import MODEL, folder_digest, load_model, package_model, signature_from
from stackyard.testing.component import ComponentContract
from stackyard.testing.in_stack import give_secrets, secrets_of

Models = Callable[[int], ModelPackage]

CARRIERS = ["UA", "DL", "AA"]
NO_NAMES = ("", "Flights", "a/b", "../a", "1a", "a_b", "a-", "a" * 51, "a\n", "größe", "a'b")
DEPLOYED = ("shared", "ended", "refused", *NO_NAMES)


@dataclass(frozen=True)
class Ended:
    """An endpoint that is not served any more, and what it had been asked."""

    name: str
    logged_before: int  # files of the log before it was asked
    asked: frozenset[str]


def rows(count: int = 60, seed: int = 0) -> pd.DataFrame:
    """Flights: whole numbers, numbers with some missing, text."""
    random = np.random.default_rng(seed)
    distance = random.integers(100, 900, count).astype("float64")
    distance[::7] = np.nan
    return pd.DataFrame(
        {
            "hour": random.integers(0, 24, count),
            "distance": distance,
            "carrier": random.choice(CARRIERS, count),
        }
    )


def model(number: int) -> Any:
    """A classifier; another number, another one."""
    # Here, because a process that only deploys needs none of it and would take seconds longer.
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from sklearn.tree import DecisionTreeClassifier

    frame = rows(600, seed=number)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("c", codes, ["carrier"])], remainder="passthrough")
    late = (frame["hour"] * number + frame["distance"].fillna(0)) % 7 < 3
    tree = DecisionTreeClassifier(max_depth=6, random_state=number)
    return make_pipeline(columns, tree).fit(frame, late)


def expected(package: ModelPackage, frame: pd.DataFrame) -> pd.DataFrame:
    """What the packaged model itself says."""
    loaded = load_model(package)
    chance = loaded.predict_proba(frame)[:, 1]
    return pd.DataFrame({"predict": loaded.predict(frame), PROBABILITY: chance})


def unreadable(package: ModelPackage, folder: Path) -> ModelPackage:
    """A package whose digest is right and whose model no one can read."""
    import shutil

    shutil.copytree(package.uri, folder)
    (folder / MODEL).chmod(0o644)
    (folder / MODEL).write_bytes(b"this is no model")
    return ModelPackage(
        package.format, str(folder), folder_digest(folder), package.signature, package.requirements
    )


def _at_once(token: str) -> list[str]:
    """The endpoint that both processes deploy, and the one of each."""
    return [token, f"{token}-0", f"{token}-1"]


def _log_files(server: Server, name: str) -> list[Path]:
    return list(server.inferences(name).rglob("*")) if "log" in server.capabilities else []


def ask(server: Server, name: str, *, version: str | None = None, seed: int = 0) -> Any:
    """The answer to three rows."""
    return server.predict(name, encode_request(rows(3, seed)), version=version)


class ServerCase(ComponentContract):
    """How the server under test is made, and what most tests ask of it.

    Starting an endpoint takes seconds with a real server. So the component and two endpoints are
    made once for the class: ``shared``, which has version 1 as champion and, where it can be,
    version 2 beside it, as every test leaves it; and ``ended``, which was undeployed. Therefore
    ``settings`` has the scope of the class, too.
    """

    kind = "server"

    #: False where nothing can answer requests, such as a stand-in for a cluster.
    answers: ClassVar[bool] = True

    def ask(self, component: Server) -> object:
        """What is served."""
        return component.list()

    def before_at_once(self, component: Server, token: str) -> None:
        """A model is packaged."""
        folder = component.context.project / token
        package = package_model(model(1), example=rows(), folder=folder)
        folder.with_suffix(".json").write_text(json.dumps(asdict(package)), encoding="utf-8")

    @classmethod
    def do_at_once(cls, component: Server, number: int, token: str) -> Any:
        """Deploy an endpoint that both deploy, and one of its own."""
        file = (component.context.project / token).with_suffix(".json")
        facts = json.loads(file.read_bytes())
        facts["signature"] = signature_from(facts["signature"])
        package = ModelPackage(**facts | {"requirements": tuple(facts["requirements"])})
        made = [component.deploy(package, name, "1") for name in (token, f"{token}-{number}")]
        return [asdict(one) for one in made]

    def check_at_once(self, component: Server, results: list[Any], token: str) -> None:
        """All three are served, each with one version; of the common one both were told the
        same."""
        names = _at_once(token)
        assert results[0][0] == results[1][0]
        served = {one.name: one for one in component.list()}
        assert set(names) <= set(served)
        assert [served[name].traffic for name in names] == [{"1": 100}] * 3
        for name in names if self.answers else ():
            assert ask(component, name)["model_version"] == "1"

    def after_at_once(self, component: Server, token: str) -> None:
        """None of the three is served any more."""
        for name in _at_once(token):
            component.undeploy(name)

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _said_for_all(cls, settings: Mapping[str, Any] | None) -> Iterator[None]:
        """Before anything is deployed, for which secrets may be needed."""
        cls._settings = settings
        with pytest.MonkeyPatch.context() as patch:
            give_secrets(secrets_of(cls.kind, settings), patch)
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def context(cls, tmp_path_factory: pytest.TempPathFactory) -> Context:
        """A context as core gives it; override to put more into it."""
        project = tmp_path_factory.mktemp("project")
        folder = project / ".stackyard"
        return Context(
            name="server",
            stack="local",
            project=project,
            cache_dir=folder / "cache",
            state_dir=folder / "state",
        )

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, context: Context, _said_for_all: None) -> Iterator[Server]:
        """The component under test; what the class's tests deployed is ended after them."""
        made = cls().connect(context)
        yield made
        for endpoint in made.list():
            if endpoint.name in DEPLOYED:  # a server may serve others, too
                made.undeploy(endpoint.name)
        made.close()

    @pytest.fixture(scope="class")
    @classmethod
    def models(cls, tmp_path_factory: pytest.TempPathFactory) -> Models:
        """Packages of models by number; one of a number is packaged once."""
        folder = tmp_path_factory.mktemp("models")
        made: dict[int, ModelPackage] = {}

        def of(number: int) -> ModelPackage:
            if number not in made:
                made[number] = package_model(
                    model(number), example=rows(), folder=folder / f"{number}"
                )
            return made[number]

        return of

    @pytest.fixture(scope="class")
    @classmethod
    def deployed(cls, server: Server, models: Models) -> tuple[Endpoint, ...]:
        """What deploying version 1 and version 2 of the endpoint ``shared`` gave."""
        first = server.deploy(models(1), "shared", "1")
        if "canary" not in server.capabilities:
            return (first,)
        return first, server.deploy(models(2), "shared", "2")

    @pytest.fixture
    def shared(self, server: Server, deployed: tuple[Endpoint, ...]) -> str:
        """The shared endpoint; version 1 gets every request, 2 stands beside it."""
        if "canary" in server.capabilities:
            server.promote("shared", "1")
        return "shared"

    @pytest.fixture(scope="class")
    @classmethod
    def ended(cls, server: Server, models: Models) -> Ended:
        """An endpoint that was served, asked and undeployed."""
        server.deploy(models(1), "ended", "1")
        before = len(_log_files(server, "ended"))
        asked = {ask(server, "ended")["id"] for _ in range(3)} if cls.answers else set()
        server.undeploy("ended")
        return Ended("ended", before, frozenset(asked))

    def can_answer(self) -> None:
        """Skip where nothing can answer requests."""
        if not self.answers:
            pytest.skip("nothing is there that could answer requests")
