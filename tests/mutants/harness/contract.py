"""The contract on the template, whole, and on each mutant the test that is meant for it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import acme_harness
import mutants
import pytest
from acme_harness import KIND, MUTANT

BASE: Any = getattr(
    importlib.import_module(f"test_{KIND}"),
    "TestAcme" + "".join(part.capitalize() for part in KIND.split("_")),
)


class TestSound(BASE):  # type: ignore[misc]
    """The template itself."""


def _tests_of(cls: Any) -> type:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def mutated(_: Any) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(MUTANT, cls.__name__)
            if KIND == "resource":
                patch.setattr(acme_harness.sound(), "AcmeResource", cls)
            yield

    said = {"_mutated": mutated, "caught_by": cls.caught_by, "__doc__": cls.__doc__}
    said["__module__"] = __name__  # other processes look for it there
    said |= getattr(cls, "tested_with", {})
    deviations = {cls.caught_by: inspect.cleandoc(cls.__doc__)} if cls.caught_by else {}
    return type(f"Test{cls.__name__}", (BASE,), {**said, "deviations": deviations})


for _name, _cls in vars(mutants).items():
    if "caught_by" in vars(_cls) if inspect.isclass(_cls) else False:
        globals()[f"Test{_name}"] = _tests_of(_cls)
