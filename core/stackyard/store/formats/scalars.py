"""Scalars that need a rule of their own: dates with time zones, numpy's and pandas' scalars.

numpy and pandas are found by the name of a value's class and imported only to read such a value.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from stackyard.store.formats.base import Unsuited

_KINDS = "biufcmMSU"
INLINE = 64 * 1024  # bytes of an array that may stand inside a plain value


def float_text(value: float) -> str:
    """``repr``, with one spelling for every NaN."""
    return "nan" if math.isnan(value) else repr(value)


def datetime_tree(value: dt.datetime | dt.time) -> list[Any]:
    """Wall time and fold in ISO form, then the zone."""
    if value.tzinfo is None and not value.fold:
        return [value.isoformat()]
    return [value.replace(tzinfo=None, fold=0).isoformat(), zone_text(value.tzinfo), value.fold]


def datetime_value(cls: Any, body: list[Any]) -> Any:
    """Read what ``datetime_tree`` made."""
    value = cls.fromisoformat(body[0])
    return value if len(body) == 1 else value.replace(tzinfo=zone(body[1]), fold=body[2])


def zone_text(tz: dt.tzinfo | None) -> str | None:
    """Spell a time zone: a key such as ``Europe/Berlin``, or ``+01:00``.

    Raises:
        Unsuited: neither zoneinfo nor a fixed offset.
    """
    if tz is None:
        return None
    from zoneinfo import ZoneInfo

    if isinstance(tz, ZoneInfo) and tz.key:
        return tz.key
    if type(tz) is dt.timezone:
        offset = tz.utcoffset(None)
        if tz == dt.timezone(offset) and tz.tzname(None) == dt.timezone(offset).tzname(None):
            return f"{'-' if offset < dt.timedelta() else '+'}{abs(offset)}"
    raise Unsuited(f"time zone {tz!r} is neither a zoneinfo.ZoneInfo nor a fixed offset")


def zone(text: str | None) -> dt.tzinfo | None:
    """Read what ``zone_text`` made."""
    if text is None:
        return None
    if text[0] not in "+-":
        from zoneinfo import ZoneInfo

        return ZoneInfo(text)
    hours, minutes, seconds = text[1:].split(":")
    offset = dt.timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return dt.timezone(-offset if text[0] == "-" else offset)


def encode(value: Any) -> tuple[str, Any] | None:
    """Tag and body of a scalar of numpy or pandas, None for anything else."""
    package = type(value).__module__.partition(".")[0]
    if package == "numpy":
        return _numpy(value)
    if package == "pandas":
        return _pandas(value)
    return None


def _numpy(value: Any) -> tuple[str, Any] | None:
    import numpy as np

    if isinstance(value, np.dtype) and value.kind in _KINDS and value.names is None:
        return "numpy.dtype", value.newbyteorder("<").str
    if not isinstance(value, np.generic | np.ndarray) or value.dtype.kind not in _KINDS:
        return None
    if value.dtype in (np.longdouble, np.clongdouble):
        raise Unsuited(f"{value.dtype} has no portable form")
    if isinstance(value, np.generic):
        return "numpy", _raw(value)
    if type(value) is np.ndarray and value.nbytes <= INLINE:
        return "ndarray", [*_raw(value), list(value.shape)]
    return None


def _raw(value: Any) -> list[Any]:
    """Type and bytes of a scalar or array: little-endian, C order, one bit pattern of NaN."""
    import numpy as np

    dtype = value.dtype.newbyteorder("<")
    if dtype != value.dtype:
        value = value.astype(dtype)
    if dtype.kind in "fc" and (value != value).any():
        value = np.where(np.isnan(value), dtype.type(math.nan), value)
    return [dtype.str, base64.b64encode(value.tobytes()).decode()]


def _array(body: list[Any]) -> Any:
    import numpy as np

    flat = np.frombuffer(base64.b64decode(body[1]), dtype=np.dtype(body[0])).copy()
    return flat.reshape(body[2] if len(body) > 2 else ())


def _dtype(body: str) -> Any:
    import numpy as np

    return np.dtype(body)


def _pandas(value: Any) -> tuple[str, Any] | None:
    import pandas as pd

    if value is pd.NA:
        return "pandas.NA", None
    if value is pd.NaT:
        return "pandas.NaT", None
    if type(value) is pd.Timestamp:
        return "pandas.Timestamp", [value.unit, str(value.asm8.view("i8")), _pandas_zone(value.tz)]
    if type(value) is pd.Timedelta:
        return "pandas.Timedelta", [value.unit, str(value.asm8.view("i8"))]
    return None


def _pandas_zone(tz: Any) -> str | None:
    key = getattr(tz, "zone", None)  # pytz, which pandas 2 makes out of text
    return key if isinstance(key, str) else zone_text(tz)


def _timestamp(body: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    unit, number, key = body
    stamp = pd.Timestamp(np.datetime64(int(number), unit))
    return stamp if key is None else stamp.tz_localize("UTC").tz_convert(zone(key))


def _timedelta(body: list[Any]) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Timedelta(np.timedelta64(int(body[1]), body[0]))


def _pandas_constant(name: str) -> Callable[[Any], Any]:
    def constant(_: Any) -> Any:
        import pandas as pd

        return getattr(pd, name)

    return constant


def _numpy_scalar(body: list[Any]) -> Any:
    return _array(body)[()]


DECODERS: dict[str, Callable[[Any], Any]] = {
    "numpy": _numpy_scalar,
    "numpy.dtype": _dtype,
    "ndarray": _array,
    "pandas.NA": _pandas_constant("NA"),
    "pandas.NaT": _pandas_constant("NaT"),
    "pandas.Timestamp": _timestamp,
    "pandas.Timedelta": _timedelta,
}
