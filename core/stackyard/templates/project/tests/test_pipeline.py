"""Outside a pipeline a step is the plain function, so a test just calls it."""

from iris import evaluate, iris, load, split, train


def test_model_beats_guessing() -> None:
    """One flower in three would be right by chance."""
    parts = split(load())
    scores = evaluate(train(parts.train, trees=10), parts.test)
    assert scores["accuracy"] > 0.9


def test_no_flower_is_on_both_sides() -> None:
    """The parts add up to the whole."""
    flowers = load()
    parts = split(flowers)
    assert len(parts.train) + len(parts.test) == len(flowers) == 150


def test_pipeline_is_wired() -> None:
    """The graph is built without running anything."""
    steps = {step.name: step.upstream for step in iris.graph().steps}
    assert steps == {
        "load": (),
        "split": ("load",),
        "train": ("split",),
        "evaluate": ("train", "split"),
    }
