"""Which iris is it? A small pipeline on data that ships with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stackyard import pipeline, step

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.ensemble import RandomForestClassifier


class Split(NamedTuple):
    """Flowers to learn from, and others to be judged by."""

    train: pd.DataFrame
    test: pd.DataFrame


@step(cache=True)  # reads the outside world, but what it reads does not change
def load() -> pd.DataFrame:
    """Read 150 flowers: four measures each, and the species."""
    from sklearn.datasets import load_iris

    data = load_iris(as_frame=True)
    flowers: pd.DataFrame = data.data.assign(species=data.target_names[data.target])
    return flowers


@step
def split(flowers: pd.DataFrame, share: float = 0.7) -> Split:
    """Cut the flowers in two, each species in proportion."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        flowers, train_size=share, stratify=flowers["species"], random_state=0
    )
    return Split(train.reset_index(drop=True), test.reset_index(drop=True))


@step
def train(rows: pd.DataFrame, trees: int = 50) -> RandomForestClassifier:
    """Fit a random forest that gives the species."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=trees, random_state=0)
    model.fit(rows.drop(columns="species"), rows["species"])
    return model


@step
def evaluate(model: RandomForestClassifier, rows: pd.DataFrame) -> dict[str, float]:
    """Measure the model on flowers that it has not seen."""
    from sklearn.metrics import accuracy_score, f1_score

    guess = model.predict(rows.drop(columns="species"))
    return {
        "accuracy": float(accuracy_score(rows["species"], guess)),
        "f1": float(f1_score(rows["species"], guess, average="macro")),
    }


@pipeline
def iris(trees: int = 50) -> None:
    """Learn to tell three species of iris apart."""
    parts = split(load())
    model = train(parts.train, trees)
    evaluate(model, parts.test)
