"""What is left of a timeline when a stream begins in the middle of a meeting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from rtmsd.simulator.actions import Action, Joins, Leaves, Mutes, PostsWebhooks, Unmutes
from rtmsd.simulator.fault_actions import Distorts
from rtmsd.simulator.held_actions import HeldAction
from rtmsd.simulator.person_actions import Chats, Holds, OnlyInside, Shares, TurnsCamera


def remaining(
    timeline: Iterable[Action], from_ms: int, present: Collection[int] | None
) -> tuple[Action, ...]:
    """List what makes the state of `from_ms` at 0, and all that comes later, shifted.

    With `present`, these people are there, whatever the timeline says of coming and going, and nobody comes or goes any
    more. Left out are sentences that have begun, faults that are over, and what is said of chat messages written before.
    """
    actions: list[Action] = sorted(timeline, key=lambda action: action.at_ms)
    if present is not None:
        there = [Joins(0, user_id) for user_id in present]
        actions = [*there, *(one for one in actions if not isinstance(one, Joins | Leaves | HeldAction))]
    before = [one for one in actions if one.at_ms < from_ms]
    later = [replace(one, at_ms=one.at_ms - from_ms) for one in actions if one.at_ms >= from_ms]
    return (*_state(before), *_without_lost_messages(before, later))


def _state(before: Sequence[Action]) -> Iterable[Action]:
    """Give the actions that bring about how people and the stream are after these."""
    inside: dict[int, Action] = {}
    lasting: dict[tuple[type, int], Action] = {}
    posting: list[Action] = []
    for action in before:
        match action:
            case Joins():
                inside[action.user_id] = action
            case Leaves():
                inside.pop(action.user_id, None)
                for kind in (TurnsCamera, Shares):
                    lasting.pop((kind, action.user_id), None)
            case Mutes():
                lasting[Mutes, action.user_id] = action
            case Unmutes():
                lasting.pop((Mutes, action.user_id), None)
            case TurnsCamera() | Holds() | Shares() if action.user_id in inside:
                _switch(lasting, action)
            case PostsWebhooks() | Distorts(seconds=0):
                posting.append(action)
    for action in (*inside.values(), *lasting.values(), *posting):
        if not isinstance(action, OnlyInside) or action.user_id in inside:
            yield replace(action, at_ms=0)


def _switch(lasting: dict[tuple[type, int], Action], action: TurnsCamera | Holds | Shares) -> None:
    if isinstance(action, Shares) and action.on:  # who begins takes it from who shared before
        for key in [key for key in lasting if key[0] is Shares]:
            del lasting[key]
    lasting.pop((type(action), action.user_id), None)
    if action.on:
        lasting[type(action), action.user_id] = action


def _without_lost_messages(before: Iterable[Action], later: Iterable[Action]) -> Iterable[Action]:
    """Leave out what is about chat messages that a client of the new stream has never seen."""
    lost = {one.label for one in before if isinstance(one, Chats) and one.label}
    for action in later:
        if isinstance(action, Chats):
            if action.of in lost:
                lost |= {action.label} - {""}
                continue
            lost.discard(action.label)
        yield action
