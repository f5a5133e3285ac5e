"""Schedules over the API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.schedule import Given
from mediaserver.channels.timetable import Entry, Occurrence
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import CHANNELS, SCHEDULE

api = Operations("Schedule", Scope.CHANNELS)

_MANAGED = (Forbidden, NotFound)

_MS_MAX = 2**53
"""What JavaScript counts exactly; a time beyond the year 280,000."""


class EntryChange(Body):
    """What is left out or null stays as it is."""

    title: str | None = Field(None, max_length=limits.CHANNEL_TITLE_CHARS_MAX)
    category: str | None = Field(
        None,
        description="The slug of a category; empty for none.",
        max_length=limits.CATEGORY_SLUG_CHARS_MAX,
    )
    starts_at_ms: int | None = Field(
        None, description="The first time, within a year from now.", ge=-_MS_MAX, le=_MS_MAX
    )
    duration_min: int | None = Field(
        None, description="In minutes: 5 to 1440.", ge=-_MS_MAX, le=_MS_MAX
    )
    repeat: str | None = Field(None, description="none or weekly", max_length=20)
    time_zone: str | None = Field(
        None,
        description="Whose clock a weekly entry keeps its time on.",
        max_length=60,
        examples=["Europe/Berlin"],
    )

    def given(self) -> Given:
        return Given(
            title=self.title,
            category=self.category,
            starts_at_ms=self.starts_at_ms,
            duration_min=self.duration_min,
            repeat=self.repeat,
            time_zone=self.time_zone,
        )


class NewEntry(EntryChange):
    """`title` and `starts_at_ms` are needed; it takes an hour, once, in UTC unless said."""


class OccurrenceChange(Body):
    is_cancelled: bool


class EntryOut(Answer):
    """A scheduled stream, once or weekly."""

    id: str
    title: str
    category: str | None
    category_slug: str | None
    starts_at_ms: int = Field(description="The first time.")
    duration_min: int
    repeat: str
    time_zone: str
    cancelled: list[int] = Field(description="Single times of it that don't take place.")


class OccurrenceOut(Answer):
    """One time of an entry."""

    entry_id: str
    title: str
    category: str | None
    category_slug: str | None
    starts_at_ms: int
    ends_at_ms: int
    repeat: str
    is_cancelled: bool


class ScheduleOut(Answer):
    """A channel's schedule: its entries, and when they take place in the next weeks."""

    entries: list[EntryOut]
    occurrences: list[OccurrenceOut]


class UpcomingOut(OccurrenceOut):
    """A scheduled stream of some channel."""

    channel: str = Field(description="The channel's slug.")
    channel_name: str


class UpcomingList(Answer):
    """Scheduled streams, soonest first."""

    upcoming: list[UpcomingOut]


@api.get("/schedule", "List upcoming streams", answer=UpcomingList)
async def list_upcoming(request: web.Request) -> UpcomingList:
    """The next scheduled streams of the whole site."""
    return UpcomingList(
        upcoming=[
            UpcomingOut(
                channel=channel.slug,
                channel_name=channel.name,
                **_occurrence(occurrence).model_dump(),
            )
            for channel, occurrence in await request.app[SCHEDULE].upcoming()
        ]
    )


@api.get("/channels/{slug}/schedule", "Show a schedule", answer=ScheduleOut, errors=(NotFound,))
async def show_schedule(request: web.Request) -> ScheduleOut:
    """What a channel has scheduled. As a calendar file: /@{slug}/schedule.ics."""
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    schedule = request.app[SCHEDULE]
    return ScheduleOut(
        entries=[_entry(entry) for entry in await schedule.entries(channel.id)],
        occurrences=[_occurrence(one) for one in await schedule.occurrences(channel.id)],
    )


@api.post(
    "/channels/{slug}/schedule",
    "Schedule a stream",
    body=NewEntry,
    answer=EntryOut,
    status=201,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def schedule_stream(request: web.Request, body: NewEntry) -> EntryOut:
    """Announces a stream. Followers are told when its time has come."""
    made = await request.app[SCHEDULE].create(
        caller(request), request.match_info["slug"], body.given()
    )
    return _entry(made)


@api.patch(
    "/channels/{slug}/schedule/{id}",
    "Change a scheduled stream",
    body=EntryChange,
    answer=EntryOut,
    sign_in=True,
    errors=_MANAGED,
)
async def change_scheduled_stream(request: web.Request, body: EntryChange) -> EntryOut:
    """Changes what is given. A new time brings cancelled times back."""
    changed = await request.app[SCHEDULE].change(
        caller(request), request.match_info["slug"], request.match_info["id"], body.given()
    )
    return _entry(changed)


@api.delete(
    "/channels/{slug}/schedule/{id}",
    "Remove a scheduled stream",
    sign_in=True,
    errors=_MANAGED,
)
async def remove_scheduled_stream(request: web.Request) -> None:
    """Takes it off the schedule, with all its times."""
    await request.app[SCHEDULE].remove(
        caller(request), request.match_info["slug"], request.match_info["id"]
    )


@api.put(
    "/channels/{slug}/schedule/{id}/times/{starts_at_ms}",
    "Cancel one time",
    body=OccurrenceChange,
    answer=EntryOut,
    sign_in=True,
    errors=(*_MANAGED, Conflict),
)
async def change_occurrence(request: web.Request, body: OccurrenceChange) -> EntryOut:
    """Cancels one time of a weekly stream, or brings it back."""
    at = request.match_info["starts_at_ms"]
    if not (at.isascii() and at.isdigit() and len(at) <= len(str(_MS_MAX))):
        raise NotFound("It doesn't take place at that time.", code="occurrence_not_found")
    changed = await request.app[SCHEDULE].cancel(
        caller(request),
        request.match_info["slug"],
        request.match_info["id"],
        int(at),
        is_cancelled=body.is_cancelled,
    )
    return _entry(changed)


def _entry(entry: Entry) -> EntryOut:
    return EntryOut(
        id=entry.id,
        title=entry.title,
        category=entry.category,
        category_slug=entry.category_slug,
        starts_at_ms=entry.starts_at_ms,
        duration_min=entry.duration_min,
        repeat=entry.repeat,
        time_zone=entry.time_zone,
        cancelled=sorted(entry.cancelled),
    )


def _occurrence(occurrence: Occurrence) -> OccurrenceOut:
    entry = occurrence.entry
    return OccurrenceOut(
        entry_id=entry.id,
        title=entry.title,
        category=entry.category,
        category_slug=entry.category_slug,
        starts_at_ms=occurrence.starts_at_ms,
        ends_at_ms=occurrence.ends_at_ms,
        repeat=entry.repeat,
        is_cancelled=occurrence.is_cancelled,
    )
