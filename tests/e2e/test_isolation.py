"""Whatever an installed plugin does wrong is named, and everything else works."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Place
from tests.unit.stack_files import install

FLAVOR = """
from stackyard import hookimpl
from stackyard.flavors import Flavor

@hookimpl
def stackyard_flavors():
    yield Flavor({arguments})
"""
CLASSES = """
from dataclasses import dataclass
from stackyard import Tracker
from stackyard.store.formats import Format

@dataclass(frozen=True)
class Config:
    pass

class Abstract(Tracker):
    pass

class Other:
    pass

class Unnamed:
    pass

class Half(Format):
    name = "half"

NOTHING = None
"""
WRONG = {
    "wrong-abstract": (
        "'tracker', 'abstract', 'classes:Abstract', 'classes:Config'",
        "tracker 'abstract': classes:Abstract lacks methods of Tracker: discard, finish, open",
    ),
    "wrong-class": (
        "'tracker', 'other', 'classes:Other', 'classes:Config'",
        "tracker 'other': classes:Other is not a subclass of Tracker",
    ),
    "wrong-config": (
        "'tracker', 'thawed', 'classes:Abstract', 'classes:Other'",
        "tracker 'thawed': configuration classes:Other is not a frozen dataclass",
    ),
    "wrong-target": (
        "'monitor', 'gone', 'classes:Gone', 'classes:Config'",
        "monitor 'gone': importing classes:Gone failed: AttributeError: ",
    ),
}
BROKEN = {
    "bad-import": ("import no_such_tool", "importing bad_import_plugin failed: ModuleNotFound"),
    "bad-hook": (
        FLAVOR.format(arguments="1 / 0"),
        "hook stackyard_flavors raised ZeroDivisionError",
    ),
    "bad-kind": (
        FLAVOR.format(arguments="'trackr', 'x', 'a:B', 'a:C'"),
        "flavor 'x' is of unknown kind 'trackr'",
    ),
    "bad-newer": (
        FLAVOR.format(arguments="'tracker', 'x', 'a:B', 'a:C', api=2"),
        "Flavor 'x' speaks version 2 of the plugin interface, this Stackyard speaks 1",
    ),
}
FORMAT = """
from stackyard import hookimpl
from stackyard.flavors import ArtifactFormat, SecretProvider

@hookimpl
def stackyard_formats():
    yield ArtifactFormat("wrong", ("a.Thing",), "classes:Unnamed")
    yield ArtifactFormat("half", ("a.Other",), "classes:Half")

@hookimpl
def stackyard_secret_providers():
    yield SecretProvider("mute", "classes:NOTHING")
"""
OFFERED = (
    "artifact format 'wrong': classes:Unnamed is no Format with name = 'wrong'",
    "artifact format 'half': classes:Half cannot be made: TypeError: Can't instantiate abstract",
    "secret provider 'mute': classes:NOTHING is no function",
)
NEEDY = (
    "Metadata-Version: 2.1\nName: needy\nVersion: 3.0\nRequires-Dist: Stackyard[frames]>=9\n"
    "Requires-Dist: no-such-tool>=2\nRequires-Dist: of-tests; extra == 'test'\n"
)
SLOW = "import time\ntime.sleep(0.6)\n"
TWIN = FLAVOR.format(arguments="'orchestrator', 'local', 'a:B', 'a:C'")


def site(folder: Path) -> dict[str, str]:
    """Every sort of plugin that is wrong, installed; the environment that finds them."""
    for name, (arguments, _) in WRONG.items():
        install(folder, name, FLAVOR.format(arguments=arguments))
    for name, (code, _) in BROKEN.items():
        install(folder, name, code, version="2.5")
    install(folder, "slow-one", SLOW, version="4.0")
    install(folder, "twin", TWIN, version="7.1")
    install(folder, "wrong-offers", FORMAT)
    install(folder, "needy", "", version="3.0")
    (folder / "needy-3.0.dist-info" / "METADATA").write_text(NEEDY)
    (folder / "classes.py").write_text(CLASSES)
    return {"PYTHONPATH": str(folder)}


def test_each_is_named_with_distribution_version_and_reason(place: Place, tmp_path: Path) -> None:
    env = site(tmp_path / "site")
    place.write("stacks/local.yaml", "components:\n  tracker: {flavor: mlflow}\n")
    listed = place.run("plugin", "list", env=env)
    said = " ".join(listed.stderr.split())
    for name, (_, why) in WRONG.items():
        assert f"plugin {name} 1.0: {why}" in said
    for name, (_, why) in BROKEN.items():
        assert f"plugin {name} 2.5 is broken and not used: {why}" in said
    for why in OFFERED:
        assert f"plugin wrong-offers 1.0: {why}" in said
    assert "plugin slow-one 4.0 took" in said
    assert "plugin needy 3.0: it needs stackyard >=9, 0.1.0 is installed. uv pip" in said
    assert "plugin needy 3.0: it needs no-such-tool >=2, which is not installed. uv pip" in said
    assert "of-tests" not in said
    assert "orchestrator 'local' is provided by two plugins: " in said and "twin 7.1" in said
    assert "stackyard-mlflow" in listed.stdout

    document = place.json("plugin", "list", env=env)
    assert {f["plugin"].split()[0] for f in document["faults"]} == {
        *WRONG, "wrong-offers", "twin", "needy",
    }  # fmt: skip
    assert {b["distribution"] for b in document["broken"]} == set(BROKEN)

    doctor = place.run("doctor", env=env, check=False)
    said = " ".join(doctor.stdout.split())
    assert doctor.returncode == 1 and "Traceback" not in doctor.stderr
    for name, (_, why) in {**WRONG, **BROKEN}.items():
        assert name in said and why in said
        assert f"leave it out: STACKYARD_DISABLED_PLUGINS={name}" in said
    assert "slow-one 4.0: nothing; its import takes" in said
    assert "orchestrator 'local' is provided by two plugins: " in said
    for why in (*OFFERED, *(why for _, why in (*WRONG.values(), *BROKEN.values()))):
        assert said.count(why) == 1  # however many sections it shows in


def test_everything_else_works(place: Place, tmp_path: Path) -> None:
    env = site(tmp_path / "site") | {"STACKYARD_DISABLED_PLUGINS": "twin"}
    place.write(
        "dags/flow.py",
        """
        from stackyard import pipeline, step

        @step
        def one() -> int:
            return 1

        @pipeline
        def flow() -> None:
            one()
        """,
    )
    place.write("stacks/local.yaml", "components:\n  orchestrator: {flavor: local}\n")
    assert place.steps("flow", env=env) == {"one": "succeeded"}


def test_what_a_stack_does_not_allow_is_not_even_imported(place: Place, tmp_path: Path) -> None:
    env = site(tmp_path / "site")
    text = "plugins: []\ncomponents:\n  orchestrator: {flavor: local}\n"
    place.write("stacks/local.yaml", text)
    done = place.run("stack", "check", env=env)
    assert "bad-" not in done.stderr and "provided by two" not in done.stderr
