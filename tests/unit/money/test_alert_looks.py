"""How alerts look: by amount, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.money import alert_looks
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.alert_looks import Look, look_for
from tests.pictures import png
from tests.unit.money.given import Giving


async def test_alerts_look_like_something_from_the_start(
    giving: Giving, desk: AlertDesk, bob: User
) -> None:
    await giving.give(500, bob)
    (showing,) = await desk.waiting(giving.channel.id)
    assert showing.look == {**Look().as_json()}
    assert showing.look["picture_url"] is None


async def test_the_highest_look_that_is_reached_counts(
    giving: Giving, desk: AlertDesk, alice: User, bob: User
) -> None:
    large = {"amount_minor_min": 1_000, "template": "{amount}!"}
    await desk.put_look(alice, "alice-tv", "", large)
    await desk.put_look(alice, "alice-tv", "", {"amount_minor_min": 5_000, "sound": "fanfare"})
    for amount in (999, 1_000, 4_999, 5_000):
        await giving.give(amount, bob)
    waiting = await desk.waiting(giving.channel.id)
    assert [one.look["amount_minor_min"] for one in waiting] == [0, 1_000, 1_000, 5_000]
    assert waiting[1].look["template"] == "{amount}!"


async def test_a_look_is_changed_and_removed(
    channel: Channel, desk: AlertDesk, alice: User
) -> None:
    base = await desk.put_look(alice, "alice-tv", "", {"template": "Thank you, {name}"})
    other = await desk.put_look(alice, "alice-tv", "", {"amount_minor_min": 500})
    changed = await desk.put_look(alice, "alice-tv", base.id, {"volume": 0})
    assert (changed.template, changed.volume) == ("Thank you, {name}", 0)
    with pytest.raises(Conflict):
        await desk.put_look(alice, "alice-tv", other.id, {"amount_minor_min": 0})
    await desk.remove_look(alice, "alice-tv", other.id)
    assert (await desk.setup(alice, "alice-tv")).looks == [changed]
    with pytest.raises(NotFound):
        await desk.remove_look(alice, "alice-tv", other.id)


async def test_five_looks_are_the_most(channel: Channel, desk: AlertDesk, alice: User) -> None:
    for amount in (100, 200, 300, 400):
        await desk.put_look(alice, "alice-tv", "", {"amount_minor_min": amount})
    with pytest.raises(Conflict):
        await desk.put_look(alice, "alice-tv", "", {"amount_minor_min": 500})
    await desk.put_look(alice, "alice-tv", "", {"amount_minor_min": 0})
    assert len((await desk.setup(alice, "alice-tv")).looks) == 5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"template": ""}, "template"),
        ({"template": "{secret}"}, "template"),
        ({"template": "x" * 121}, "template"),
        ({"picture": "own"}, "picture"),
        ({"picture": "moon"}, "picture"),
        ({"sound": "siren"}, "sound"),
        ({"volume": 101}, "volume"),
        ({"duration_ms": 1_999}, "duration_ms"),
        ({"duration_ms": 30_001}, "duration_ms"),
        ({"size_px": 500}, "size_px"),
        ({"colour": "red; background: url(x)"}, "colour"),
        ({"name_colour": "#FFF"}, "name_colour"),
        ({"amount_minor_min": -1}, "amount_minor_min"),
        ({"layout": "over"}, "layout"),
    ],
)
async def test_looks_that_can_not_be(
    channel: Channel, desk: AlertDesk, alice: User, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await desk.put_look(alice, "alice-tv", "", given)
    assert caught.value.field == field


async def test_a_picture_of_ones_own(
    channel: Channel, desk: AlertDesk, db: Database, alice: User, bob: User
) -> None:
    look = await desk.put_look(alice, "alice-tv", "", {})
    shown = await desk.put_picture(alice, "alice-tv", look.id, png(800, 400))
    assert shown.picture == "own"
    assert shown.picture_id is not None
    assert desk.file(shown.picture_id).is_file()
    url = (await desk.setup(alice, "alice-tv")).looks[0].as_json()["picture_url"]
    assert url == f"/alert-pictures/{shown.picture_id}.webp"
    for wrong in (b"<svg onload=alert(1)>", b""):
        with pytest.raises(Invalid):
            await desk.put_picture(alice, "alice-tv", look.id, wrong)
    with pytest.raises(Forbidden):
        await desk.put_picture(bob, "alice-tv", look.id, png(8, 8))
    await desk.put_look(alice, "alice-tv", look.id, {"picture": "heart"})
    assert await db.read(alert_looks.picture_ids) == set()


def test_a_look_for_every_amount() -> None:
    looks = [Look(), Look(amount_minor_min=10)]
    assert [look_for(looks, amount).amount_minor_min for amount in (0, 9, 10, 10**12)] == [
        *(0, 0, 10, 10)
    ]
