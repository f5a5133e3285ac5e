"""The rules of the site: read by everybody, accepted by streamers, published by admins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.functional.platform_site import Person, Site, admin_of, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


async def test_everybody_reads_them(site: Site) -> None:
    visitor = site.person()
    status, answer = await visitor.api("GET", "/policies")
    assert status == 200
    assert [one["kind"] for one in answer["policies"]] == ["streamers", "content"]
    status, text, _ = await visitor.get("/rules")
    assert status == 200
    assert answer["policies"][0]["body"].split("\n")[0] in text


async def test_becoming_a_streamer_over_the_api(site: Site) -> None:
    alice = await site.member("alice")
    status, answer = await alice.api("POST", "/channels", {"slug": "alice-tv"})
    assert (status, answer["error"]["code"]) == (403, "policies_not_accepted")
    status, before = await alice.api("GET", "/me/streamer")
    assert (status, before["is_streamer"], before["may_make_channels"]) == (200, False, False)
    ids = [one["policy_id"] for one in before["policies"]]
    status, half = await alice.api("PUT", "/me/streamer", {"accepted": ids[:1]})
    assert (status, half["may_make_channels"]) == (200, False)
    assert [one["accepted_at_ms"] is None for one in half["policies"]] == [False, True]
    await alice.api("PUT", "/me/streamer", {"accepted": ids})
    assert (await alice.api("POST", "/channels", {"slug": "alice-tv"}))[0] == 201
    _, after = await alice.api("GET", "/me/streamer")
    assert (after["is_streamer"], after["may_make_channels"]) == (True, True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"accepted": []}, "accepted"),
        ({"accepted": ["pol_nobody"]}, "accepted"),
        ({"accepted": "pol_nobody"}, "accepted"),
        ({"accepted": ["x"] * 100}, "accepted"),
        ({"accepted": ["x"], "is_verified": True}, "is_verified"),
        ({"accepted": ["x"], "user_id": "usr_1"}, "user_id"),
    ],
)
async def test_wrong_acceptances(site: Site, body: object, field: str) -> None:
    alice = await site.member("alice")
    status, answer = await alice.api("PUT", "/me/streamer", body)
    assert (status, answer["error"]["field"]) == (422, field)


async def test_an_admin_needs_not_accept(site: Site) -> None:
    root = await admin_of(site)
    assert (await root.api("POST", "/channels", {"slug": "second"}))[0] == 201
    assert "accept_" not in (await root.get("/studio/new"))[1]


async def test_becoming_a_streamer_on_a_page(site: Site) -> None:
    alice = site.person()
    await alice.register("alice")
    _, text, _ = await alice.get("/studio/new")
    assert "Rules for streamers" in text
    form = {"name": "Alice", "slug": "alice-tv"}
    status, text, _ = await alice.post("/studio/channels", form)
    assert status == 422
    assert "error-accepted" in text
    assert 'value="alice-tv"' in text, "what was typed comes back"
    _, answer = await alice.api("GET", "/policies")
    ticked = {f"accept_{one['kind']}": one["id"] for one in answer["policies"]}
    status, text, _ = await alice.post("/studio/channels", form | ticked | {"slug": "a b"})
    assert status == 422
    assert text.count(" checked") == 2, "and so do the boxes"
    status, _, response = await alice.post("/studio/channels", form | ticked)
    assert (status, response.headers["Location"]) == (303, "/studio/alice-tv")
    assert "accept_" not in (await alice.get("/studio/new"))[1]
    assert "Version 1, accepted" in (await alice.get("/settings/streamer"))[1]


async def _publish(root: Person, **changes: str) -> None:
    body = {"kind": "content", "title": "Content policy", "body": "Be kind."} | changes
    status, answer = await root.api("POST", "/admin/policies", body)
    assert status == 201, answer


async def test_a_new_version_is_accepted_again(site: Site) -> None:
    root, alice = await admin_of(site), await site.streamer("alice")
    old = (await alice.api("GET", "/policies"))[1]["policies"][1]["id"]
    await _publish(root)
    assert (await alice.api("POST", "/channels", {"slug": "second"}))[0] == 403
    # Only the next channel waits for it, not the next stream.
    assert (await alice.api("POST", "/channels/alice/stream-keys", {"name": "x"}))[0] == 201
    assert (await alice.api("PUT", "/me/streamer", {"accepted": [old]}))[0] == 422
    _, text, _ = await alice.get("/settings/streamer")
    assert "The rules have changed" in text
    new = (await alice.api("GET", "/policies"))[1]["policies"][1]["id"]
    status, text, _ = await alice.post("/settings/streamer/policies", {"accept_content": old})
    assert status == 422
    assert "newer version" in text
    status, _, _ = await alice.post("/settings/streamer/policies", {"accept_content": new})
    assert status == 303
    assert (await alice.api("POST", "/channels", {"slug": "second"}))[0] == 201


async def test_publishing_on_the_page(site: Site) -> None:
    root = await admin_of(site)
    assert "New version" in (await root.get("/admin/policies"))[1]
    status, text, _ = await root.post("/admin/policies/content", {"title": "", "body": "x"})
    assert status == 422
    assert "error-title" in text
    wide = {"title": "House rules", "body": "শান্ত থাকুন। " * 1500}
    status, _, response = await root.post("/admin/policies/content", wide)
    assert (status, response.headers["Location"]) == (303, "/admin/policies/content")
    _, text, _ = await root.get("/admin/policies/content")
    assert "Version 2" in text
    assert "House rules" in (await site.person().get("/rules"))[1]
    assert (await root.get("/admin/policies/nonsense"))[0] == 404


async def test_only_admins_publish(site: Site) -> None:
    alice, visitor = await site.member("alice"), site.person()
    body = {"kind": "content", "title": "Mine", "body": "Anything goes."}
    assert (await visitor.api("POST", "/admin/policies", body))[0] == 401
    assert (await alice.api("POST", "/admin/policies", body))[0] == 403
    assert (await alice.api("GET", "/admin/policies"))[0] == 403
    assert (await alice.get("/admin/policies"))[0] == 403
    assert (await alice.post("/admin/policies/content", body))[0] == 403
    assert (await visitor.get("/admin/policies"))[0] == 303


async def test_what_is_not_published_over_the_api(site: Site) -> None:
    root = await admin_of(site)
    good = {"kind": "content", "title": "Content", "body": "Text"}
    for change, field in (
        ({"kind": "privacy"}, "kind"),
        ({"title": " "}, "title"),
        ({"body": "\x00"}, "body"),
        ({"version": 9}, "version"),
        ({"author_id": "usr_1"}, "author_id"),
    ):
        status, answer = await root.api("POST", "/admin/policies", good | change)
        assert (status, answer["error"]["field"]) == (422, field)
    assert (await root.api("GET", "/admin/policies?kind=privacy"))[0] == 422
