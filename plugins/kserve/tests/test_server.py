"""The cluster side, against a fake cluster: see ``fake_cluster``, which is no cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_case import Clock, Make, annotations, go_by, package, predictor
from fake_cluster import KUBECONFIG, TOKEN, FakeCluster
from inference_service_crd import CRD, Schema

from stackyard.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from stackyard.testing import ServerContract

IMAGES = {"sklearn-skops": "registry.example/server:1"}


class TestKServe(ServerContract):
    """The server's contract; the fake cluster answers with the models themselves."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[dict[str, Any]]:
        schema: Schema | None = request.getfixturevalue("schema") if CRD.is_file() else None
        clock = Clock(passing=True)
        fake = FakeCluster(schema or (lambda body: []), clock)
        fake.delay = 0.5
        folder = tmp_path_factory.mktemp("cluster")
        with pytest.MonkeyPatch.context() as patch:
            go_by(clock, patch)
            yield {
                "flavor": "kserve",
                "namespace": "models",
                "kubeconfig": fake.kubeconfig(folder),
                "storage": f"file://{folder}/storage",
                "images": IMAGES,
                "gateway": fake.url,
            }
        fake.stop()

    def silent(self, address: str) -> dict[str, Any]:
        assert self._settings is not None
        kubeconfig = Path(self._settings["kubeconfig"])
        silent = kubeconfig.with_name("silent")
        silent.write_text(KUBECONFIG.format(url=f"http://{address}", token=TOKEN))
        return {**self._settings, "kubeconfig": str(silent), "gateway": f"http://{address}"}


# What the contract does not say


