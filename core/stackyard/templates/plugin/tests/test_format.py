"""The format keeps its contract."""

from __future__ import annotations

from stackyard.testing import FormatContract

from acme_tools.format import Graph


class Coloured(Graph):
    """Has more than a graph."""

    colour = "red"


class TestAcmeFormat(FormatContract):
    """Every test of the contract is inherited."""

    format = "acme"

    def values(self) -> list[Graph]:
        """Values that the format stores, each different from all others."""
        odd = {('quo"te', "line\nbreak"), ("größe", ""), ("../up", "\u2028")}
        many = {(f"n{i}", f"n{i * 7 % 100}") for i in range(100)}
        return [Graph(), Graph([("a", "b")]), Graph([("b", "a")]), Graph(odd), Graph(many)]

    def equal(self) -> list[tuple[Graph, Graph]]:
        """Pairs of values that are equal and have become so in different ways."""
        links = [(f"n{i}", f"n{i + 1}") for i in range(50)]
        shrunk = Graph([*links, ("x", "y")])
        shrunk.links.remove(("x", "y"))
        return [(Graph(links), Graph(reversed(links))), (Graph(links), shrunk)]

    def refused(self) -> list[Graph]:
        """Values of its types that it does not store."""
        return [Coloured([("a", "b")])]

    def change(self, value: Graph) -> None:
        """Change a value in place."""
        value.links.add(("new", "link"))
