"""Reports, decisions and appeals over HTTP: by form and by API, for those who may."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.functional.platform_site import (
    PASSWORD,
    FakeStatus,
    Person,
    Site,
    admin_of,
    running_site,
)

ABOUT_ALICE = {"kind": "channel", "id": "alice", "reason": "spam", "text": "Look."}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def reported(person: Person, **changes: Any) -> str:
    status, made = await person.api("POST", "/reports", ABOUT_ALICE | changes)
    assert status == 201, made
    return str(made["id"])


async def test_from_the_button_to_the_answer(site: Site) -> None:
    admin = await admin_of(site)
    await site.streamer()
    bob = await site.member("bob")
    site.media.broadcasts.statuses.append(FakeStatus("alice"))
    site.media.thumbnails["alice"] = b"\xff\xd8 a picture"
    _, page, _ = await bob.get("/@alice")
    link = re.search(r'href="(/report\?[^"]+)"', page)
    assert link is not None
    status, page, _ = await bob.get(link[1].replace("&amp;", "&"))
    assert status == 200
    assert "Report the channel alice" in page
    status, page, _ = await bob.post("/report", ABOUT_ALICE | {"reason": "other", "text": ""})
    assert status == 422
    assert "Say in a few words" in page
    status, _, response = await bob.post("/report", ABOUT_ALICE)
    assert (status, response.headers["Location"]) == (303, "/@alice")
    assert "An admin will look at it" in (await bob.get("/@alice"))[1]
    assert "Waiting" in (await bob.get("/settings/reports"))[1]

    status, page, _ = await admin.get("/admin/reports")
    assert status == 200
    case = re.search(r"/admin/reports/(rpt_\w+)", page)
    assert case is not None
    status, page, _ = await admin.get(case[0])
    assert status == 200
    assert "Look." in page
    async with admin.http.get(admin.base.join(URL(case[0] + "/picture"))) as response:
        assert response.content_type == "image/jpeg"
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.read() == b"\xff\xd8 a picture"
    assert (await admin.post(case[0] + "/take"))[0] == 303
    assert "You are on it" in (await admin.get(case[0]))[1]
    status, page, _ = await admin.post(case[0] + "/decide", {"outcome": "", "days": "7"})
    assert status == 422
    form = {"outcome": "banned", "reason": "hate", "days": "7", "text": "No.", "answer": "Thanks."}
    status, page, _ = await admin.post(case[0] + "/decide", form)
    assert status == 303, page
    assert [slug for slug, _ in site.media.broadcasts.stopped] == ["alice"]
    status, page, _ = await admin.post(case[0] + "/decide", form)
    assert status == 409
    assert "decided this report already" in page
    page = (await bob.get("/settings/reports"))[1]
    assert "It broke the rules" in page
    assert "Thanks." in page
    assert "No." not in page
    for path in ("/admin/reports?state=decided", "/admin/reports?state=all&kind=channel"):
        assert case[1] in (await admin.get(path))[1]
    assert "Nothing waits here" in (await admin.get("/admin/reports?state=new"))[1]


async def test_reporting_needs_an_account(site: Site) -> None:
    await site.streamer()
    visitor = site.person()
    status, _, response = await visitor.get("/report?kind=channel&id=alice")
    assert status == 303
    assert response.headers["Location"].startswith("/login?next=/report")
    assert (await visitor.post("/report", ABOUT_ALICE))[0] == 401
    assert (await visitor.api("POST", "/reports", ABOUT_ALICE))[0] == 401


async def test_what_can_not_be_reported(site: Site) -> None:
    alice, bob = await site.streamer(), await site.member("bob")
    for query, expected in (
        ("", 422),
        ("?kind=video&id=x", 422),
        ("?kind=channel&id=nothing", 404),
        ("?kind=chat_line&id=%00", 404),
        ("?kind=stream&id=" + "x" * 3_000, 404),
    ):
        assert (await bob.get("/report" + query))[0] == expected, query
    assert (await alice.get("/report?kind=channel&id=alice"))[0] == 409
    status, answer = await alice.api("POST", "/reports", ABOUT_ALICE)
    assert (status, answer["error"]["code"]) == (409, "own")
    for body in (
        {},
        ABOUT_ALICE | {"state": "decided"},
        ABOUT_ALICE | {"owner_id": "usr_x"},
        ABOUT_ALICE | {"text": "x" * 1_001},
        ABOUT_ALICE | {"id": 1},
        ABOUT_ALICE | {"reason": None},
    ):
        assert (await bob.api("POST", "/reports", body))[0] == 422, body


async def test_reports_are_for_admins_and_who_made_them(site: Site) -> None:
    admin = await admin_of(site)
    alice, bob = await site.streamer(), await site.member("bob")
    report_id = await reported(bob)
    visitor = site.person()
    for path in ("", f"/{report_id}", f"/{report_id}/picture", "/appeals"):
        assert (await alice.get("/admin/reports" + path))[0] == 403, path
        assert (await visitor.get("/admin/reports" + path))[0] == 303, path
    for tail in ("take", "put-back", "decide"):
        assert (await alice.post(f"/admin/reports/{report_id}/{tail}"))[0] == 403, tail
        body = {"outcome": "dismissed"} if tail == "decide" else None
        status, _ = await alice.api("POST", f"/admin/reports/{report_id}/{tail}", body)
        assert status == 403, tail
    assert (await alice.api("GET", "/admin/reports"))[0] == 403
    assert (await alice.api("GET", f"/admin/reports/{report_id}"))[0] == 403
    assert (await alice.api("GET", "/me/reports"))[1]["reports"] == []
    assert len((await bob.api("GET", "/me/reports"))[1]["reports"]) == 1
    for wrong in ("rpt_00000000000000000000", "x", "%00", "..%2f..%2fetc"):
        assert (await admin.get(f"/admin/reports/{wrong}"))[0] == 404, wrong
        assert (await admin.get(f"/admin/reports/{wrong}/picture"))[0] == 404, wrong
        assert (await admin.post(f"/admin/reports/{wrong}/take"))[0] == 404, wrong
    status, case = await admin.api("GET", f"/admin/reports/{report_id}")
    assert (status, case["report"]["reporter"], case["evidence"]["picture_url"]) == (
        200,
        "bob",
        None,
    )


async def test_a_program_decides(site: Site) -> None:
    admin = await admin_of(site)
    await site.streamer()
    bob = await site.member("bob")
    report_id = await reported(bob)
    path = f"/admin/reports/{report_id}"
    assert (await admin.api("POST", path + "/take"))[1]["assignee"] == "boss"
    assert (await admin.api("POST", path + "/put-back"))[1]["state"] == "new"
    body = {"outcome": "warned", "text": "Mind the rules.", "answer": "Done."}
    for wrong in (
        body | {"state": "new"},
        body | {"outcome": "x"},
        body | {"reason": "x"},
        {"outcome": "banned", "days": 0},
    ):
        assert (await admin.api("POST", path + "/decide", wrong))[0] == 422, wrong
    status, decided = await admin.api("POST", path + "/decide", body)
    assert (status, decided["state"], decided["outcome"]) == (200, "decided", "warned")
    status, answer = await admin.api("POST", path + "/decide", body)
    assert (status, answer["error"]["code"]) == (409, "already_decided")
    (mine,) = (await bob.api("GET", "/me/reports"))[1]["reports"]
    assert (mine["upheld"], mine["answer"]) == (True, "Done.")
    _, queue = await admin.api("GET", "/admin/reports?state=decided&kind=channel")
    assert [one["id"] for one in queue["reports"]] == [report_id]
    assert queue["counts"] == {"decided": 1}
    assert (await admin.api("GET", "/admin/reports?state=x"))[0] == 422


async def test_an_appeal_by_form(site: Site) -> None:
    admin = await admin_of(site)
    alice, bob = await site.streamer(), await site.member("bob")
    page_of_alice = "/admin/users/alice/sanctions"
    assert (await bob.get(page_of_alice))[0] == 403
    assert (await bob.post(page_of_alice, {"do": "warn", "reason": "spam"}))[0] == 403
    assert (await admin.get("/admin/users/nobody/sanctions"))[0] == 404
    for wrong in ({}, {"do": "x"}, {"do": "ban", "reason": "spam", "days": "8"}, {"do": "warn"}):
        assert (await admin.post(page_of_alice, wrong))[0] == 422, wrong
    status, page, _ = await admin.post(
        page_of_alice.replace("alice", "boss"), {"do": "warn", "reason": "spam"}
    )
    assert status == 422
    assert "to yourself" in page
    assert (await admin.post(page_of_alice, {"do": "warn", "reason": "spam"}))[0] == 303
    ban = {"do": "ban", "reason": "hate", "days": "", "text": "Enough."}
    assert (await admin.post(page_of_alice, ban))[0] == 303
    assert (await admin.post(page_of_alice, ban))[0] == 409
    assert "for ever" in (await admin.get(page_of_alice))[1]

    await alice.post("/login", {"username": "alice", "password": PASSWORD})
    _, page, _ = await alice.get("/appeal")
    for words in ("Your account is banned", "for ever", "Enough.", "Warned: Spam"):
        assert words in page
    assert "boss" not in page, "admins stay without a name"
    ban_id = re.search(r"ban_\w{20}", page)
    assert ban_id is not None
    assert (await bob.post("/appeal", {"ban": ban_id[0], "text": "Let her."}))[0] == 404
    assert (await alice.post("/appeal", {"ban": ban_id[0], "text": " "}))[0] == 422
    assert (await alice.post("/appeal", {"ban": ban_id[0], "text": "I was hacked."}))[0] == 303
    assert (await alice.post("/appeal", {"ban": ban_id[0], "text": "Again."}))[0] == 409
    assert "I was hacked." in (await alice.get("/appeal"))[1]

    _, page, _ = await admin.get("/admin/reports/appeals")
    path = re.search(r"/admin/reports/appeals/apl_\w+", page)
    assert path is not None
    assert "I was hacked." in (await admin.get(path[0]))[1]
    assert (await bob.get(path[0]))[0] == 403
    assert (await bob.post(path[0] + "/decide", {"decision": "accept"}))[0] == 403
    assert (await admin.post(path[0] + "/decide", {"decision": "x"}))[0] == 422
    accept = {"decision": "accept", "answer": "Fine."}
    assert (await admin.post(path[0] + "/decide", accept))[0] == 303
    assert (await admin.post(path[0] + "/decide", {"decision": "refuse"}))[0] == 409
    _, page, _ = await alice.get("/appeal")
    assert "Your account is banned" not in page
    letter = await site.mailbox.letter(
        "alice@example.org", where=lambda one: "accepted" in one.subject
    )
    assert "Fine." in letter.body


async def test_an_appeal_by_a_program(site: Site) -> None:
    admin = await admin_of(site)
    alice, bob = await site.streamer(), await site.member("bob")
    body = {"reason": "hate", "days": 30}
    _, ban = await admin.api("POST", "/admin/users/alice/bans", body)
    await alice.log_in_as_program("alice")
    path = f"/me/bans/{ban['id']}/appeal"
    assert (await bob.api("POST", path, {"text": "Let her."}))[0] == 404
    assert (await alice.api("POST", path, {"text": "Please.", "state": "accepted"}))[0] == 422
    status, appeal = await alice.api("POST", path, {"text": "Please."})
    assert (status, appeal["state"], appeal["ban"]["given_by"]) == (201, "open", None)
    assert (await alice.api("POST", path, {"text": "Again."}))[0] == 409
    assert (await bob.api("GET", "/admin/appeals"))[0] == 403
    decide = f"/admin/appeals/{appeal['id']}/decide"
    assert (await alice.api("POST", decide, {"accepted": True}))[0] == 403
    assert (await admin.api("POST", decide, {"accepted": "yes"}))[0] == 422
    status, decided = await admin.api("POST", decide, {"accepted": False, "answer": "No."})
    assert (status, decided["state"]) == (200, "refused")
    assert (await admin.api("POST", decide, {"accepted": True}))[0] == 409
    _, listed = await admin.api("GET", "/admin/appeals?state=refused")
    assert [one["id"] for one in listed["appeals"]] == [appeal["id"]]
    assert (await alice.api("GET", "/me"))[1]["is_banned"] is True
