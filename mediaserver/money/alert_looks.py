"""How a channel's alerts look and sound, which come at all, and whether somebody approves first.

Without a word of the streamer everything has a default, so alerts work at once. Up to five looks go
by amount: the one with the highest minimum that an amount reaches is taken. Owns the tables
`alert_rules` and `alert_look`; alerts.py decides by them, overlays draw by them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Row, UniqueConstraint, delete, insert, select
from sqlalchemy import update as sql_update

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, identifier, int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.ids import is_id, new_id
from mediaserver.kernel.texts import checked_line
from mediaserver.money.currencies import checked_amount

LOOK_PREFIX, PICTURE_PREFIX = "alk", "alp"

alert_rules = table(
    "alert_rules",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    flag("is_on", default=1),
    flag("approves_first"),
    int64("amount_minor_min"),
    int64("gap_ms"),
    CheckConstraint("is_on IN (0, 1)", name="is_on"),
    CheckConstraint("approves_first IN (0, 1)", name="approves_first"),
    CheckConstraint("amount_minor_min >= 0", name="amount_minor_min"),
    CheckConstraint("gap_ms BETWEEN 0 AND 60000", name="gap"),
)

alert_look = table(
    "alert_look",
    identifier(),
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE")),
    int64("amount_minor_min"),
    text("template"),
    text("picture"),
    text("picture_id", nullable=True),
    text("sound"),
    int64("volume"),
    int64("duration_ms"),
    text("animation"),
    text("layout"),
    int64("size_px"),
    text("colour"),
    text("name_colour"),
    UniqueConstraint("channel_id", "amount_minor_min"),
    CheckConstraint("amount_minor_min >= 0", name="amount_minor_min"),
    CheckConstraint("volume BETWEEN 0 AND 100", name="volume"),
    CheckConstraint("duration_ms BETWEEN 2000 AND 30000", name="duration"),
    CheckConstraint("(picture = 'own') = (picture_id IS NOT NULL)", name="picture"),
)

PICTURES = ("star", "heart", "gift", "spark", "none")
"""Drawn by us; "own" is one that was uploaded."""

SOUNDS = ("chime", "bell", "coins", "fanfare", "none")
ANIMATIONS = ("rise", "fade", "none")
LAYOUTS = ("above", "beside", "text")

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_PLACE = re.compile(r"\{([^{}]*)\}")
PLACES = ("name", "amount", "message", "goal")
"""What may stand in braces in a template."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which contributions get an alert: those of at least `amount_minor_min`, while it `is_on`;
    after somebody approved, with `approves_first`. `gap_ms`: the pause between two.
    """

    is_on: bool = True
    approves_first: bool = False
    amount_minor_min: int = 0
    gap_ms: int = 1_000


@dataclass(frozen=True, slots=True)
class Look:
    """How an alert from `amount_minor_min` on is shown. A message that has no place in the
    template stands under it. `picture_id` names one that was uploaded.
    """

    id: str = ""
    amount_minor_min: int = 0
    template: str = "{name} gave {amount}"
    picture: str = "star"
    picture_id: str | None = None
    sound: str = "chime"
    volume: int = 60
    duration_ms: int = 8_000
    animation: str = "rise"
    layout: str = "above"
    size_px: int = 40
    colour: str = "#ffffff"
    name_colour: str = "#7ee2a8"

    def as_json(self) -> dict[str, Any]:
        """As overlays draw it."""
        fields = dataclasses.asdict(self)
        picture_id = fields.pop("picture_id")
        return {**fields, "picture_url": picture_id and f"/alert-pictures/{picture_id}.webp"}


CHANGEABLE = tuple(
    field.name for field in dataclasses.fields(Look) if field.name not in ("id", "picture_id")
)
"""What a streamer sets of a look; its picture is uploaded."""


def rules_of(tx: Transaction, channel_id: str) -> Rules:
    row = tx.execute(select(alert_rules).where(alert_rules.c.channel_id == channel_id)).first()
    if row is None:
        return Rules()
    return Rules(bool(row.is_on), bool(row.approves_first), row.amount_minor_min, row.gap_ms)


def put_rules(tx: Transaction, channel_id: str, changes: Mapping[str, Any]) -> Rules:
    """Change what is given. The caller has locked the channel. Raises `Invalid`."""
    rules = dataclasses.replace(rules_of(tx, channel_id), **changes)
    checked_amount(rules.amount_minor_min, "amount_minor_min", least=0)
    if not 0 <= rules.gap_ms <= limits.ALERT_GAP_MS_MAX:
        raise Invalid(f"Use at most {limits.ALERT_GAP_MS_MAX // 1000} s.", field="gap_ms")
    row = {
        "is_on": int(rules.is_on),
        "approves_first": int(rules.approves_first),
        "amount_minor_min": rules.amount_minor_min,
        "gap_ms": rules.gap_ms,
    }
    where = alert_rules.c.channel_id == channel_id
    if tx.execute(sql_update(alert_rules).where(where).values(**row)).rowcount == 0:
        tx.execute(insert(alert_rules).values(channel_id=channel_id, **row))
    return rules


def looks_of(tx: Transaction, channel_id: str) -> list[Look]:
    """By amount. The first is for all amounts: ours, while the streamer has none of their own."""
    rows = tx.execute(
        select(alert_look)
        .where(alert_look.c.channel_id == channel_id)
        .order_by(alert_look.c.amount_minor_min)
    )
    looks = [_to_look(row) for row in rows]
    return looks if looks and looks[0].amount_minor_min == 0 else [Look(), *looks]


def look_for(looks: list[Look], amount_minor: int) -> Look:
    """The one with the highest minimum that `amount_minor` reaches."""
    return [one for one in looks if one.amount_minor_min <= amount_minor][-1]


def put_look(tx: Transaction, channel_id: str, look_id: str, given: Mapping[str, Any]) -> Look:
    """Change a look, or make one when `look_id` is empty; `given` are some of `CHANGEABLE`. The
    caller has locked the channel. Raises `Invalid`, `NotFound` or `Conflict` (too many of them, or
    one with that minimum).
    """
    stored = [one for one in looks_of(tx, channel_id) if one.id]
    before = _find(stored, look_id) if look_id else Look()
    wanted = checked(dataclasses.replace(before, **given))
    others = [one for one in stored if one.id != look_id]
    if any(one.amount_minor_min == wanted.amount_minor_min for one in others):
        raise Conflict(
            "You have a look for that amount.", field="amount_minor_min", code="look_exists"
        )
    has_base = any(one.amount_minor_min == 0 for one in [*others, wanted])
    if len(others) + 1 + (not has_base) > limits.ALERT_LOOKS_MAX:
        raise Conflict(f"{limits.ALERT_LOOKS_MAX} looks are the most.", code="too_many_looks")
    if wanted.picture == "own" and wanted.picture_id is None:
        raise Invalid("Upload a picture first.", field="picture")
    if wanted.picture != "own":
        wanted = dataclasses.replace(wanted, picture_id=None)
    row = dataclasses.asdict(wanted)
    if look_id:
        tx.execute(sql_update(alert_look).where(alert_look.c.id == look_id).values(**row))
        return wanted
    made = dataclasses.replace(wanted, id=new_id(LOOK_PREFIX))
    tx.execute(insert(alert_look).values(**{**row, "id": made.id}, channel_id=channel_id))
    return made


def set_picture(tx: Transaction, channel_id: str, look_id: str, picture_id: str) -> Look:
    """Show an uploaded picture. Raises `NotFound`."""
    look = _find(looks_of(tx, channel_id), look_id)
    tx.execute(
        sql_update(alert_look)
        .where(alert_look.c.id == look.id)
        .values(picture="own", picture_id=picture_id)
    )
    return dataclasses.replace(look, picture="own", picture_id=picture_id)


def remove_look(tx: Transaction, channel_id: str, look_id: str) -> None:
    """Amounts of it get the one below. Raises `NotFound`."""
    look = _find(looks_of(tx, channel_id), look_id)
    tx.execute(delete(alert_look).where(alert_look.c.id == look.id))


def picture_ids(tx: Transaction) -> set[str]:
    """Every picture that was uploaded and is shown."""
    rows = tx.execute(select(alert_look.c.picture_id).where(alert_look.c.picture_id.is_not(None)))
    return set(rows.scalars())


def checked(look: Look) -> Look:
    """`look` if it can be shown. Raises `Invalid`."""
    checked_amount(look.amount_minor_min, "amount_minor_min", least=0)
    template = checked_line(
        look.template, "template", limits.ALERT_TEMPLATE_CHARS_MAX, is_required=True
    )
    if unknown := [name for name in _PLACE.findall(template) if name not in PLACES]:
        known = ", ".join(f"{{{name}}}" for name in PLACES)
        raise Invalid(f"There is no {{{unknown[0]}}}. There are {known}.", field="template")
    for name, choices in (
        ("picture", (*PICTURES, "own")),
        ("sound", SOUNDS),
        ("animation", ANIMATIONS),
        ("layout", LAYOUTS),
    ):
        if getattr(look, name) not in choices:
            raise Invalid("Choose one of the list.", field=name)
    for name, least, most in (
        ("volume", 0, 100),
        ("duration_ms", limits.ALERT_DURATION_MS_MIN, limits.ALERT_DURATION_MS_MAX),
        ("size_px", limits.ALERT_SIZE_PX_MIN, limits.ALERT_SIZE_PX_MAX),
    ):
        if not least <= getattr(look, name) <= most:
            raise Invalid(f"Use {least} to {most}.", field=name)
    for name in ("colour", "name_colour"):
        if not _COLOUR.fullmatch(getattr(look, name)):
            raise Invalid("Use a colour such as #ffffff.", field=name)
    return dataclasses.replace(look, template=template)


def _find(looks: list[Look], look_id: str) -> Look:
    for look in looks:
        if is_id(look_id, LOOK_PREFIX) and look.id == look_id:
            return look
    raise NotFound("There is no such look.", code="look_not_found")


def _to_look(row: Row[Any]) -> Look:
    return Look(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Look)})
