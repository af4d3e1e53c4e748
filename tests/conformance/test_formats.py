"""The core's own formats keep the contract that every plugin's are held to.

Each imports what it is about where it makes its values: many processes load this module.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import pytest

from stackyard.testing import FormatContract

FILES = tempfile.TemporaryDirectory()


class TestPlain(FormatContract):
    """Plain values."""

    format = "plain"

    def values(self) -> list[Any]:
        return [[], [1, "a\n", None], [1.0], {"a": {1, 2}, "größe": b"\0"}, OrderedDict(b=1, a=2)]

    def equal(self) -> list[tuple[Any, Any]]:
        words = [f"w{i}" for i in range(50)]
        ordered = {word: set(words) for word in words}
        return [(ordered, {word: set(reversed(words)) for word in reversed(words)})]

    def refused(self) -> list[Any]:

        return [{"a": object()}]

    def change(self, value: Any) -> None:
        value.clear()


class TestFrame(FormatContract):
    """Frames."""

    format = "frame"

    def values(self) -> list[Any]:
        import numpy as np
        import pandas as pd

        frame = pd.DataFrame({"n": [1, 2, 3], "text": ["a", None, "ü"], "x": [0.5, np.nan, 2]})
        return [frame, frame.set_index("n"), frame[["x"]], frame.iloc[:0]]

    def equal(self) -> list[tuple[Any, Any]]:
        import pandas as pd

        frame = self.values()[0]
        return [(frame, pd.concat([frame[:1], frame[1:]])), (frame, frame.copy()[::-1][::-1])]

    def refused(self) -> list[Any]:
        import pandas as pd

        return [type("OwnFrame", (pd.DataFrame,), {})({"a": [1]})]

    def change(self, value: Any) -> None:
        value["x"] = 7.0

    def same(self, one: Any, other: Any) -> bool:
        import pandas as pd

        return isinstance(other, pd.DataFrame) and bool(one.equals(other))


class TestArray(FormatContract):
    """Arrays."""

    format = "array"

    def values(self) -> list[Any]:
        import numpy as np

        return [np.arange(6.0).reshape(2, 3), np.arange(6), np.array(["a", "é"]), np.zeros((0, 3))]

    def equal(self) -> list[tuple[Any, Any]]:
        import numpy as np

        array = self.values()[0]
        return [(array, np.asfortranarray(array)), (array, array.astype(">f8"))]

    def refused(self) -> list[Any]:
        import numpy as np

        return [np.array([object()]), np.ma.masked_array([1, 2], [True, False])]

    def change(self, value: Any) -> None:
        value[...] = value[::-1]

    def same(self, one: Any, other: Any) -> bool:
        import numpy as np

        return type(one) is type(other) and np.array_equal(one, other)


@pytest.mark.full  # each of its processes imports scikit-learn
class TestSklearn(FormatContract):
    """Models of scikit-learn."""

    format = "sklearn"

    def values(self) -> list[Any]:
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        rows, flags = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
        return [LogisticRegression(C=2.0), LogisticRegression().fit(rows, flags), StandardScaler()]

    def equal(self) -> list[tuple[Any, Any]]:
        from sklearn.preprocessing import StandardScaler

        changed = StandardScaler(with_mean=False)
        changed.set_params(with_mean=True)
        return [(StandardScaler(), changed)]

    def refused(self) -> list[Any]:
        from sklearn.preprocessing import StandardScaler

        return [type("OwnScaler", (StandardScaler,), {})()]

    def change(self, value: Any) -> None:
        value.set_params(**{name: None for name in value.get_params()})

    def same(self, one: Any, other: Any) -> bool:
        def state(model: Any) -> str:
            return repr(sorted(vars(model).items()))

        return type(one) is type(other) and state(one) == state(other)


class TestFolder(FormatContract):
    """Files and folders."""

    format = "folder"

    def values(self) -> list[Any]:
        home = Path(tempfile.mkdtemp(dir=FILES.name))
        (home / "deep" / "empty").mkdir(parents=True)
        (home / "größe.txt").write_text("a")
        (home / "deep" / "b.bin").write_bytes(bytes(range(256)))
        return [home, home / "größe.txt", home / "deep"]

    def equal(self) -> list[tuple[Any, Any]]:
        return [(self.values()[0], self.values()[0])]

    def refused(self) -> list[Any]:
        return []  # what a path names is stored, or nothing is

    def change(self, value: Any) -> None:
        """The copy is read-only."""

    def same(self, one: Any, other: Any) -> bool:
        def tree(path: Path) -> Any:
            if path.is_file():
                return path.name, path.read_bytes()
            return {
                p.relative_to(path): p.read_bytes() if p.is_file() else None
                for p in path.rglob("*")
            }

        return isinstance(other, Path) and tree(one) == tree(other)


class TestParts(FormatContract):
    """Containers of what is not plain."""

    format = "parts"

    def values(self) -> list[Any]:
        import pandas as pd

        rows = pd.Series([1, 2])
        return [{"a": rows, "n": 1}, [rows, rows], {"a": rows, "n": 2}]

    def equal(self) -> list[tuple[Any, Any]]:
        import pandas as pd

        rows = pd.Series([1, 2])
        return [({"a": rows, "n": 1}, {"n": 1, "a": rows[::-1][::-1]})]

    def refused(self) -> list[Any]:

        return [object()]

    def change(self, value: Any) -> None:
        (value["a"] if isinstance(value, dict) else value[0]).iloc[0] = 7

    def same(self, one: Any, other: Any) -> bool:
        def told(value: Any) -> Any:
            return sorted(map(repr, value.items() if isinstance(value, dict) else value))

        return type(one) is type(other) and told(one) == told(other)


class Own:
    """The author's own class."""

    def __init__(self, *links: Any) -> None:
        self.links = list(links)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.links == other.links

    __hash__ = None  # type: ignore[assignment]


class TestPickle(FormatContract):
    """Anything else."""

    format = "pickle"
    deviations: ClassVar[dict[str, str]] = {
        "test_02_equal_values_have_equal_bytes": "whether two members are one object is in a pickle"
    }

    def values(self) -> list[Any]:
        return [Own(), Own(1, "a"), Own(Own("b"))]

    def equal(self) -> list[tuple[Any, Any]]:
        one, other = Own(1), Own(1)
        return [(Own(one, one), Own(one, other))]

    def refused(self) -> list[Any]:
        return []

    def change(self, value: Any) -> None:
        value.links.append("more")
