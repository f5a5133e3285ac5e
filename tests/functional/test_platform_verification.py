"""Documents and requests over HTTP: from a streamer's form to the badge, and all who try more."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from mediaserver.kernel import limits
from tests import documents, pictures
from tests.functional.platform_site import FakeStatus, Person, Site, admin_of, running_site

BADGE = 'title="Verified" data-verified>'


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running_site(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(site: Site) -> Person:
    person = await site.member("alice")
    await person.accept_policies()
    return person


def _form(*files: bytes, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in {"legal_name": "Alice Example", "note": "", **fields}.items():
        form.add_field(name, value)
    for data in files or (b"",):  # browsers send an empty part where none is chosen
        form.add_field(
            "documents", io.BytesIO(data), filename="x.pdf", content_type="application/pdf"
        )
    return form


async def _send(person: Person, form: aiohttp.FormData) -> tuple[int, str]:
    headers = {"Sec-Fetch-Site": "same-origin"}
    status, text, _ = await person.request(
        "POST", "/settings/streamer/verification", data=form, headers=headers
    )
    return status, text


async def _upload(person: Person, data: Any, kind: str = "application/pdf") -> tuple[int, Any]:
    return await person.api(
        "POST", "/me/verification/documents", data=io.BytesIO(data), headers={"Content-Type": kind}
    )


async def _ask(person: Person) -> dict[str, Any]:
    status, answer = await _upload(person, documents.pdf())
    assert status == 201, answer
    status, answer = await person.api("POST", "/me/verification", {"legal_name": "Alice Example"})
    assert status == 201, answer
    return dict(answer)


async def test_from_the_form_to_the_badge(site: Site, alice: Person) -> None:
    root = await admin_of(site)
    status, text = await _send(alice, _form(documents.pdf(), pictures.jpeg(80, 60), note="Hello"))
    assert status == 303, text
    _, text, _ = await alice.get("/settings/streamer")
    assert "Your request is with the admins" in text
    letter = await site.mailbox.letter("boss@example.org", where=lambda one: "asks" in one.subject)
    path = letter.body[letter.body.index("/admin/verification/") :].split()[0]
    assert "alice" in (await root.get("/admin/verification"))[1]
    _, text, _ = await root.get(path)
    assert "Alice Example" in text
    assert "Hello" in text
    links = sorted(
        {f"/admin/documents/{part[:24]}" for part in text.split("/admin/documents/")[1:]}
    )
    kinds = set()
    for link in links:
        async with root.http.get(root.base.join(URL(link))) as response:
            assert response.status == 200
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert response.headers["Content-Security-Policy"].startswith("sandbox")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
            kinds.add(response.content_type)
        assert (await root.get(link.removeprefix("/admin")))[0] == 404, "at the desk only"
        by_program = root.base.join(URL(f"/api/v1{link}"))
        headers = {"Authorization": f"Bearer {root.token}"}
        async with root.http.get(by_program, headers=headers) as response:
            assert response.status == 200
        assert (await alice.get(link))[0] == 403
        assert (await alice.api("GET", link))[0] == 403
    assert kinds == {"application/pdf", "image/webp"}
    status, _, response = await root.post(f"{path}/approve")
    assert (status, response.headers["Location"]) == (303, "/admin/verification")
    await site.mailbox.letter(
        "alice@example.org", where=lambda one: "You are verified" in one.subject
    )
    _, text, _ = await alice.get("/settings/streamer")
    assert "We have seen who you are" in text
    _, me = await alice.api("GET", "/me/streamer")
    assert (me["is_verified"], me["verification"]) == (True, "approved")


async def test_rejection_says_why(site: Site, alice: Person) -> None:
    root = await admin_of(site)
    asked = await _ask(alice)
    path = f"/admin/verification/{asked['id']}"
    status, text, _ = await root.post(f"{path}/reject", {"reason": " "})
    assert status == 422
    assert "error-reason" in text
    status, _, _ = await root.post(f"{path}/reject", {"reason": "Too blurred <b>to read</b>."})
    assert status == 303
    letter = await site.mailbox.letter(
        "alice@example.org", where=lambda one: "not approved" in one.subject
    )
    assert "Too blurred" in letter.body
    _, text, _ = await alice.get("/settings/streamer")
    assert "Too blurred &lt;b&gt;to read" in text
    assert "legal_name" in text, "the form is back"
    status, text, _ = await root.post(f"{path}/approve")
    assert status == 409
    assert "decided this already" in text
    await _ask(alice)


async def test_two_admins_decide_at_once(site: Site, alice: Person) -> None:
    root = await admin_of(site)
    path = f"/admin/verifications/{(await _ask(alice))['id']}"
    answers = await asyncio.gather(
        root.api("POST", f"{path}/approve"),
        root.api("POST", f"{path}/reject", {"reason": "No."}),
    )
    assert sorted(status for status, _ in answers) == [200, 409]


async def test_nobody_else_learns_of_a_document(site: Site, alice: Person) -> None:
    asked = await _ask(alice)
    document = asked["documents"][0]["id"]
    bob, visitor = await site.member("bob"), site.person()
    for guess in (document, "doc_0123456789abcdefghjk", asked["id"], "..%2Fmaster.key", "doc_"):
        status, answer = await bob.api("GET", f"/documents/{guess}")
        assert (status, answer["error"]["message"]) == (404, "There is no such document.")
        assert (await bob.get(f"/documents/{guess}"))[0] == 404
        assert (await visitor.api("GET", f"/documents/{guess}"))[0] == 401
        assert (await visitor.get(f"/documents/{guess}"))[0] == 303
    assert (await bob.api("DELETE", f"/me/verification/documents/{document}"))[0] == 404
    assert (await bob.api("GET", "/me/verification"))[1]["requests"] == []
    own = alice.base.join(URL(f"/documents/{document}"))
    async with alice.http.get(own) as response:
        assert (response.status, await response.read()) == (200, documents.pdf())


async def test_admin_pages_are_for_admins(site: Site, alice: Person) -> None:
    case_id = (await _ask(alice))["id"]
    for path in ("/admin/verification", f"/admin/verification/{case_id}"):
        assert (await alice.get(path))[0] == 403
        assert (await site.person().get(path))[0] == 303
    assert (await alice.post(f"/admin/verification/{case_id}/approve"))[0] == 403
    for method, path, body in (
        ("GET", "/admin/verifications", None),
        ("GET", f"/admin/verifications/{case_id}", None),
        ("POST", f"/admin/verifications/{case_id}/approve", None),
        ("POST", f"/admin/verifications/{case_id}/reject", {"reason": "x"}),
    ):
        assert (await alice.api(method, path, body))[0] == 403, path


@pytest.mark.parametrize(
    "body",
    [
        {"legal_name": "A", "state": "approved"},
        {"legal_name": "A", "is_verified": True},
        {"legal_name": "A", "user_id": "usr_1"},
        {"legal_name": "A", "decided_by": "usr_1"},
        {"legal_name": ["A"]},
        {"legal_name": "a\u0000b"},
        {"legal_name": "\u202e"},
        {},
    ],
)
async def test_nobody_verifies_themselves(alice: Person, body: object) -> None:
    await _upload(alice, documents.pdf())
    assert (await alice.api("POST", "/me/verification", body))[0] == 422
    await _send(alice, _form(documents.pdf(), state="approved", is_verified="1"))
    _, me = await alice.api("GET", "/me/streamer")
    assert me["is_verified"] is False


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (documents.pdf_and_zip(), "application/pdf", 422),
        (documents.archive(), "application/pdf", 422),
        (documents.svg(), "image/png", 422),
        (documents.svg(), "image/svg+xml", 415),
        (b"<script>alert(1)</script>", "text/html", 415),
        (documents.pdf(), "application/zip", 415),
        (pictures.png_bomb(), "image/png", 422),
        (pictures.gif(2), "image/png", 422),
        (b"", "application/pdf", 422),
        (documents.pdf(inside=b"/JavaScript"), "application/pdf", 422),
        (b"%PDF-1.7" + bytes(limits.DOCUMENT_BYTES_MAX), "application/pdf", 413),
    ],
)
async def test_what_is_no_document(
    site: Site, alice: Person, data: bytes, kind: str, status: int
) -> None:
    answered, answer = await _upload(alice, data, kind)
    assert answered == status, answer
    assert (await alice.api("GET", "/me/verification"))[1]["waiting"] == []


async def test_a_wrong_file_comes_back_at_its_field(alice: Person) -> None:
    status, text = await _send(
        alice, _form(documents.pdf(), documents.svg(), legal_name="Alice <Example>")
    )
    assert status == 422
    assert "error-documents" in text
    assert "Alice &lt;Example&gt;" in text, "what was typed comes back"
    assert "Ready to be sent" in text, "and the good file is kept"
    status, _ = await _send(alice, _form())
    assert status == 303, "it need not be chosen again"
    assert (await _send(alice, _form()))[0] == 409


async def test_a_form_without_files_or_with_too_many(alice: Person) -> None:
    status, text = await _send(alice, _form())
    assert status == 422
    assert "Add at least one document." in text
    status, text = await _send(alice, _form(*(documents.pdf() for _ in range(5))))
    assert status == 409
    assert "4 files are enough" in text
    status, text = await _send(alice, _form(documents.pdf() + bytes(limits.DOCUMENT_BYTES_MAX)))
    assert status == 422
    assert "error-documents" in text


async def test_removing_a_file_before_it_is_sent(alice: Person) -> None:
    _, made = await _upload(alice, documents.pdf())
    status, _, _ = await alice.post("/settings/streamer/documents/remove", {"id": made["id"]})
    assert status == 303
    assert (await alice.api("GET", "/me/verification"))[1]["waiting"] == []
    status, _, _ = await alice.post("/settings/streamer/documents/remove", {"id": "doc_x"})
    assert status == 303
    _, made = await _upload(alice, documents.pdf())
    assert (await alice.api("DELETE", f"/me/verification/documents/{made['id']}"))[0] == 204
    assert (await alice.api("DELETE", f"/me/verification/documents/{made['id']}"))[0] == 404


async def test_two_gigabytes_are_cut(site: Site, alice: Person) -> None:
    """By the announced length before a byte of it is read, and by what comes when none is."""
    assert alice.token is not None
    head = (
        b"POST /api/v1/me/verification/documents HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/pdf\r\nAuthorization: Bearer " + alice.token.encode()
    )
    chunk = bytes(64 * limits.KIB)
    for length in (b"\r\nContent-Length: 2147483648", b"\r\nTransfer-Encoding: chunked"):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.server.http_port)
        writer.write(head + length + b"\r\n\r\n")
        sent = 0
        try:
            while sent < 4 * limits.DOCUMENT_BYTES_MAX and not reader.at_eof():
                body = b"%x\r\n%s\r\n" % (len(chunk), chunk) if b"chunked" in length else chunk
                writer.write(body)
                sent += len(chunk)
                async with asyncio.timeout(10):
                    await writer.drain()
                if reader._buffer:  # type: ignore[attr-defined]
                    break
        except (ConnectionError, TimeoutError):
            pass
        async with asyncio.timeout(10):
            answer = await reader.readline()
        assert b" 413 " in answer, length
        assert sent <= 2 * limits.DOCUMENT_BYTES_MAX
        writer.close()
    assert (await alice.api("GET", "/me/verification"))[1]["waiting"] == []


async def test_a_form_must_say_its_length(alice: Person) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"--x\r\n"

    status, _, _ = await alice.request(
        "POST",
        "/settings/streamer/verification",
        data=body(),
        headers={
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "multipart/form-data; boundary=x",
        },
    )
    assert status == 411


async def test_policies_before_documents(site: Site) -> None:
    bob = await site.member("bob")
    await _upload(bob, documents.pdf())
    status, answer = await bob.api("POST", "/me/verification", {"legal_name": "Bob"})
    assert (status, answer["error"]["code"]) == (403, "policies_not_accepted")
    status, text = await _send(bob, _form(documents.pdf()))
    assert status == 422
    assert "error-accepted" in text


async def test_the_queue_over_the_api(
    site: Site, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VERIFICATIONS_LISTED_MAX", 1)
    root = await admin_of(site)
    bob = await site.member("bob")
    await bob.accept_policies()
    await _ask(alice)
    await _ask(bob)
    _, first = await root.api("GET", "/admin/verifications")
    _, second = await root.api("GET", f"/admin/verifications?after={first['next']}")
    _, third = await root.api("GET", f"/admin/verifications?after={second['next']}")
    names = [one["username"] for page in (first, second, third) for one in page["verifications"]]
    assert names == ["alice", "bob"]
    assert third["next"] is None
    assert "More" in (await root.get("/admin/verification"))[1]
    assert (await root.api("GET", "/admin/verifications?state=decided"))[1]["verifications"] == []
    assert (await root.api("GET", "/admin/verifications?state=x"))[0] == 422
    assert (await root.get("/admin/verification?show=x&after=x"))[0] == 200
    assert (await root.api("GET", "/admin/verifications/ver_nobody"))[0] == 404


async def test_the_badge_is_shown_wherever_the_channel_is(site: Site, alice: Person) -> None:
    root, visitor = await admin_of(site), site.person()
    await alice.make_channel("alice", name="Alice")
    site.media.broadcasts.statuses.append(FakeStatus("alice"))
    pages = ("/", "/@alice", "/@alice/schedule")
    for path in pages:
        assert BADGE not in (await visitor.get(path))[1].partition("<template")[0], path
    asked = await _ask(alice)
    await root.api("POST", f"/admin/verifications/{asked['id']}/approve")
    for path in pages:
        assert BADGE in (await visitor.get(path))[1].partition("<template")[0], path
    assert (await visitor.api("GET", "/channels/alice"))[1]["is_verified"] is True
    assert (await visitor.api("GET", "/live"))[1]["streams"][0]["is_verified"] is True
    path = f"/admin/verification/{asked['id']}/withdraw"
    assert (await root.post(path, {"reason": ""}))[0] == 422
    assert (await alice.post(path, {"reason": "Mine."}))[0] == 403
    assert (await root.post(path, {"reason": "It was another Alice."}))[0] == 303
    assert BADGE not in (await visitor.get("/@alice"))[1].partition("<template")[0]
    status, answer = await root.api(
        "POST", f"/admin/verifications/{asked['id']}/withdraw", {"reason": "Twice."}
    )
    assert (status, answer["error"]["code"]) == (409, "not_approved")
    status, answer = await alice.api("PATCH", "/channels/alice", {"is_verified": False})
    assert (status, answer["error"]["field"]) == (422, "is_verified")
