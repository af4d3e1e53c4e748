"""Broken model servers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from acme_tools.server import AcmeServer, AcmeServerConfig

from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.components.server import Endpoint
from stackyard.errors import AlreadyExists, InvalidInput, NotFound, StackyardError
from stackyard.models import folder_digest

REFUSED = "test_09_what_the_model_does_not_take_is_refused"
Given = Mapping[str, Any]


class KnowsWhatItDeployed(AcmeServer):
    """What is served is an attribute, which no other component has."""

    caught_by = "test_01_the_first_version_gets_every_request"
    _served: tuple[str, ...] = ()

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        made = super().deploy(package, name, version)
        self._served = (*self._served, name)
        return made

    def status(self, name: str) -> Endpoint:
        if name not in self._served:
            raise NotFound(f"there is no endpoint {name!r}")
        return super().status(name)


class KeepsTheFirst(AcmeServer):
    """A name that is served is not deployed again."""

    caught_by = "test_02_a_further_version_gets_no_request"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        try:
            return self.status(name)
        except StackyardError:
            return super().deploy(package, name, version)


class TakesAnotherModel(AcmeServer):
    """The same version may be any model, the last one counts."""

    caught_by = "test_02_a_further_version_gets_no_request"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        try:
            return super().deploy(package, name, version)
        except AlreadyExists:
            self.undeploy(name)
            return super().deploy(package, name, version)


class PromisesTooEarly(AcmeServer):
    """Whether the model can be read is seen when it is asked."""

    caught_by = "test_03_what_does_not_get_ready_changes_nothing"
    _asked = False

    def predict(self, *given: Any, **named: Any) -> Given:
        self._asked = True
        return super().predict(*given, **named)

    def _model(self, *given: Any) -> Any:
        return super()._model(*given) if self._asked else None


class StopsTheOneBefore(AcmeServer):
    """What was served ends before the next version is known to work."""

    caught_by = "test_03_what_does_not_get_ready_changes_nothing"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        self.undeploy(name)
        return super().deploy(package, name, version)


class ChecksNoRequests(AcmeServer):
    """A model without a signature is served."""

    caught_by = "test_04_what_cannot_be_served_is_refused"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        guessed = package.signature or Signature((Field("input", "FP64"),))
        return super().deploy(replace(package, signature=guessed), name, version)


class BelievesTheFolder(AcmeServer):
    """A package is what its folder holds, whatever its digest is."""

    caught_by = "test_04_what_cannot_be_served_is_refused"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        found = folder_digest(Path(package.uri))
        return super().deploy(replace(package, digest=found), name, version)


class TakesAnyPath(AcmeServer):
    """The name of an endpoint may lead to other folders."""

    caught_by = "test_05_what_is_not_there"

    def _file(self, name: str) -> Path:
        return self._home / f"{name}.json"


class EndsOnlyWhatIsThere(AcmeServer):
    """What is not served cannot be undeployed."""

    caught_by = "test_05_what_is_not_there"

    def undeploy(self, name: str) -> None:
        self._file(name).unlink()


class NeverEnds(AcmeServer):
    """An endpoint stays."""

    caught_by = "test_06_what_is_undeployed_is_gone"

    def undeploy(self, name: str) -> None:
        pass


class LosesTheId(AcmeServer):
    """Each answer has an id of its own."""

    caught_by = "test_07_the_answers_are_the_models"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        return super().predict(name, {k: v for k, v in request.items() if k != "id"}, **named)


class GivesAll(AcmeServer):
    """Which outputs are asked for is not looked at."""

    caught_by = "test_08_only_the_outputs_that_are_asked_for"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        return super().predict(name, {k: v for k, v in request.items() if k != "outputs"}, **named)


class LeavesOutWhatIsUnknown(AcmeServer):
    """Inputs that the model does not take are dropped."""

    caught_by = f"{REFUSED}[change1-'carier'.*Did you mean 'carrier']"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        known = ("hour", "distance", "carrier")
        kept = [one for one in request["inputs"] if one["name"] in known]
        return super().predict(name, {**request, "inputs": kept}, **named)


class Converts(AcmeServer):
    """Text is taken for numbers."""

    caught_by = f"{REFUSED}[change5-'distance'.*FP64]"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        made = [
            {**one, "datatype": "FP64", "data": [float(text) for text in one["data"]]}
            if one["name"] == "distance" and one["datatype"] == "BYTES"
            else one
            for one in request["inputs"]
        ]
        return super().predict(name, {**request, "inputs": made}, **named)


class AnswersNothing(AcmeServer):
    """A request without rows gets an answer without rows."""

    caught_by = "test_10_what_is_no_request_is_refused"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        if any(not one["data"] for one in request.get("inputs", ())):
            return {"model_name": name, "id": "none", "outputs": []}
        return super().predict(name, request, **named)


class KeepsTheRequest(AcmeServer):
    """A request is an attribute for a moment, which another thread replaces."""

    caught_by = "test_11_threads_get_their_own_answers"

    def predict(self, name: str, request: Given, **named: Any) -> Given:
        self._request = request
        time.sleep(0.02)
        return super().predict(name, self._request, **named)


class AnswersForAny(AcmeServer):
    """Which version is asked is not looked at."""

    caught_by = "test_12_a_version_can_be_asked"

    def predict(self, name: str, request: Given, *, version: str | None = None) -> Given:
        return super().predict(name, request)


class LetsItBe(AcmeServer):
    """What it cannot, it does not, and says nothing."""

    caught_by = "test_13_versions_get_their_share"

    def set_traffic(self, name: str, traffic: Mapping[str, int]) -> Endpoint:
        return self.status(name)


class RefusesInItsOwnWords(AcmeServer):
    """What it cannot is told as if the request were wrong."""

    caught_by = "test_21_the_log_stays"

    def inferences(self, name: str) -> Path:
        raise InvalidInput("there is no log")


@dataclass(frozen=True)
class Deeper(AcmeServerConfig):
    """Says more than it was told."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.folder}/endpoints")


class ConfiguresItself(AcmeServer):
    """Its configuration, said again, is another one."""

    caught_by = "test_c01_what_a_stack_says_is_the_configuration"
    configured_by = Deeper


class BeginsAtOnce(AcmeServer):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self._home.mkdir(parents=True, exist_ok=True)


class RaisesInDoctor(AcmeServer):
    """A check that finds something raises."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        raise FileNotFoundError(Path("endpoints"))


class KeepsAnIndex(AcmeServer):
    """It reads which endpoints there are, thinks, and writes all of them."""

    caught_by = "test_c09_two_processes_at_once"

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        before = self._names()
        made = super().deploy(package, name, version)
        time.sleep(0.5)
        (self._home / "index").write_text("\n".join({*before, name}))
        return made

    def _names(self) -> Any:
        index = self._home / "index"
        return sorted(index.read_text().splitlines()) if index.exists() else []
