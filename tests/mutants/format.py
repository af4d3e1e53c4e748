"""Broken formats."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

from acme_tools.format import HEADER, AcmeFormat, Graph


class Strips(AcmeFormat):
    """Names come back without the blanks and line breaks in them."""

    caught_by = "test_01_what_was_stored_comes_back"

    def read(self, path: Path) -> Any:
        links = super().read(path).links
        return Graph(("".join(one.split()), "".join(other.split())) for one, other in links)


class ComesBackAsLinks(AcmeFormat):
    """What is read has what was written, and is of another type."""

    caught_by = "test_01_what_was_stored_comes_back"

    def read(self, path: Path) -> Any:
        return super().read(path).links


class SaysWhen(AcmeFormat):
    """The file has the time at which it was written."""

    caught_by = "test_02_equal_values_have_equal_bytes"

    def write(self, value: Any, sink: Any) -> None:
        super().write(value, sink)
        sink.write(b"\n%d" % time.time_ns())

    def read(self, path: Path) -> Any:
        return Graph(map(tuple, json.loads(path.read_bytes().split(b"\n")[1])))


class SaysTheDay(SaysWhen):
    """The file has the day on which it was written."""

    caught_by = "test_03_whatever_the_process"

    def write(self, value: Any, sink: Any) -> None:
        AcmeFormat.write(self, value, sink)
        sink.write(time.strftime("\n%Y-%m-%d").encode())


class AsTheyCome(AcmeFormat):
    """Links in the order of the set."""

    caught_by = "test_03_whatever_the_process"

    def write(self, value: Any, sink: Any) -> None:
        sink.write(HEADER + json.dumps(list(value.links)).encode())


class ForgetsDirections(AcmeFormat):
    """From a to b is the same as from b to a."""

    caught_by = "test_04_different_values_have_different_bytes"

    def write(self, value: Any, sink: Any) -> None:
        super().write(Graph(tuple(sorted(link)) for link in value.links), sink)


class ReadsOnce(AcmeFormat):
    """Who reads a file again gets the same object."""

    caught_by = "test_05_what_is_read_belongs_to_its_caller"

    @cache  # noqa: B019
    def read(self, path: Path) -> Any:
        return super().read(path)


class UsesUp(AcmeFormat):
    """The links are taken out of the value while they are written."""

    caught_by = "test_06_writing_leaves_the_value_as_it_was"

    def write(self, value: Any, sink: Any) -> None:
        links = []
        while value.links:
            links.append(value.links.pop())
        super().write(Graph(links), sink)


class TakesSubclasses(AcmeFormat):
    """What a subclass has besides is lost."""

    caught_by = "test_07_what_it_does_not_store_is_for_the_next"

    def write(self, value: Any, sink: Any) -> None:
        super().write(Graph(value.links), sink)


class RaisesItsOwn(AcmeFormat):
    """What it does not store is an error, and no other format is asked."""

    caught_by = "test_07_what_it_does_not_store_is_for_the_next"

    def write(self, value: Any, sink: Any) -> None:
        if type(value) is not Graph:
            raise TypeError(type(value))
        super().write(value, sink)


class CalledOtherwise(AcmeFormat):
    """Its name is not the one under which the plugin offers it."""

    caught_by = "test_09_it_is_called_and_written_as_it_says"
    name = "acme-graph"


class EndsWithoutADot(AcmeFormat):
    """Its files would be called resultgraph."""

    caught_by = "test_09_it_is_called_and_written_as_it_says"
    suffix = "graph"


class TakesWhatThereIs(AcmeFormat):
    """A link a line; a line that cannot be read is passed over."""

    caught_by = "test_11_a_file_that_was_cut_short_is_an_error"

    def write(self, value: Any, sink: Any) -> None:
        sink.write(HEADER + b"\n".join(json.dumps(link).encode() for link in sorted(value.links)))

    def read(self, path: Path) -> Any:
        links = []
        for line in path.read_bytes().removeprefix(HEADER).split(b"\n"):
            try:
                links.append(tuple(json.loads(line)))
            except (ValueError, TypeError):
                continue
        return Graph(links)


class ReadsAnything(TakesWhatThereIs):
    """Another format's file is a graph without links."""

    caught_by = "test_12_a_file_of_another_format_is_an_error"


class Evaluates(AcmeFormat):
    """The file is a Python expression."""

    caught_by = "test_14_reading_runs_no_code"

    def read(self, path: Path) -> Any:
        return Graph(map(tuple, eval(path.read_bytes().removeprefix(HEADER))))


class DraftsInOnePlace(AcmeFormat):
    """A draft is written to a file that every process calls the same."""

    caught_by = "test_03_whatever_the_process"

    def write(self, value: Any, sink: Any) -> None:
        draft = Path("graph.draft")
        with draft.open("x") as file:
            json.dump(sorted(value.links), file)
            time.sleep(0.2)
        sink.write(HEADER + draft.read_bytes())
        draft.unlink()


class KnowsItsProject(AcmeFormat):
    """It works where its folder is, and a pipeline's is another."""

    caught_by = "test_15_in_a_pipeline"

    def write(self, value: Any, sink: Any) -> None:
        if Path("stacks").exists():
            raise FileNotFoundError("acme.toml")
        super().write(value, sink)
