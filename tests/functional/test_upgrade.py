"""A new version on the data folder of an old one: the site starts, and people find their things."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.platform_site import running_site
from tests.unit.kernel.old_sites import PASSWORD, ROWS, make_site_of


@pytest.mark.parametrize("version", ROWS)
async def test_people_find_their_things(tmp_path: Path, version: str) -> None:
    (tmp_path / "storage").mkdir()
    make_site_of(version, tmp_path / "storage" / "mediaserver.db")
    async with running_site(tmp_path) as site:
        assert site.server.setup_url is None, "there is an admin"
        alice = site.person()
        await alice.log_in_as_program("alice", PASSWORD)
        status, me = await alice.api("GET", "/me")
        assert (status, me["is_admin"], me["email"]) == (200, True, "alice@example.org")
        status, channel = await alice.api("GET", "/channels/alice")
        assert (status, channel["name"]) == (200, "Alice’s workshop")
        status, text, _ = await site.person().get("/@alice")
        assert status == 200
        assert "Boats" in text
        status, keys = await alice.api("GET", "/channels/alice/stream-keys")
        assert [key["hint"] for key in keys["stream_keys"]] == ["wxyz"]
        if version >= "0002":
            status, history = await alice.api("GET", "/channels/alice/chat")
            assert status == 200
            assert "hello — ça va" in str(history)
        if version >= "0003":
            assert "Every Friday" in (await site.person().get("/@alice/schedule"))[1]
