from __future__ import annotations

import ast
import os
import sys
from dataclasses import replace
from pathlib import Path
from subprocess import run

import graphs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackyard.errors import ConfigError, PipelineError
from stackyard.graph import FromStep, Graph, Param, Step, StepOptions, Value
from stackyard_airflow import literals
from stackyard_airflow.compile import untemplated
from stackyard_airflow.config import AirflowConfig

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "flight_delays.py"
HOSTILE = [
    "{{ 7*7 }}",
    "{% raw %}",
    "{% endraw %}{{ 7*7 }}",
    "{# x #}",
    '"""',
    '""',
    "'\"\\",
    "\\",
    "a\nb",
    "x\r\ny",
    "\u2028\x00",
    "__import__('os').system('echo hurt')",
    "'}}; import os #",
    " trailing ",
    "run.sh",
    "naïve — 日本",
]


def test_the_file_is_the_golden_one() -> None:
    # Changed on purpose? Run: python tests/graphs.py > tests/golden/flight_delays.py
    assert graphs.compiled(graphs.FLIGHTS, graphs.SETTINGS) == GOLDEN.read_text()


@pytest.mark.parametrize("width", [88, 100])
def test_ruff_finds_nothing_to_change(tmp_path: Path, width: int) -> None:
    file = tmp_path / "flight_delays.py"
    many = Graph(
        "many",
        tuple(
            Step(
                f"a_step_with_a_rather_long_name_{i}",
                "m:f",
                {f"x{j}": FromStep(f"a_step_with_a_rather_long_name_{j}") for j in range(i)},
                doc="It says 'so' and \"so\"." * 3,
                options=StepOptions(resources={"cpu": i}),
            )
            for i in range(5)
        ),
        params=(
            Param("choice", {"enum": [f"a rather long choice number {i}" for i in range(5)]}, None),
            Param("must", {"type": "string", "title": 'what "must" be'}, None, True),
            Param("odd", {"x-y": 1, "description": "d", "type": "array"}, [1, {"a": "it's"}]),
        ),
        doc='One line.\n\n    indented """ and \\ \n' + "long " * 40,
    )
    for graph, options in ((graphs.FLIGHTS, graphs.SETTINGS), (many, {"tags": ["a", "b'c"]})):
        file.write_text(graphs.compiled(graph, options))
        common = ["--isolated", "--no-cache", "--line-length", str(width), str(file)]
        ruff = [sys.executable, "-m", "ruff"]
        done = run([*ruff, "format", "--diff", *common], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        check = [*ruff, "check", "--select", "AIR,E,F,I", *common]
        done = run(check, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_imports_only_airflow_and_the_standard_library() -> None:
    imported = set()
    for node in ast.walk(ast.parse(GOLDEN.read_text())):
        if isinstance(node, ast.Import):
            imported |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    tops = {name.partition(".")[0] for name in imported}
    assert "airflow" in tops
    assert tops - {"airflow"} <= sys.stdlib_module_names


def test_equal_bytes_from_two_folders_under_two_hash_seeds(tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        folder = tmp_path / f"checkout{seed}"
        folder.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(HERE)}
        code = "import graphs; print(graphs.compiled(options=graphs.SETTINGS), end='')"
        done = run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        texts.append(done.stdout)
    assert texts[0] == texts[1] == GOLDEN.read_bytes()


def test_a_changed_graph_changes_the_file() -> None:
    other = replace(graphs.FLIGHTS, params=())
    assert graphs.compiled(other) != graphs.compiled()


def test_nothing_of_this_machine_is_in_the_file() -> None:
    text = graphs.compiled()
    for here in (sys.executable, str(Path.cwd()), str(Path.home()), os.uname().nodename):
        assert here not in text


def _shape(text: str) -> tuple[str, set[object]]:
    """The syntax tree of a file compiled with ``text`` wherever a user may write text, and the
    strings that stand in it."""
    graph = replace(
        graphs.FLIGHTS,
        doc=text,
        source=text,
        params=(Param("p", {"type": "string", "title": text, "pattern": text}, text),),
        steps=(Step("one", "m:f", {"x": Value(text)}, doc=f"say {text}"),),
    )
    options = {
        "owner": text, "tags": [text], "pool": text, "queue": text, "env": {"A": text},
        "python": text, "project": text, "store": text,
    }  # fmt: skip
    tree = ast.parse(graphs.compiled(graph, options))
    strings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
            node.value = ""
    return ast.dump(tree), strings


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_ever_data(text: str) -> None:
    shape, strings = _shape(text)
    assert shape == _shape("harmless")[0]
    assert text in strings


@pytest.mark.parametrize("text", [t for t in HOSTILE if "\x00" not in t])
def test_airflows_templating_gives_the_text_back(text: str) -> None:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    source = untemplated(text)
    assert not source.endswith((".sh", ".bash"))  # Airflow would load a file of that name
    rendered = SandboxedEnvironment(undefined=StrictUndefined).from_string(source).render()
    assert rendered == text


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_every_text_survives_as_literal_and_block(text: str) -> None:
    assert ast.literal_eval(literals.text(text)) == text
    assert ast.literal_eval(literals.block(text)) == text


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(plain, st.integers(0, 90))
@settings(max_examples=200, deadline=None)
def test_every_plain_value_survives_as_literal(value: object, used: int) -> None:
    assert ast.literal_eval(literals.literal(value, indent=4, used=used)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, b"x"])
def test_what_is_no_plain_data_has_no_literal(value: object) -> None:
    with pytest.raises(TypeError):
        literals.literal(value)


@pytest.mark.parametrize(
    "name", ["../x", "a b", "x'); import os #", "{{ 7*7 }}", "a\nb", "", "é", "1a", "a" * 101]
)
def test_hostile_names_are_refused(name: str) -> None:
    step = Step("a", "m:f")
    for graph in (
        Graph(name, (step,)),
        Graph("g", (Step(name, "m:f"),)),
        Graph("g", (step,), (Param(name, {}),)),
    ):
        with pytest.raises(PipelineError, match="letters"):
            graphs.compiled(graph)
    with pytest.raises(PipelineError, match="stack"):
        graphs.compiled(stack=name if name not in ("1a", "a" * 101) else "../a")
    with pytest.raises(ConfigError):
        graphs.compiled(options={"env": {"A=" + name: "x"}})


def test_step_names_that_python_or_the_file_uses_get_another_variable() -> None:
    names = ["class", "dag", "json", "step_class", "None", "__import__", "command"]
    steps = tuple(Step(n, "m:f", {"x": FromStep("class")} if n == "dag" else {}) for n in names)
    text = graphs.compiled(Graph("g", steps))
    assigned = [
        n.targets[0].id
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
        and ast.unparse(n.value).startswith("BashOperator")
    ]  # fmt: skip
    assert len(set(assigned)) == len(names) + 1
    assert not set(assigned) & {"dag", "json", "command", "__import__"}
    assert 'task_id="class"' in text


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (replace(graphs.FLIGHTS, schedule="@sometimes"), "@sometimes"),
        (replace(graphs.FLIGHTS, schedule="* * * * * *"), "five fields"),
        (replace(graphs.FLIGHTS, start=None), "no start"),
        (replace(graphs.FLIGHTS, start="soon"), "start"),
        (replace(graphs.FLIGHTS, timezone="Mars/Olympus"), "Mars/Olympus"),
        (replace(graphs.FLIGHTS, params=(Param("x", {}, None, True),)), "no default"),
        (replace(graphs.FLIGHTS, params=(Param("stackyard", {}),)), "'stackyard'"),
        (Graph("g", (Step("stackyard_finish", "m:f"),)), "stackyard_finish"),
    ],
)
def test_what_airflow_cannot_have_is_refused(graph: Graph, said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        graphs.compiled(graph)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ownr": "x"}, "Did you mean 'owner'"),
        ({"tags": "x"}, "expected a list"),
        ({"pool": {"trian": "x"}}, "Did you mean 'train'"),
        ({"pool_slots": 0}, "1 or more"),
        ({"pool_slots": True}, "whole number"),
        ({"max_active_runs": "2"}, "whole number"),
        ({"catchup": "yes"}, "true or false"),
        ({"dag_id": "a/b"}, "dag_id"),
        ({"dag_id": ".."}, "dag_id"),
        ({"env": {"STACKYARD_RUN": "x"}}, "STACKYARD_RUN"),
        ({"env": {"KEY": object()}}, "secret"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        graphs.compiled(options=options)


def test_what_the_stack_says_is_in_the_file() -> None:
    options = {
        "dag_id": "flights.dev", "owner": "ml", "queue": {"train": "big"}, "pool": "p",
        "max_active_tasks": 3, "catchup": True, "python": "/opt/it's/python", "doc": "Other.",
    }  # fmt: skip
    config = AirflowConfig(project="/srv/flights", env={"A": "1"}, python="/not/this")
    text = graphs.compiled(options=options, config=config)
    for piece in (
        'dag_id="flights.dev"', '"owner": "ml"', 'queue="big"', "max_active_tasks=3",
        "catchup=True", '"STACKYARD_PYTHON": "/opt/it\'s/python"', "Other.",
        '"STACKYARD_PROJECT": "/srv/flights"', '"A": "1"',
        "execution_timeout=timedelta(seconds=1200)",
    ):  # fmt: skip
        assert piece in text
    assert text.count('pool="p"') == len(graphs.FLIGHTS.steps)
    assert "/not/this" not in text


def test_slots_and_queue_of_a_step_come_from_its_resources() -> None:
    options = StepOptions(resources={"pool_slots": 3, "queue": "gpu", "gpu": 1})
    text = graphs.compiled(graphs.FLIGHTS.with_options("train", options))
    assert "pool_slots=3" in text
    assert 'queue="gpu"' in text
    assert "# Not enforced by a Bash task (use a pool or a queue): gpu=1" in text


def test_without_a_schedule_nothing_is_scheduled() -> None:
    text = graphs.compiled(replace(graphs.FLIGHTS, schedule=None, start=None))
    assert "schedule=None" in text
    assert "Timetable" not in text
    assert "start_date" not in text


def test_an_event_brings_what_has_no_default() -> None:
    """Airflow takes no schedule with a parameter that has no value before the event is told."""
    wants = Param("month", {"type": "string"}, required=True)
    waiting = replace(graphs.FLIGHTS, params=(*graphs.FLIGHTS.params, wants), on="data.moved")
    text = graphs.compiled(replace(waiting, schedule=None), graphs.SETTINGS)
    assert '"month": Param(None, type=["string", "null"]),' in text
    assert "is_paused_upon_creation=False" in text
    assert "is_paused" not in graphs.compiled(graphs.FLIGHTS, graphs.SETTINGS)
    asked = graphs.compiled(replace(waiting, schedule=None, on=""), graphs.SETTINGS)
    assert '"month": Param(type="string"),' in asked
    assert "is_paused" not in asked
