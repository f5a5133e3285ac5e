"""Every kind of person × every action, in one table."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import mediaserver
from mediaserver.accounts.permissions import (
    SITE,
    Action,
    Rank,
    Role,
    Thing,
    can,
    check,
    check_rank,
    rank_of,
    role_of,
)
from mediaserver.accounts.users import User
from mediaserver.kernel.errors import Forbidden, Unauthorized


def _user(name: str, **more: bool) -> User:
    return User(f"usr_{name}", name, f"{name}@example.org", more.pop("is_admin", False), 1, **more)


NORMAL = _user("normal")
PEOPLE = {
    "visitor": None,
    "normal": NORMAL,
    "premium": _user("premium", is_premium=True),
    "moderator": _user("moderator"),
    "owner": _user("owner"),
    "admin": _user("admin", is_admin=True),
}
THING = Thing("usr_owner", {"usr_moderator"})

#                       visitor  normal  premium  moderator  owner  admin  a banned owner
TABLE = """
FOLLOW                  -        yes     yes      yes        yes    yes    -
REPORT                  -        yes     yes      yes        yes    yes    -
APPEAL                  -        yes     yes      yes        yes    yes    yes
CREATE_CHANNEL          -        yes     yes      yes        yes    yes    -
MANAGE_CHANNEL          -        -       -        -          yes    yes    -
SEND_DOCUMENTS          -        yes     yes      yes        yes    yes    -
READ_DOCUMENT           -        -       -        -          yes    yes    yes
MODERATE_CHAT           -        -       -        yes        yes    yes    -
READ_MODERATION_LOG     -        -       -        yes        yes    yes    -
CHANGE_MODERATORS       -        -       -        -          yes    yes    -
CHANGE_EMOTES           -        -       -        -          yes    yes    -
GIVE                    -        yes     yes      yes        yes    yes    -
USE_WALLET              -        yes     yes      yes        yes    yes    -
READ_OWN_MONEY          -        yes     yes      yes        yes    yes    yes
MANAGE_MONEY            -        -       -        -          yes    yes    -
MODERATE_ALERTS         -        -       -        yes        yes    yes    -
WITHDRAW                -        yes     yes      yes        yes    yes    -
SUBSCRIBE               -        yes     yes      yes        yes    yes    -
FORM_TEAM               -        yes     yes      yes        yes    yes    -
JOIN_TEAM               -        yes     yes      yes        yes    yes    -
MANAGE_TEAM             -        -       -        -          yes    yes    -
USE_ADMIN_DESK          -        -       -        -          -      yes    -
CHANGE_USERS            -        -       -        -          -      yes    -
DECIDE_VERIFICATION     -        -       -        -          -      yes    -
DECIDE_REPORT           -        -       -        -          -      yes    -
SANCTION                -        -       -        -          -      yes    -
END_ANY_STREAM          -        -       -        -          -      yes    -
CHANGE_CATEGORIES       -        -       -        -          -      yes    -
CHANGE_SITE_EMOTES      -        -       -        -          -      yes    -
CHANGE_SITE_WEBHOOKS    -        -       -        -          -      yes    -
CHANGE_SETTINGS         -        -       -        -          -      yes    -
PUBLISH_POLICIES        -        -       -        -          -      yes    -
READ_MAIL               -        -       -        -          -      yes    -
MANAGE_JOBS             -        -       -        -          -      yes    -
READ_AUDIT              -        -       -        -          -      yes    -
READ_STATISTICS         -        -       -        -          -      yes    -
READ_BOOKS              -        -       -        -          -      yes    -
CORRECT_BOOKS           -        -       -        -          -      yes    -
DECIDE_PAYMENT          -        -       -        -          -      yes    -
DECIDE_PAYOUT           -        -       -        -          -      yes    -
CHANGE_PLANS            -        -       -        -          -      yes    -
MAKE_BACKUPS            -        -       -        -          -      yes    -
"""
ROWS = {line.split()[0]: line.split()[1:] for line in TABLE.strip().splitlines()}


def test_every_action_is_asked_for_somewhere() -> None:
    package = Path(mediaserver.__file__).parent
    told = [path.read_text() for path in package.rglob("*.py") if path.name != "permissions.py"]
    asked = {name for text in told for name in re.findall(r"\bAction\.([A-Z_]+)\b", text)}
    assert {action.name for action in Action} - asked == set()


def test_the_table_names_every_action() -> None:
    assert set(ROWS) == {action.name for action in Action}


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name)
def test_who_may(action: Action) -> None:
    banned = dataclasses.replace(PEOPLE["owner"], is_banned=True)  # type: ignore[type-var]
    people = [*PEOPLE.values(), banned]
    assert ["yes" if can(one, action, THING) else "-" for one in people] == ROWS[action.name]
    for one in people:
        if can(one, action, THING):
            check(one, action, THING)
        else:
            with pytest.raises(Unauthorized if one is None else Forbidden):
                check(one, action, THING)


def test_a_ban_outweighs_being_an_admin() -> None:
    admin = _user("admin", is_admin=True, is_banned=True)
    assert not can(admin, Action.USE_ADMIN_DESK)
    assert can(admin, Action.APPEAL)


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name)
def test_an_admin_off_duty_may_what_others_may(action: Action) -> None:
    admin = _user("admin", is_admin=True, is_off_duty=True)
    assert can(admin, action, THING) == (ROWS[action.name][1] == "yes")
    own = can(admin, action, Thing("usr_admin"))
    assert own == (ROWS[action.name][4] == "yes"), "their own is theirs all the same"
    if not can(admin, action, THING):
        with pytest.raises(Forbidden) as caught:
            check(admin, action, THING)
        assert caught.value.code == "off_duty"


def test_a_thing_of_nobody_has_no_owner() -> None:
    assert rank_of(NORMAL, SITE) == Rank.VIEWER
    assert rank_of(None, SITE) == Rank.VIEWER
    assert not can(NORMAL, Action.MANAGE_CHANNEL)


def test_roles() -> None:
    assert [role_of(one) for one in PEOPLE.values()] == [
        Role.VISITOR,
        Role.NORMAL,
        Role.PREMIUM,
        Role.NORMAL,
        Role.NORMAL,
        Role.ADMIN,
    ]
    assert [role.label for role in Role] == ["visitor", "normal", "premium", "admin"]


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name)
@pytest.mark.parametrize("rank", list(Rank))
def test_with_a_rank_alone(rank: Rank, action: Action) -> None:
    if rank >= action.need.rank:
        check_rank(rank, action)
    else:
        with pytest.raises(Forbidden, match="may"):
            check_rank(rank, action)
