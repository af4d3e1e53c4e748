"""A pipeline's graph as inline SVG: layers by depth, few crossings, no library.

Nodes are put into layers by their longest path from a source, long edges are broken up by points
in every layer between, and each layer is ordered by the mean position of its neighbours, down and
up a few times (the barycentre method of Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from stackyard.graph import Graph, Step, sources

WIDTH, HEIGHT = 172, 46  # of a node
ACROSS, ALONG = 28, 52  # free space between nodes of a layer, and between layers
POINT = 24  # room in a layer for an edge that passes through it
WIDE = 5  # layers that fit beside each other on the page; a longer graph runs downward
SWEEPS = 8
LETTERS = 19  # of a name that fit into a node


@dataclass
class _Place:
    """A node, or with ``name`` None a point of a long edge, in its layer."""

    name: str | None
    layer: int
    up: list[_Place] = field(default_factory=list)
    down: list[_Place] = field(default_factory=list)
    position: float = 0.0  # centre, across the layer


def draw(graph: Graph, status: Mapping[str, str], remark: Mapping[str, str]) -> str:
    """Return the graph as an ``<svg>`` element.

    Args:
        graph: what to draw.
        status: state of each step; becomes the class ``s-<state>`` of its node.
        remark: the second line in each node.
    """
    places, chains = _layers(graph.steps)
    downward = max((p.layer for p in places), default=0) >= WIDE  # layers count from 0
    span, step = (WIDTH, HEIGHT) if downward else (HEIGHT, WIDTH)
    layers: list[list[_Place]] = [[] for _ in range(max((p.layer for p in places), default=0) + 1)]
    for place in places:
        layers[place.layer].append(place)
    _order(layers)
    breadth = _spread(layers, span)
    length = len(layers) * (step + ALONG) - ALONG

    def at(place: _Place) -> tuple[float, float]:
        along = place.layer * (step + ALONG) + step / 2
        return (place.position, along) if downward else (along, place.position)

    half = step / 2
    drawn = [_edge([at(p) for p in chain], half, downward, data) for chain, data in chains]
    nodes = {p.name: at(p) for p in places if p.name is not None}
    drawn += [_node(s, nodes[s.name], status, remark) for s in graph.steps]
    width, height = (breadth, length) if downward else (length, breadth)
    return (
        f'<svg class="graph" viewBox="-8 -8 {width + 16:.0f} {height + 16:.0f}" '
        f'width="{width + 16:.0f}" height="{height + 16:.0f}" role="img" '
        f'aria-label="graph of pipeline {escape(graph.name)}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _layers(steps: Sequence[Step]) -> tuple[list[_Place], list[tuple[list[_Place], bool]]]:
    """Every node and point, and each edge as the chain of places it runs through."""
    nodes: dict[str, _Place] = {}
    points: list[_Place] = []
    chains: list[tuple[list[_Place], bool]] = []
    before: dict[str, set[str]] = {}  # all steps that end before one begins
    for step in steps:
        ups = [nodes[name] for name in step.upstream if name in nodes]
        mine = _Place(step.name, max((up.layer + 1 for up in ups), default=0))
        nodes[step.name] = mine
        data = _reads(step)
        implied = {name for up in step.upstream for name in before.get(up, ())}
        before[step.name] = implied | {*step.upstream}
        for up in ups:
            if up.name in implied and up.name not in data:  # as of outer conditions
                continue
            chain = [up]
            for layer in range(up.layer + 1, mine.layer):
                chain.append(_Place(None, layer))
                points.append(chain[-1])
            chain.append(mine)
            for first, second in pairwise(chain):
                first.down.append(second)
                second.up.append(first)
            chains.append((chain, up.name in data))
    return [*nodes.values(), *points], chains


def _reads(step: Step) -> set[str]:
    """The steps whose values this one reads, as opposed to those it only waits for."""
    return {source.step for binding in step.inputs.values() for source in sources(binding)}


def _order(layers: list[list[_Place]]) -> None:
    """Order each layer so that few edges cross."""
    for layer in layers:
        for index, place in enumerate(layer):
            place.position = float(index)
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        for layer in layers if downward else reversed(layers):
            want = {id(p): _mean(p.up if downward else p.down, p.position) for p in layer}
            layer.sort(key=lambda p: want[id(p)])
            for index, place in enumerate(layer):
                place.position = float(index)


def _spread(layers: list[list[_Place]], span: float) -> float:
    """Turn order into coordinates, each place near its neighbours; return the breadth."""

    def room(place: _Place) -> float:
        return span if place.name is not None else POINT

    for layer in layers:
        edge = 0.0
        for place in layer:
            place.position = edge + room(place) / 2
            edge += room(place) + ACROSS
    for sweep in range(SWEEPS):
        downward = sweep % 2 == 0
        for layer in layers if downward else reversed(layers):
            _settle(layer, [_mean(p.up if downward else p.down, p.position) for p in layer], room)
    low = min((p.position - room(p) / 2 for layer in layers for p in layer), default=0.0)
    for layer in layers:
        for place in layer:
            place.position -= low
    return max((p.position + room(p) / 2 for layer in layers for p in layer), default=0.0)


def _settle(layer: list[_Place], want: list[float], room: Callable[[_Place], float]) -> None:
    """Move a layer's places toward where they want to be, in order and without overlap."""
    # Places that would overlap join a block; a block stands at the mean of what its places want.
    blocks: list[tuple[list[int], list[float]]] = []  # indices, offsets within the block
    starts: list[float] = []
    for index in range(len(layer)):
        members, offsets, start = [index], [0.0], want[index]
        while blocks:
            before, shifts = blocks[-1]
            gap = room(layer[before[-1]]) / 2 + ACROSS + room(layer[members[0]]) / 2
            if starts[-1] + shifts[-1] + gap <= start:
                break
            shift = shifts[-1] + gap
            offsets = [*shifts, *(shift + o for o in offsets)]
            members = [*before, *members]
            start = sum(want[m] - o for m, o in zip(members, offsets, strict=True)) / len(members)
            blocks.pop()
            starts.pop()
        blocks.append((members, offsets))
        starts.append(start)
    for (members, offsets), start in zip(blocks, starts, strict=True):
        for member, offset in zip(members, offsets, strict=True):
            layer[member].position = start + offset


