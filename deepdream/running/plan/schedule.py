"""Fifth pass: when everything happens, and from when until when each array is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .program import Node, Program, Value

Life = tuple[int, int]


@dataclass
class Schedule:
    """The order of a step, in ticks: nodes forward, the objective, nodes backward.

    Attributes
    ----------
    forward, backward : list of Node
    adds : set of (Node, int)
        Bottoms (by number) whose diff has already been written by another reader when the node
        runs backward, which therefore adds to it. The others overwrite.
    zeroed : list of Value
        Diffs that a node reads though nothing writes them.
    data, diff : dict of Value to (int, int)
        First and last tick at which the array is in use.
    saved : dict of Node to (int, int)
        The same for what a node keeps from its forward for its backward.
    end : int
        The last tick.
    """

    forward: list[Node]
    backward: list[Node]
    adds: set[tuple[Node, int]] = field(default_factory=set)
    zeroed: list[Value] = field(default_factory=list)
    data: dict[Value, Life] = field(default_factory=dict)
    diff: dict[Value, Life] = field(default_factory=dict)
    saved: dict[Node, Life] = field(default_factory=dict)
    end: int = 0


def schedule(program: Program, reads_back: Callable[[Node], list[Value]]) -> Schedule:
    """Order a program's work.

    Parameters
    ----------
    program : Program
    reads_back : callable
        Tells the values whose data a node's backward reads.

    Returns
    -------
    Schedule
    """
    moving = with_gradient(program)
    count = len(program.nodes)
    forward = {node: tick for tick, node in enumerate(program.nodes)}
    plan = Schedule(
        list(program.nodes),
        [node for node in reversed(program.nodes) if backward_bottoms(node, moving)],
        end=2 * count + 1,
    )
    ticks = {node: 2 * count - forward[node] for node in plan.backward}

    for value in program.values():
        made = forward[value.maker] if value.maker else 0
        plan.data[value] = (made, max([made, *(forward[node] for node in value.readers)]))
    for node in plan.backward:
        plan.saved[node] = (forward[node], ticks[node])
        for value in reads_back(node):
            plan.data[value] = (plan.data[value][0], max(plan.data[value][1], ticks[node]))
    for value in program.targets.values():
        plan.data[value] = (plan.data[value][0], plan.end)

    written: dict[Value, int] = {
        value: count for value in program.targets.values() if value in moving
    }
    for node in plan.backward:
        for top in node.tops:
            if top not in written:
                written[top] = count
                plan.zeroed.append(top)
        for i in backward_bottoms(node, moving):
            value = node.bottoms[i]
            if value in written:
                plan.adds.add((node, i))
            else:
                written[value] = ticks[node]
    for value, tick in written.items():
        read = ticks.get(value.maker, count) if value.maker else plan.end
        plan.diff[value] = (tick, plan.end if value in program.targets.values() else read)
    return plan


def with_gradient(program: Program) -> set[Value]:
    """Return the values on a way from the picture to a target along which gradients flow."""
    below = {program.picture}
    for node in program.nodes:
        if any(flow and value in below for flow, value in zip(node.flows, node.bottoms)):
            below.update(node.tops)
    above = set(program.targets.values())
    for node in reversed(program.nodes):
        if any(value in above for value in node.tops):
            above.update(value for flow, value in zip(node.flows, node.bottoms) if flow)
    return below & above


def backward_bottoms(node: Node, moving: set[Value]) -> list[int]:
    """Return the numbers of the bottoms that get a gradient from `node`."""
    if not any(value in moving for value in node.tops):
        return []
    return [
        i
        for i, (flow, value) in enumerate(zip(node.flows, node.bottoms))
        if flow and value in moving
    ]
