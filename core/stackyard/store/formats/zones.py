"""Time zones of pandas columns by name, whichever library they come from."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import Any

from stackyard.errors import Unstorable
from stackyard.store.formats.base import Unsuited
from stackyard.store.formats.scalars import zone, zone_text


def describe(dtype: Any, where: str) -> dict[str, str]:
    """Name of the zone, and the library where it is not the one that pandas takes by itself.

    Raises:
        Unstorable: the zone has no portable name, as dateutil's.
    """
    import pandas as pd

    if dtype == pd.DatetimeTZDtype(dtype.unit, "UTC"):
        return {"zone": "UTC"}
    text = getattr(dtype.tz, "zone", None)  # pytz
    try:
        text = text if isinstance(text, str) else zone_text(dtype.tz)
    except Unsuited as exc:
        raise Unstorable(f"{where}: {exc}; use .dt.tz_convert(zoneinfo.ZoneInfo(...))") from exc
    assert text is not None
    if text[0] in "+-" or dtype == pd.DatetimeTZDtype(dtype.unit, text):
        return {"zone": text}
    return {"zone": text, "library": type(dtype.tz).__module__.partition(".")[0]}


def find(descriptor: Mapping[str, Any]) -> Any:
    """What to give to ``tz_convert``."""
    text, library = descriptor["zone"], descriptor.get("library")
    if library == "pytz":
        import pytz  # type: ignore[import-untyped]

        return pytz.timezone(text)
    if library == "zoneinfo":
        return zoneinfo.ZoneInfo(text)
    return zone(text) if text[0] in "+-" else text


def arrow_name(text: str) -> str:
    """The zone as Arrow spells it; offsets of seconds, which it lacks, become UTC."""
    if text[0] not in "+-":
        return text
    offset = zone(text)
    moment = dt.datetime(2000, 1, 1, tzinfo=offset)
    spelt = moment.isoformat()[19:]
    return spelt if len(spelt) == 6 else "UTC"
