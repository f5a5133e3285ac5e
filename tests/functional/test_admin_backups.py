"""Backups on the admin desk and over the API: only for admins, and what is dangerous asks again."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.admin.archive import Archive
from mediaserver.kernel import limits
from tests.functional.desk import make_admin
from tests.functional.platform_site import Person, Site, running_site

PAGE = "/admin/backups"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def admin(site: Site) -> Person:
    return await make_admin(site)


async def _listed(admin: Person, count: int) -> list[dict[str, Any]]:
    """The backups, once there are so many and none is being made."""
    async with asyncio.timeout(30):
        while True:
            status, answer = await admin.api("GET", PAGE)
            assert status == 200, answer
            assert answer["failure"] is None
            if answer["running"] is None:
                assert len(answer["backups"]) == count
                return list(answer["backups"])
            await asyncio.sleep(0.02)


async def test_make_one_on_the_page_and_download_it(site: Site, admin: Person) -> None:
    status, text, _ = await admin.get(PAGE)
    assert status == 200
    assert "No backup yet" in text
    status, text, response = await admin.post(PAGE)
    assert (status, response.headers["Location"]) == (303, PAGE)
    (backup,) = await _listed(admin, 1)
    status, text, response = await admin.get(PAGE)
    assert backup["name"] in text
    assert "Refresh" not in response.headers
    async with admin.http.get(admin.base.with_path(f"{PAGE}/{backup['name']}")) as download:
        assert download.status == 200
        assert download.headers["Content-Type"] == "application/x-tar"
        assert "attachment" in download.headers["Content-Disposition"]
        assert download.headers["Cache-Control"] == "no-store"
        data = await download.read()
    assert len(data) == backup["bytes"]
    Archive(io.BytesIO(data)).check(lambda: None)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert "storage/master.key" in tar.getnames()
    status, _, response = await admin.post(f"{PAGE}/delete", {"name": backup["name"]})
    assert (status, response.headers["Location"]) == (303, PAGE)
    assert await _listed(admin, 0) == []
    assert (await admin.post(f"{PAGE}/delete", {"name": backup["name"]}))[0] == 303


async def test_while_one_is_made_the_page_tells_how_far_it_is(
    site: Site, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()
    from mediaserver.admin import backup_file

    copy = backup_file.copy_sqlite

    def wait_and_copy(*arguments: Any, **more: Any) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
        copy(*arguments, **more)

    monkeypatch.setattr(backup_file, "copy_sqlite", wait_and_copy)
    status, answer = await admin.api("POST", PAGE)
    assert status == 202
    assert answer["running"] is not None
    async with asyncio.timeout(20):
        while "Copying the database" not in (await admin.get(PAGE))[1]:
            await asyncio.sleep(0.01)
    status, text, response = await admin.get(PAGE)
    assert response.headers["Refresh"] == "3"
    assert "Make a backup" not in text
    status, answer = await admin.api("POST", PAGE)
    assert (status, answer["error"]["code"]) == (409, "backup_running")
    assert (await admin.post(PAGE))[0] == 409
    go_on.set()
    await _listed(admin, 1)


async def test_over_the_api(site: Site, admin: Person) -> None:
    assert (await admin.api("POST", PAGE))[0] == 202
    (backup,) = await _listed(admin, 1)
    path = f"{PAGE}/{backup['name']}"
    headers = {"Authorization": f"Bearer {admin.token}"}
    url = admin.base.with_path("/api/v1" + path)
    async with site.person().http.get(url, headers=headers) as download:
        assert download.status == 200
        assert len(await download.read()) == backup["bytes"]
    for wrong in ("mediaserver.db", "mediaserver-20200101-000000.tar", "..%2fmaster.key"):
        assert (await admin.api("DELETE", f"{PAGE}/{wrong}"))[0] == 404
    assert (await admin.api("DELETE", path))[0] == 204
    assert (await admin.api("DELETE", path))[0] == 404


async def test_what_is_dangerous_asks_for_the_password_again(
    site: Site, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await admin.api("POST", PAGE))[0] == 202
    (backup,) = await _listed(admin, 1)
    monkeypatch.setattr(limits, "CONFIRMED_MS", 0)
    path = f"{PAGE}/{backup['name']}"
    status, _, response = await admin.get(path)
    assert (status, response.headers["Location"]) == (303, f"/confirm?next={path}")
    status, _, response = await admin.post(f"{PAGE}/delete", {"name": backup["name"]})
    assert (status, response.headers["Location"]) == (303, f"/confirm?next={PAGE}")
    status, _, response = await admin.post(PAGE)  # where too many are kept, the oldest goes
    assert (status, response.headers["Location"]) == (303, f"/confirm?next={PAGE}")
    for method, where in (("GET", path), ("DELETE", path), ("POST", PAGE)):
        status, answer = await admin.api(method, where)
        assert (status, answer["error"]["code"]) == (403, "confirm")
    await _listed(admin, 1)


async def test_nobody_else_gets_in(site: Site, admin: Person) -> None:
    assert (await admin.api("POST", PAGE))[0] == 202
    (backup,) = await _listed(admin, 1)
    path = f"{PAGE}/{backup['name']}"
    member, visitor = await site.member("bob"), site.person()
    for person, wanted in ((member, 403), (visitor, 401)):
        for method, where in (("GET", PAGE), ("POST", PAGE), ("GET", path), ("DELETE", path)):
            assert (await person.api(method, where))[0] == wanted
    for where in (PAGE, path):
        assert (await member.get(where))[0] == 403
        assert (await visitor.get(where))[0] == 303
    for where in (PAGE, f"{PAGE}/delete"):
        assert (await member.post(where, {"name": backup["name"]}))[0] == 403
    assert (await admin.post(PAGE, headers={"Sec-Fetch-Site": "cross-site"}))[0] == 403
    await _listed(admin, 1)