def test_a_rollout_in_kserves_words(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    assert "canaryTrafficPercent" not in predictor(fake)
    server.deploy(package(2), "delays", "2")
    assert predictor(fake)["canaryTrafficPercent"] == 0
    assert predictor(fake)["model"]["storageUri"] == "s3://acme-ml/2"
    server.set_traffic("delays", {"1": 75, "2": 25})
    assert predictor(fake)["canaryTrafficPercent"] == 25
    server.promote("delays", "2")
    assert "canaryTrafficPercent" not in predictor(fake)
    server.rollback("delays")
    assert predictor(fake)["canaryTrafficPercent"] == 0
    revisions = fake.service("delays")["status"]["components"]["predictor"]
    assert revisions["latestCreatedRevision"] == "delays-predictor-00002"  # no pod was restarted


def test_what_was_rolled_back_gets_nothing_when_another_one_comes(make: Make) -> None:
    """KServe would put the revision that it remembers as rolled out beside the newest."""
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    server.promote("delays", "2")
    server.rollback("delays")
    assert server.deploy(package(3), "delays", "3").traffic == {"1": 100, "3": 0}
    shares = server._seen("delays")
    assert shares.shares == {"delays-predictor-00001": 100, "delays-predictor-00003": 0}


def test_an_interrupted_promotion_is_waited_for(fake: FakeCluster, make: Make) -> None:
    """Else the version beside the next one would be the one before the promotion."""
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    fake.edit("delays", lambda body: body["spec"]["predictor"].pop("canaryTrafficPercent"))
    fake.asleep = 4
    made = server.deploy(package(3), "delays", "3")
    assert made.traffic == {"2": 100, "3": 0}
    assert server._seen("delays").shares["delays-predictor-00002"] == 100


def test_the_champion_before_a_promotion_gets_no_share(make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    before = server.promote("delays", "2")
    with pytest.raises(Conflict, match=r"Roll back to 1 first"):
        server.set_traffic("delays", {"1": 10, "2": 90})
    assert server.status("delays") == before
    assert server.promote("delays", "1").traffic == {"1": 100, "2": 0}


def test_a_canary_from_git(fake: FakeCluster, make: Make) -> None:
    """Rendered and applied by something else, which has no word for the version before."""
    server = make(storage="file:///unused")
    for number in (1, 2):
        (text,) = server.render(package(number), "delays", str(number)).values()
        body = yaml.safe_load(text)
        if number == 1:
            fake.put(body)
            server._wait("delays", lambda seen: seen.settled)
            assert server.status("delays").traffic == {"1": 100}
            continue
        body["spec"]["predictor"]["canaryTrafficPercent"] = 10
        fake.edit("delays", lambda kept, body=body: kept.update(spec=body["spec"]))
        fake.edit("delays", lambda kept, body=body: kept["metadata"].update(
            annotations=body["metadata"]["annotations"]))  # fmt: skip
    seen = server._wait("delays", lambda seen: seen.version == "2" and seen.settled).endpoint()
    assert seen.traffic == {"delays-predictor-00001": 90, "2": 10}
    assert server.promote("delays", "2").traffic == {"2": 100}


def test_others_changes_and_additions_stay(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")

    def add(body: dict[str, Any]) -> None:
        body["metadata"]["annotations"]["team"] = "flights"
        body["spec"]["predictor"]["timeout"] = 30

    fake.edit("delays", add)
    server.deploy(package(2), "delays", "2")
    assert annotations(fake)["team"] == "flights"
    assert predictor(fake)["timeout"] == 30
    server.promote("delays", "2")
    assert predictor(fake)["timeout"] == 30


def test_other_settings_of_the_stack_are_applied(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    larger = make(resources={"memory": "4Gi"})
    assert larger.deploy(package(2), "delays", "2").traffic == {"1": 100, "2": 0}
    assert predictor(fake)["model"]["resources"]["limits"] == {"memory": "4Gi"}
    larger.set_traffic("delays", {"2": 100})
    with pytest.raises(Conflict, match="Promote it or roll back first"):
        server.deploy(package(2), "delays", "2")
    larger.promote("delays", "2")
    made = server.deploy(package(2), "delays", "2")
    assert (made.champion, made.previous, made.traffic) == ("2", None, {"2": 100})
    assert "resources" not in predictor(fake)["model"]


def test_other_settings_are_waited_for(fake: FakeCluster, make: Make) -> None:
    """The version is ready already, but not as it is to run."""
    make().deploy(package(1), "delays", "1")
    fake.delay = 0.5
    server = make(resources={"memory": "4Gi"})
    server.deploy(package(1), "delays", "1")
    assert server._seen("delays").shares == {"delays-predictor-00002": 100}


def test_what_somebody_else_made_is_left_alone(fake: FakeCluster, make: Make) -> None:
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "delays", "namespace": "models"},
        "spec": {"predictor": {"sklearn": {"storageUri": "s3://theirs/1"}}},
    }
    fake.put(body)
    server = make()
    with pytest.raises(Conflict, match="not made by Stackyard"):
        server.deploy(package(1), "delays", "1")
    with pytest.raises(NotFound):
        server.promote("delays", "1")
    server.undeploy("delays")
    assert predictor(fake) == body["spec"]["predictor"]
    assert server.list() == ()


def test_another_model_under_a_version_that_stands_beside(make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    with pytest.raises(AlreadyExists, match="'1'"):
        server.deploy(package(3), "delays", "1")
    assert server.deploy(package(1), "delays", "1").traffic == {"1": 100, "2": 0}


def test_the_end_of_an_endpoint_is_waited_for(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    server.undeploy("delays")
    with pytest.raises(KeyError):
        fake.service("delays")
    assert server.deploy(package(2), "delays", "1").traffic == {"1": 100}


def test_a_name_that_is_too_long_for_host_names(make: Make) -> None:
    with pytest.raises(InvalidInput, match="room for 46"):
        make().deploy(package(1), "a" * 47, "1")


def test_describing_it_imports_nothing_of_kubernetes() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from stackyard_kserve import plugin, config, server, local\n"
        "from stackyard.components.base import Context\n"
        "list(plugin.stackyard_flavors())\n"
        "server.KServeServer(config.KServeConfig(), Context()).close()\n"
        "local.LocalKServe(config.LocalKServeConfig(), Context()).close()\n"
        "heavy = {'kserve', 'kubernetes', 'urllib3', 'yaml', 'fsspec', 'pandas', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
