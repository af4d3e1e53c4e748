"""A contract stays whole: its tests can be inherited and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from stackyard.testing import ComponentContract, TrackerContract
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
    ran.stdout.fnmatch_lines(["*TestAcme: override the fixture 'settings': what a stack says*"])


def test_a_component_that_begins_a_thread_is_not_silent(tmp_path: Any) -> None:
    """Neither may it connect or write: see the mutants of each kind."""
    import threading

    from stackyard.components.base import Context
    from stackyard.testing import MemoryTracker

    end = threading.Event()

    class Busy(MemoryTracker):
        def __init__(self, context: Context) -> None:
            super().__init__(None, context)
            threading.Thread(target=end.wait, daemon=True).start()

    with pytest.raises(AssertionError, match="a thread was started"):
        silent_until_used(Busy, Context(), tmp_path / "untouched")
    end.set()
