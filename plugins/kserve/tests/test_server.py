"""The cluster side, against a fake cluster: see ``fake_cluster``, which is no cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from fake_cluster import MISSING_IMAGE, FakeCluster
from inference_service_crd import CRD, Schema

from stackyard.components.base import Context
from stackyard.components.registry import Field, ModelPackage, Signature
from stackyard.components.server import Server
from stackyard.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    Unavailable,
)
from stackyard.testing import ServerContract
from stackyard.testing.manners import side_by_side, until
from stackyard_kserve.config import KServeConfig
from stackyard_kserve.server import KServeServer

IMAGES = {"sklearn-skops": "registry.example/server:1"}
SIGNATURE = Signature((Field("hour", "INT64"),))


class TestKServe(ServerContract):
    """The server's contract; the fake cluster answers with the models themselves."""

    config: ClassVar[KServeConfig]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _fake(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[None]:
        schema: Schema | None = request.getfixturevalue("schema") if CRD.is_file() else None
        fake = FakeCluster(schema) if schema else FakeCluster()
        fake.delay = 0.05
        folder = tmp_path_factory.mktemp("cluster")
        cls.config = KServeConfig(
            namespace="models",
            kubeconfig=fake.kubeconfig(folder),
            storage=f"file://{folder}/storage",
            images=IMAGES,
            gateway=fake.url,
            ready_within=20,
        )
        yield
        fake.stop()

    def connect(self, context: Context) -> Server:
        return KServeServer(self.config, context)


# What the contract does not say


def package(number: int = 1, **changes: Any) -> ModelPackage:
    """A package that only a cluster can read; the fake one does not look at it."""
    made = ModelPackage("mlflow", f"s3://acme-ml/{number}", f"digest-{number}", SIGNATURE)
    return replace(made, **changes)


Make = Callable[..., KServeServer]


@pytest.fixture
def make(fake: FakeCluster, tmp_path: Path) -> Iterator[Make]:
    """Makes components that speak to the fake cluster."""
    made: list[KServeServer] = []

    def of(deadline: float = 5.0, **keys: Any) -> KServeServer:
        keys = {"kubeconfig": fake.kubeconfig(tmp_path), "ready_within": 10.0} | keys
        context = Context(name="server", deadline=deadline)
        made.append(KServeServer(KServeConfig(namespace="models", **keys), context))
        return made[-1]

    yield of
    for one in made:
        one.close()


def predictor(fake: FakeCluster, name: str = "delays") -> dict[str, Any]:
    found: dict[str, Any] = fake.service(name)["spec"]["predictor"]
    return found


def annotations(fake: FakeCluster) -> dict[str, str]:
    found: dict[str, str] = fake.service("delays")["metadata"]["annotations"]
    return found


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


def test_somebody_else_is_faster(fake: FakeCluster, make: Make) -> None:
    server = make(deadline=1.0)
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    fake.intruders = 2
    assert server.set_traffic("delays", {"1": 50, "2": 50}).traffic == {"1": 50, "2": 50}
    fake.intruders = 1000
    with pytest.raises(Conflict, match=r"has been modified. Try again"):
        server.promote("delays", "2")
    fake.intruders = 0


def test_two_deploy_the_first_version_at_once(make: Make) -> None:
    servers = [make() for _ in range(4)]
    made = side_by_side(lambda server: server.deploy(package(1), "delays", "1"), servers)
    assert [one.traffic for one in made] == [{"1": 100}] * 4


def test_an_outage_is_waited_out(fake: FakeCluster, make: Make) -> None:
    server = make()
    fake.outage = 3
    assert server.deploy(package(1), "delays", "1").status == "ready"
    fake.outage = 1000
    impatient = make(deadline=0.5)
    with pytest.raises(Unavailable, match="503"):
        impatient.status("delays")
    assert fake.outage >= 997  # asked twice, and not as often as within the usual deadline


def test_a_cluster_that_is_not_there(fake: FakeCluster, make: Make) -> None:
    server = make(deadline=0.5)
    fake.stop()
    with pytest.raises(Unavailable, match=rf"Kubernetes at {fake.url} does not answer .*refused"):
        server.status("delays")
    (finding,) = server.check()
    assert not finding.ok
    assert "does not answer" in finding.what


def test_who_may_not(make: Make) -> None:
    server = make(context="stranger")
    with pytest.raises(InvalidInput, match=r"Unauthorized.*login in the kubeconfig"):
        server.list()


def test_no_kubeconfig(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    (tmp_path / "broken").write_text("clusters: [")
    for keys in ({"kubeconfig": "missing"}, {"context": "x"}, {"kubeconfig": tmp_path / "broken"}):
        with pytest.raises(InvalidInput, match=r"server: there is no cluster.*KUBECONFIG"):
            make(**keys).list()


def test_a_cluster_without_kserve(fake: FakeCluster, make: Make) -> None:
    fake.installed = False
    for call in (make().list, lambda: make().deploy(package(), "delays", "1")):
        with pytest.raises(InvalidInput, match="Is KServe installed"):
            call()


def test_the_clusters_refusal_names_the_field(
    fake: FakeCluster, make: Make, schema: Schema
) -> None:
    with pytest.raises(InvalidInput, match=r"resources.limits.memory: '2 GB'"):
        make(resources={"memory": "2 GB"}).deploy(package(), "delays", "1")
    with pytest.raises(NotFound):
        make().status("delays")
    assert [method for method, _ in fake.calls].count("POST") == 1  # it is no use to try again


def test_a_slow_start_is_waited_for(fake: FakeCluster, make: Make) -> None:
    fake.delay = 1.0
    server = make()
    began = time.monotonic()
    assert server.deploy(package(1), "delays", "1").status == "ready"
    assert time.monotonic() - began >= 1.0
    fake.delay = 3600
    starting = threading.Thread(target=lambda: server.deploy(package(2), "delays", "2"))
    starting.start()
    until(lambda: "pod is starting" in make().status("delays").reason)
    seen = make().status("delays")
    assert (seen.status, seen.traffic) == ("ready", {"1": 100})
    assert seen.reason == "version 2: PredictorReady is Unknown (Deploying: the pod is starting)"
    with pytest.raises(NotFound, match="'2'"):
        make().promote("delays", "2")
    fake.delay = 0
    starting.join()
    assert server.status("delays").reason == ""


def test_a_start_that_takes_too_long(fake: FakeCluster, make: Make) -> None:
    fake.delay = 3600
    server = make(ready_within=0.5)
    with pytest.raises(Unavailable, match=r"'delays', version 1 is not ready after 0.5 s: .*pod"):
        server.deploy(package(1), "delays", "1")
    seen = server.status("delays")
    assert (seen.status, seen.url) == ("starting", "")
    with pytest.raises(Unavailable, match="'delays' is starting"):
        server.predict("delays", {"inputs": []})


def test_an_image_that_is_not_there(fake: FakeCluster, make: Make) -> None:
    server = make(ready_within=0.5)
    broken = make(ready_within=0.5, images={"mlflow": MISSING_IMAGE})
    with pytest.raises(Unavailable, match=r"RevisionFailed: Unable to fetch image"):
        broken.deploy(package(7), "delays", "7")
    assert server.status("delays").status == "starting"
    made = server.deploy(package(1), "delays", "1")  # nothing was ever ready
    assert (made.traffic, made.previous) == ({"1": 100}, None)
    before = server.status("delays")
    with pytest.raises(Unavailable, match="Unable to fetch image"):
        broken.deploy(package(2), "delays", "2")
    assert server.status("delays") == before
    assert predictor(fake)["model"]["storageUri"] == "s3://acme-ml/1"
    assert "containers" not in predictor(fake)


def test_what_cannot_be_taken_back_is_told(fake: FakeCluster, make: Make) -> None:
    make().deploy(package(1), "delays", "1")
    broken = make(deadline=2.0, ready_within=0.5, images={"mlflow": MISSING_IMAGE})

    def intrude() -> None:
        while "containers" not in predictor(fake):
            time.sleep(0.01)
        fake.intruders = 1000

    thread = threading.Thread(target=intrude)
    thread.start()
    with pytest.raises(Unavailable, match=r"fetch image.*Nor could it be taken back.*modified"):
        broken.deploy(package(2), "delays", "2")
    thread.join()
    seen = make().status("delays")  # who is served is served
    assert (seen.status, seen.traffic) == ("ready", {"1": 100})
    assert seen.reason.startswith("version 2: PredictorReady is False (RevisionFailed")
    fake.intruders = 0
    assert make().deploy(package(3), "delays", "3").traffic == {"1": 100, "3": 0}


def test_what_was_applied_is_no_conflict(fake: FakeCluster, make: Make) -> None:
    """The change is sent again where its answer was lost, and then refused: it is made already."""
    server = make()
    fake.losses = [lambda: None]
    assert server.deploy(package(1), "delays", "1").traffic == {"1": 100}
    fake.losses = [lambda: None]
    assert server.deploy(package(2), "delays", "2").traffic == {"1": 100, "2": 0}
    server.set_traffic("delays", {"1": 75, "2": 25})
    fake.losses = [lambda: None]
    assert server.rollback("delays").traffic == {"1": 100, "2": 0}
    fake.losses = [lambda: None]
    assert server.promote("delays", "2").traffic == {"2": 100, "1": 0}
    fake.losses = [lambda: None]
    assert server.rollback("delays").traffic == {"1": 100, "2": 0}
    assert fake.losses == []


def test_a_change_of_somebody_else_is_not_taken_for_ours(fake: FakeCluster, make: Make) -> None:
    """A promotion takes a field away, and what is left of it is what there was before."""
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    fake.intruders = 1
    assert server.promote("delays", "2").traffic == {"2": 100, "1": 0}


@pytest.mark.parametrize("key", ["", "timeout", "minReplicas"])
def test_what_was_applied_is_taken_back(fake: FakeCluster, make: Make, key: str) -> None:
    """Also where its answer was lost, and where somebody changed something else since."""

    def meddle(body: dict[str, Any]) -> None:
        body["spec"]["predictor"][key] = 2

    make().deploy(package(1), "delays", "1")
    before = make().status("delays")
    broken = make(ready_within=2.0, images={"mlflow": MISSING_IMAGE})
    fake.losses = [lambda: fake.edit("delays", meddle) if key else None]
    with pytest.raises(Unavailable, match="Unable to fetch image"):
        broken.deploy(package(2), "delays", "2")
    assert fake.losses == []
    assert make().status("delays") == before


def test_what_somebody_else_deployed_since_is_not_taken_back(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    broken = make(images={"mlflow": MISSING_IMAGE})
    with pytest.MonkeyPatch.context() as patch:
        wait = broken._wait

        def late(name: str, done: Any) -> Any:
            if annotations(fake)["stackyard/version"] == "1":
                return wait(name, done)
            patch.undo()
            server.deploy(package(3), "delays", "3")
            raise Unavailable("it does not get ready")

        patch.setattr(broken, "_wait", late)
        with pytest.raises(Unavailable, match=r"does not get ready$"):
            broken.deploy(package(2), "delays", "2")
    assert server.status("delays").traffic == {"1": 100, "3": 0}


def test_a_share_that_is_not_in_force_in_time(fake: FakeCluster, make: Make) -> None:
    """KServe's controller is away, and comes back."""
    server = make()
    server.deploy(package(1), "delays", "1")
    server.deploy(package(2), "delays", "2")
    fake.asleep = 10_000
    with pytest.raises(Unavailable, match="the change was made and may yet come into force"):
        make(ready_within=0.5).set_traffic("delays", {"1": 50, "2": 50})
    assert server.status("delays").reason == "version 2: the traffic is not yet as it was set"
    fake.asleep = 0
    assert server.set_traffic("delays", {"1": 50, "2": 50}).traffic == {"1": 50, "2": 50}


def test_a_killed_deployment_is_finished_by_the_next(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    fake.delay = 3600
    with pytest.raises(Unavailable):
        make(ready_within=0.3, deadline=0.3).deploy(package(1), "other", "1")
    fake.delay = 0.3
    assert make().deploy(package(1), "other", "1").status == "ready"
    assert [one.name for one in server.list()] == ["delays", "other"]


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
