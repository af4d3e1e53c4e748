"""The condition of a gate, as text: ``auc - auc_champion > 0.01 +/- 0.01``.

The form is that of ease.ml/ci (Renggli et al., Continuous Integration of Machine Learning Models,
MLSys 2019): a sum of metrics, a bound, and how exactly the sum has to be known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackyard.errors import InvalidInput, suggest

CHAMPION = "_champion"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WHOLE = re.compile(
    rf"(?P<sum>.+?)\s*(?P<sign>[<>])\s*(?P<bound>[+-]?\s*{_NUMBER})\s*\+/-\s*(?P<by>{_NUMBER})"
)
_TERM = re.compile(rf"\s*(?P<sign>[+-])?\s*(?:(?P<times>{_NUMBER})\s*\*\s*)?(?P<name>[a-z]\w*)")
_FORM = "write it as 'auc - auc_champion > 0.01 +/- 0.01'"


@dataclass(frozen=True)
class Condition:
    """``sum of factor * metric > bound``, to be known within ``tolerance``.

    ``terms`` maps the name of a metric, of the champion where it ends in ``_champion``, to its
    factor. One written with ``<`` is kept with all signs turned.
    """

    text: str
    terms: Mapping[str, float]
    bound: float
    tolerance: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, once each."""
        return tuple(dict.fromkeys(name.removesuffix(CHAMPION) for name in self.terms))

    @property
    def compares(self) -> bool:
        """Whether it names the champion."""
        return any(name.endswith(CHAMPION) for name in self.terms)


def read_condition(text: str, known: Mapping[str, object]) -> Condition:
    """Read a condition.

    Args:
        text: e.g. ``auc - auc_champion > 0.01 +/- 0.01``; factors as ``2 * recall``.
        known: the metrics that there are.

    Raises:
        InvalidInput: it has another form, or names a metric that there is not.
    """
    found = _WHOLE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"condition {text!r}: {_FORM}")
    terms: dict[str, float] = {}
    end = 0
    while end < len(found["sum"]):
        term = _TERM.match(found["sum"], end)
        if term is None or (term["sign"] is None and end):
            raise InvalidInput(f"condition {text!r}: {found['sum'][end:].strip()!r}: {_FORM}")
        end = term.end()
        name = term["name"]
        if name.removesuffix(CHAMPION) not in known:
            raise InvalidInput(
                f"condition {text!r}: there is no metric {name!r}. Metrics: {', '.join(known)}; of "
                f"the champion with '{CHAMPION}'.{suggest(name, list(known))}"
            )
        factor = float(term["times"] or 1) * (-1 if term["sign"] == "-" else 1)
        terms[name] = terms.get(name, 0.0) + factor
    bound, tolerance = float(found["bound"].replace(" ", "")), float(found["by"])
    if tolerance == 0:
        raise InvalidInput(f"condition {text!r}: nothing is known to +/- 0; {_FORM}")
    turn = -1.0 if found["sign"] == "<" else 1.0
    return Condition(
        text.strip(),
        {name: turn * factor for name, factor in terms.items()},
        turn * bound,
        tolerance,
    )
