"""Events reach the handlers of their exact type, whatever a handler does."""

from __future__ import annotations

from dataclasses import dataclass

from structlog.testing import capture_logs

from mediaserver.kernel.events import Events


@dataclass(frozen=True, slots=True)
class Opened:
    name: str


@dataclass(frozen=True, slots=True)
class Closed:
    name: str


class OpenedWide(Opened):
    pass


def test_handlers_get_the_events_of_their_type_in_order() -> None:
    events, seen = Events(), list[str]()
    events.subscribe(Opened, lambda event: seen.append(f"first {event.name}"))
    events.subscribe(Opened, lambda event: seen.append(f"second {event.name}"))
    events.subscribe(Closed, lambda event: seen.append(f"closed {event.name}"))
    events.publish(Opened("a"))
    events.publish(Closed("a"))
    events.publish(Opened("b"))
    assert seen == ["first a", "second a", "closed a", "first b", "second b"]


def test_a_subclass_is_another_type() -> None:
    events, seen = Events(), list[Opened]()
    events.subscribe(Opened, seen.append)
    events.publish(OpenedWide("a"))
    assert seen == []


def test_an_event_that_nobody_wants_is_no_error() -> None:
    Events().publish(Opened("a"))


def test_a_handler_that_crashes_is_logged_and_keeps_nobody_from_its_turn() -> None:
    events, seen = Events(), list[Opened]()

    def crash(_: Opened) -> None:
        raise RuntimeError("bug")

    events.subscribe(Opened, crash)
    events.subscribe(Opened, seen.append)
    with capture_logs() as captured:
        events.publish(Opened("a"))
    assert seen == [Opened("a")]
    assert [(line["event"], line["event_type"]) for line in captured] == [
        ("event handler crashed", "Opened")
    ]
    assert captured[0]["exc_info"]


def test_a_handler_may_publish() -> None:
    events, seen = Events(), list[object]()
    events.subscribe(Opened, lambda event: events.publish(Closed(event.name)))
    events.subscribe(Closed, seen.append)
    events.publish(Opened("a"))
    assert seen == [Closed("a")]


def test_a_handler_may_subscribe_another() -> None:
    """The new one's turn begins with the next event at the latest; nothing goes round for ever."""
    events, seen = Events(), list[Opened]()

    def subscribe_once(_: Opened) -> None:
        if not seen:
            events.subscribe(Opened, seen.append)

    events.subscribe(Opened, subscribe_once)
    events.publish(Opened("a"))
    events.publish(Opened("b"))
    assert seen[-1] == Opened("b")
