"""The cluster side when others are faster, the cluster is away, or a model does not get ready."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import pytest
from cluster_case import Clock, Make, annotations, package, predictor
from fake_cluster import FakeCluster
from fake_controller import MISSING_IMAGE
from inference_service_crd import Schema

from stackyard.errors import Conflict, InvalidInput, NotFound, Unavailable
from stackyard.testing.manners import side_by_side, until


def test_somebody_else_is_faster(fake: FakeCluster, make: Make) -> None:
    server = make(deadline=2.0)
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


def test_an_outage_is_waited_out(fake: FakeCluster, make: Make, clock: Clock) -> None:
    server = make()
    fake.outage = 3
    assert server.deploy(package(1), "delays", "1").status == "ready"
    fake.outage = 1000
    impatient = make(deadline=5.0)
    began = clock.monotonic()
    with pytest.raises(Unavailable, match="503"):
        impatient.status("delays")
    assert 2.5 < clock.monotonic() - began <= 5.0
    assert 990 < fake.outage < 998  # asked some times, at growing intervals


def test_a_cluster_that_is_not_there(fake: FakeCluster, make: Make) -> None:
    server = make()
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


def test_a_slow_start_is_waited_for(fake: FakeCluster, make: Make, clock: Clock) -> None:
    fake.delay = 1.0
    server = make(ready_within=math.inf)
    began = clock.monotonic()
    assert server.deploy(package(1), "delays", "1").status == "ready"
    assert clock.monotonic() - began >= 1.0
    fake.delay = math.inf
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
    fake.delay = math.inf
    server = make()
    with pytest.raises(Unavailable, match=r"'delays', version 1 is not ready after 20 s: .*pod"):
        server.deploy(package(1), "delays", "1")
    seen = server.status("delays")
    assert (seen.status, seen.url) == ("starting", "")
    with pytest.raises(Unavailable, match="'delays' is starting"):
        server.predict("delays", {"inputs": []})


def test_an_image_that_is_not_there(fake: FakeCluster, make: Make) -> None:
    server = make()
    broken = make(images={"mlflow": MISSING_IMAGE})
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
    broken = make(deadline=5.0, images={"mlflow": MISSING_IMAGE})
    fake.losses = [lambda: setattr(fake, "intruders", 1000)]
    with pytest.raises(Unavailable, match=r"fetch image.*Nor could it be taken back.*modified"):
        broken.deploy(package(2), "delays", "2")
    seen = make().status("delays")  # who is served is served
    assert (seen.status, seen.traffic) == ("ready", {"1": 100})
    assert seen.reason.startswith("version 2: PredictorReady is False (RevisionFailed")
    fake.intruders = 0
    assert make().deploy(package(3), "delays", "3").traffic == {"1": 100, "3": 0}


@pytest.mark.parametrize("key", ["", "timeout", "minReplicas"])
def test_what_was_applied_is_taken_back(fake: FakeCluster, make: Make, key: str) -> None:
    """Also where its answer was lost, and where somebody changed something else since."""

    def meddle(body: dict[str, Any]) -> None:
        body["spec"]["predictor"][key] = 2

    make().deploy(package(1), "delays", "1")
    before = make().status("delays")
    broken = make(images={"mlflow": MISSING_IMAGE})
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
        make().set_traffic("delays", {"1": 50, "2": 50})
    assert server.status("delays").reason == "version 2: the traffic is not yet as it was set"
    fake.asleep = 0
    assert server.set_traffic("delays", {"1": 50, "2": 50}).traffic == {"1": 50, "2": 50}


def test_a_killed_deployment_is_finished_by_the_next(fake: FakeCluster, make: Make) -> None:
    server = make()
    server.deploy(package(1), "delays", "1")
    fake.delay = math.inf
    with pytest.raises(Unavailable):
        make().deploy(package(1), "other", "1")
    fake.delay = 0.3
    assert make().deploy(package(1), "other", "1").status == "ready"
    assert [one.name for one in server.list()] == ["delays", "other"]
