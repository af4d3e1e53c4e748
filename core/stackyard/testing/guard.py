"""Keeps contracts whole: their tests may be inherited, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping

GUARANTEE = re.compile(r"test_c?\d\d_\w+")
HOME = "stackyard.testing."


def check_untouched(cls: type, deviations: Mapping[str, str]) -> None:
    """Refuse a class that overrides or removes a guarantee, or excuses one that there is not.

    Raises:
        TypeError: it does; names the test.
    """
    if cls.__module__.startswith(HOME):
        return
    ours = [base for base in cls.__mro__ if base.__module__.startswith(HOME)]
    guarantees = {name for base in ours for name in vars(base) if GUARANTEE.fullmatch(name)}
    for name in sorted(guarantees):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner not in ours:
            contract = next(base for base in ours if name in vars(base))
            raise TypeError(
                f"{cls.__qualname__}: {owner.__qualname__} overrides or removes {name} of "
                f"{contract.__name__}. What the component lacks is a capability that it does not "
                f"declare; where it deviates: deviations = {{{name!r}: 'why'}}"
            )
    for name in deviations:
        if name.partition("[")[0] not in guarantees:
            raise TypeError(f"{cls.__qualname__}: deviations: the contract has no test {name!r}")
