"""Keeps contracts whole: their tests may be inherited and nothing else, and none is passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping

GUARANTEE = re.compile(r"test_c?\d\d_\w+")
HOME = "stackyard.testing."


def check_whole(cls: type, deviations: Mapping[str, str]) -> None:
    """Refuse a class that overrides or removes a guarantee, or excuses one wrongly.

    Refused as well is one that pytest would pass over silently, because it lacks what it must say.

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
                f"{cls.__qualname__}: {name} of {contract.__name__} is overridden or removed "
                f"by {owner.__qualname__}. What a component lacks is a capability that it does "
                f"not declare; where it deviates: deviations = {{{name!r}: 'why'}}"
            )
    for name, reason in deviations.items():
        if name.partition("[")[0] not in guarantees:
            raise TypeError(f"{cls.__qualname__}: deviations: the contract has no test {name!r}")
        if not reason.strip():
            raise TypeError(f"{cls.__qualname__}: deviations: say why {name!r} deviates")
    lacking = [n for n in dir(cls) if getattr(getattr(cls, n, None), "__isabstractmethod__", False)]
    if lacking and cls.__name__.startswith("Test"):
        raise TypeError(f"{cls.__qualname__}: define {', '.join(lacking)}, see {ours[0].__name__}")
