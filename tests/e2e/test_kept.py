"""What a step puts into the store on the way is kept as long as its run is."""

from __future__ import annotations

import os
import time

from tests.e2e.conftest import Place

DAY = 86400


def test_a_model_package_survives_collection_while_its_run_does(place: Place) -> None:
    place.write(
        "dags/packaging.py",
        """
        from stackyard import ModelPackage, package_model, pipeline, step

        @step(cache=True)
        def package() -> ModelPackage:
            from sklearn.linear_model import LinearRegression

            return package_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]))

        @step
        def predict(package: ModelPackage) -> float:
            from stackyard import load_model

            return float(load_model(package).predict([[2.0]])[0])

        @pipeline
        def packaging() -> None:
            predict(package())
        """,
    )
    assert place.steps("packaging") == {"package": "succeeded", "predict": "succeeded"}
    store = place.root / ".stackyard" / "store"
    old = time.time() - 2 * DAY
    for file in (store / "artifacts").rglob("*"):
        os.utime(file, (old, old))
    for _ in range(2):
        place.run("runs", "gc", "--keep-last", "1", "--grace", "0s")
    again = place.steps("packaging", "--only", "predict")
    assert again == {"predict": "succeeded"}