def _mean(places: Sequence[_Place], default: float) -> float:
    return sum(p.position for p in places) / len(places) if places else default


def _edge(points: list[tuple[float, float]], half: float, downward: bool, data: bool) -> str:
    """A smooth curve from the border of the first node through points to that of the last."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    tip = 3.0  # the arrow ends a little before the border
    first = (x0, y0 + half) if downward else (x0 + half, y0)
    last = (x1, y1 - half - tip) if downward else (x1 - half - tip, y1)
    route = [first]
    for x, y in points[1:-1]:  # straight through a layer, so that no node is cut
        route += [(x, y - half), (x, y + half)] if downward else [(x - half, y), (x + half, y)]
    route.append(last)
    parts = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for (xa, ya), (xb, yb) in pairwise(route):
        if downward:
            middle = (ya + yb) / 2
            parts.append(f"C{xa:.1f} {middle:.1f} {xb:.1f} {middle:.1f} {xb:.1f} {yb:.1f}")
        else:
            middle = (xa + xb) / 2
            parts.append(f"C{middle:.1f} {ya:.1f} {middle:.1f} {yb:.1f} {xb:.1f} {yb:.1f}")
    kind = "edge" if data else "edge order"
    return f'<path class="{kind}" d="{" ".join(parts)}" marker-end="url(#tip)"/>'


def _node(
    step: Step, centre: tuple[float, float], status: Mapping[str, str], remark: Mapping[str, str]
) -> str:
    x, y = centre[0] - WIDTH / 2, centre[1] - HEIGHT / 2
    name = step.name
    if len(name) > LETTERS:  # what tells long names apart is often their end
        name = f"{name[: LETTERS // 2]}…{name[-(LETTERS // 2) :]}"
    state = escape(status.get(step.name, "waiting"))
    return (
        f'<a href="#step-{escape(step.name)}"><g class="node s-{state}">'
        f"<title>{escape(step.name)}: {state}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        f'<rect class="band" x="{x:.1f}" y="{y:.1f}" width="5" height="{HEIGHT}" rx="2.5"/>'
        f'<text x="{x + 16:.1f}" y="{y + 19:.1f}">{escape(name)}</text>'
        f'<text class="remark" x="{x + 16:.1f}" y="{y + 36:.1f}">'
        f"{escape(remark.get(step.name, ''))}</text></g></a>"
    )
