"""A contract stays whole: its tests can be inherited and nothing else."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.testing import ComponentContract, MemoryTracker, TrackerContract
from stackyard.testing.manners import silent_until_used


def define(*bases: type, **said: Any) -> type:
    """The class that a plugin's test would be."""
    given = {"__module__": "test_acme", "read": passes, **said}
    return type("TestAcme", bases or (TrackerContract,), given)


def passes(self: Any) -> None:
    """A test that cannot fail."""


@pytest.mark.parametrize(
    "name", ["test_04_an_unknown_id_is_not_found", "test_c04_silent_until_used"]
)
@pytest.mark.parametrize("instead", [passes, None, property(passes)])
def test_overriding_and_removing_are_refused(name: str, instead: object) -> None:
    said = f"TestAcme: {name} of .*Contract is overridden or removed by TestAcme"
    with pytest.raises(TypeError, match=said) as e:
        define(**{name: instead})
    assert f"deviations = {{{name!r}: 'why'}}" in str(e.value)


def test_neither_by_a_class_beside_the_contract() -> None:
    mixin = type("Lenient", (), {"__module__": "test_acme", "test_c04_silent_until_used": passes})
    with pytest.raises(TypeError, match=r"test_c04_.* is overridden or removed by Lenient"):
        define(mixin, TrackerContract)


def test_nor_further_down() -> None:
    middle = define()
    with pytest.raises(TypeError, match=r"test_05_.* is overridden or removed by TestAcme"):
        define(middle, test_05_everything_arrives=passes)


def test_a_deviation_names_a_test_that_there_is() -> None:
    define(deviations={"test_08_numbers_that_are_not_finite": "stored as null"})
    define(deviations={"test_14_status_and_end[failed]": "stored as null"})
    with pytest.raises(TypeError, match="deviations: the contract has no test 'test_99_none'"):
        define(deviations={"test_99_none": "?"})


def test_a_deviation_has_a_reason() -> None:
    with pytest.raises(TypeError, match="say why 'test_08_numbers_that_are_not_finite' deviates"):
        define(deviations={"test_08_numbers_that_are_not_finite": " "})


def test_what_pytest_would_pass_over_silently_is_refused() -> None:
    """A class that lacks an abstract method is not collected, and nobody is told."""
    with pytest.raises(TypeError, match="TestAcme: define read, see TrackerContract"):
        type("TestAcme", (TrackerContract,), {"__module__": "test_acme"})
    type("AcmeCase", (TrackerContract,), {"__module__": "test_acme"})  # a base of several


def test_other_tests_and_fixtures_may_be_added() -> None:
    made = define(test_what_only_acme_has=passes, connect=passes, silent=passes)
    assert issubclass(made, ComponentContract)


def test_a_deviation_is_expected_to_fail_and_fails_otherwise(pytester: pytest.Pytester) -> None:
    """Else it would stay when its reason is gone."""
    pytester.makepyfile(
        """
        from stackyard.testing import MemoryTracker, StoredRun, TrackerContract

        class Case(TrackerContract):
            def connect(self, context):
                return MemoryTracker(None, context)

            def read(self, tracker, id):
                run = tracker.run(id)
                params = {} if self.forgets else run.params
                return StoredRun(params, run.metrics, run.tags, run.artifacts, run.status)

        class TestTrue(Case):
            forgets = True
            deviations = {"test_03_opening_writes_the_params_and_tags_of_the_run": "no params"}

        class TestOutdated(Case):
            forgets = False
            deviations = TestTrue.deviations
        """
    )
    ran = pytester.runpytest_subprocess("-k", "test_03", "-ra", "-p", "no:cacheprovider")
    ran.assert_outcomes(xfailed=1, failed=1)
    ran.stdout.fnmatch_lines(["*TestTrue*no params*", "*FAILED*TestOutdated*"])


def test_who_forgets_the_settings_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from stackyard.testing import TrackerContract

        class TestAcme(TrackerContract):
            def read(self, tracker, id): ...
        """
    )
    ran = pytester.runpytest_subprocess("-k", "test_03", "-p", "no:cacheprovider")
    ran.assert_outcomes(errors=1)
    assert "TestAcme: override the fixture 'settings': what a stack says" in ran.stdout.str()


def starts_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()


def starts_a_process() -> None:
    subprocess.Popen(["sleep", "1"])


def connects_and_goes_on() -> None:
    with contextlib.suppress(Exception):
        socket.create_connection(("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (starts_a_thread, "a thread or a process was started"),
        (starts_a_process, "a thread or a process was started"),
        (connects_and_goes_on, "a connection was made"),
    ],
)
def test_a_component_that_begins_at_once_is_not_silent(
    begin: Callable[[], None], said: str, tmp_path: Path
) -> None:
    """Neither may it write: see the mutants of each kind."""

    class Busy(MemoryTracker):
        def __init__(self, context: Context) -> None:
            super().__init__(None, context)
            begin()

    with pytest.raises(AssertionError, match=said):
        silent_until_used(Busy, Context(), tmp_path / "untouched")


TALKS = """
    import os
    from dataclasses import dataclass
    from stackyard import Secret, hookimpl
    from stackyard.flavors import Flavor
    from stackyard.testing import MemoryTracker

    @dataclass(frozen=True)
    class AcmeConfig:
        token: Secret

    class Acme(MemoryTracker):
        def __init__(self, config, context):
            super().__init__(config, context)
            self.token = config.token.reveal()
            context.logger.info("asking with %s", self.token)

    @hookimpl
    def stackyard_flavors():
        here = "stackyard_plugins"
        yield Flavor("tracker", "acme", target=f"{here}:Acme", config=f"{here}:AcmeConfig")
"""


def test_a_secret_that_is_shown_is_named_and_its_value_is_not(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a real one, and the report be in everybody's sight. An empty one is none."""
    (pytester.mkdir("stacks") / "stackyard_plugins.py").write_text(textwrap.dedent(TALKS))
    pytester.makepyfile(
        """
        from pathlib import Path
        import pytest
        from stackyard.components.base import Context
        from stackyard.testing import TrackerContract

        class TestAcme(TrackerContract):
            @pytest.fixture
            def settings(self): return {"flavor": "acme", "token": "${secret:ACME_TOKEN}"}

            @pytest.fixture
            def context(self): return Context(project=Path())

            def read(self, tracker, id): ...
        """
    )
    for value, shown in {"4711-0815": "4711-0815", "": "not-to-be-seen"}.items():
        monkeypatch.setenv("ACME_TOKEN", value)
        ran = pytester.runpytest_subprocess("-k", "test_c06", "-p", "no:cacheprovider")
        ran.assert_outcomes(failed=1)
        ran.stdout.fnmatch_lines(
            ["*the value of ACME_TOKEN is shown by its repr; *ACME_TOKEN is shown by the log*"]
        )
        ran.stdout.no_fnmatch_line(f"*{shown}*")
