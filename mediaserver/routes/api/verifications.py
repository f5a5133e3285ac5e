"""Verification over the API: documents and requests of one's own, decisions of admins."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.documents import Document
from mediaserver.channels.verifications import State, Verification
from mediaserver.kernel import limits
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    Unavailable,
)
from mediaserver.routes.api.operation import (
    Answer,
    Body,
    Operations,
    Query,
    acting,
    caller,
)
from mediaserver.routes.keys import DOCUMENTS, VERIFICATIONS
from mediaserver.routes.pages.documents import document_answer

api = Operations("Verification")
admin_api = Operations("Verifications", Scope.ADMIN)

_DOCUMENT_TYPES = ("application/pdf", "image/jpeg", "image/png")


class DocumentOut(Answer):
    """A file that was sent. `kind`: pdf or picture; a picture is a WebP by now."""

    id: str
    kind: str
    bytes: int
    sha256: str
    created_at_ms: int
    deleted_at_ms: int | None = Field(description="Files are deleted some time after the decision.")


class RequestOut(Answer):
    """A request to be verified. `state`: submitted, approved or rejected."""

    id: str
    state: str
    legal_name: str
    note: str
    submitted_at_ms: int
    decided_at_ms: int | None
    reason: str = Field(description="Why it was rejected.")
    documents: list[DocumentOut]


class VerificationCaseOut(RequestOut):
    """A request as admins see it."""

    user_id: str
    username: str
    decided_by: str | None


class MyVerification(Answer):
    """What you have asked, newest first, and the files that wait to be sent."""

    is_verified: bool
    waiting: list[DocumentOut]
    requests: list[RequestOut]


class CaseList(Answer):
    """Requests, those that wait longest first. `next`: for `after` of the next page, or null."""

    verifications: list[VerificationCaseOut]
    next: str | None


class NewRequest(Body):
    legal_name: str = Field(
        description="As in the documents.",
        max_length=limits.LEGAL_NAME_CHARS_MAX,
        examples=["Alice Example"],
    )
    note: str = Field(
        "", max_length=limits.VERIFICATION_NOTE_CHARS_MAX, examples=["My channel is @alice."]
    )


class Rejection(Body):
    reason: str = Field(
        description="The streamer reads it.",
        max_length=limits.VERIFICATION_REASON_CHARS_MAX,
        examples=["The picture is too blurred to read."],
    )


class CaseQuery(Query):
    state: Literal["submitted", "decided"] = Field(
        "submitted", description="submitted: those that wait; decided: the others"
    )
    after: str | None = Field(
        None, max_length=100, description="Id of a request: only those behind it."
    )


def _document(document: Document) -> DocumentOut:
    return DocumentOut(
        id=document.id,
        kind=document.kind,
        bytes=document.bytes,
        sha256=document.digest,
        created_at_ms=document.created_at_ms,
        deleted_at_ms=document.deleted_at_ms,
    )


def _request(found: Verification) -> RequestOut:
    return RequestOut(
        id=found.id,
        state=found.state,
        legal_name=found.legal_name,
        note=found.note,
        submitted_at_ms=found.submitted_at_ms,
        decided_at_ms=found.decided_at_ms,
        reason=found.reason,
        documents=[_document(one) for one in found.documents],
    )


def _case(found: Verification) -> VerificationCaseOut:
    return VerificationCaseOut(
        **dict(_request(found)),
        user_id=found.user_id,
        username=found.username,
        decided_by=found.decided_by,
    )


@api.get("/me/verification", "Show my verification", answer=MyVerification, sign_in=True)
async def show_verification(request: web.Request) -> MyVerification:
    """What you have asked, what came of it, and which files wait to be sent."""
    user = caller(request)
    return MyVerification(
        is_verified=user.is_verified,
        waiting=[_document(one) for one in await request.app[DOCUMENTS].waiting(user)],
        requests=[_request(one) for one in await request.app[VERIFICATIONS].of(user)],
    )


@api.post(
    "/me/verification/documents",
    "Upload a document",
    upload_bytes_max=limits.DOCUMENT_BYTES_MAX,
    upload_types=_DOCUMENT_TYPES,
    answer=DocumentOut,
    status=201,
    sign_in=True,
    errors=(Conflict, RateLimited, Unavailable),
)
async def add_document(request: web.Request, data: bytes) -> DocumentOut:
    """Takes a PDF, JPEG or PNG, which then waits for your request; at most four at a time, and for
    a day. Pictures are made anew, PDFs with scripts or anything else inside are refused.
    """
    return _document(await request.app[DOCUMENTS].add(caller(request), data))


@api.delete(
    "/me/verification/documents/{id}",
    "Remove a document",
    sign_in=True,
    errors=(NotFound,),
)
async def discard_document(request: web.Request) -> None:
    """Only one that was not sent yet."""
    await request.app[DOCUMENTS].discard(caller(request), request.match_info["id"])


@api.get(
    "/documents/{id}",
    "Download a document",
    answer_types=("application/pdf", "image/webp"),
    sign_in=True,
    scope=Scope.ACCOUNT,
    errors=(NotFound,),
)
async def download_document(request: web.Request) -> web.Response:
    """One of your own."""
    return document_answer(
        *await request.app[DOCUMENTS].read(caller(request), request.match_info["id"])
    )


@api.post(
    "/me/verification",
    "Ask to be verified",
    body=NewRequest,
    answer=RequestOut,
    status=201,
    sign_in=True,
    errors=(Conflict, Forbidden, RateLimited),
)
async def ask_for_verification(request: web.Request, body: NewRequest) -> RequestOut:
    """Sends the documents that wait. 403 with the code `policies_not_accepted` until you have
    accepted the policies; 409 while you are verified or wait for an answer.
    """
    made = await request.app[VERIFICATIONS].submit(caller(request), body.legal_name, body.note)
    return _request(made)


@admin_api.get(
    "/admin/verifications",
    "List requests",
    query=CaseQuery,
    answer=CaseList,
    sign_in=True,
    errors=(Forbidden,),
)
async def list_verifications(request: web.Request, query: CaseQuery) -> CaseList:
    """Who asks to be verified. Only admins may."""
    acting(request, Action.DECIDE_VERIFICATION)
    states: tuple[State, ...] = ("submitted",)
    if query.state == "decided":
        states = ("approved", "rejected")
    found = await request.app[VERIFICATIONS].page(states, after=query.after)
    is_full = len(found) == limits.VERIFICATIONS_LISTED_MAX
    return CaseList(
        verifications=[_case(one) for one in found], next=found[-1].id if is_full else None
    )


@admin_api.get(
    "/admin/verifications/{id}",
    "Show a request",
    answer=VerificationCaseOut,
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def show_request(request: web.Request) -> VerificationCaseOut:
    """One request with its documents. Only admins may."""
    acting(request, Action.DECIDE_VERIFICATION)
    return _case(await request.app[VERIFICATIONS].get(request.match_info["id"]))


@admin_api.get(
    "/admin/documents/{id}",
    "Download somebody's document",
    answer_types=("application/pdf", "image/webp"),
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def download_anybodys_document(request: web.Request) -> web.Response:
    """As it belongs to a request. The audit log says who has read it."""
    actor = acting(request, Action.READ_DOCUMENT)
    return document_answer(*await request.app[DOCUMENTS].read_for(actor, request.match_info["id"]))


@admin_api.post(
    "/admin/verifications/{id}/approve",
    "Approve a request",
    answer=VerificationCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def approve_verification(request: web.Request) -> VerificationCaseOut:
    """Gives the badge and tells the streamer. 409 when it was decided meanwhile."""
    actor = acting(request, Action.DECIDE_VERIFICATION)
    return _case(await request.app[VERIFICATIONS].approve(actor, request.match_info["id"]))


@admin_api.post(
    "/admin/verifications/{id}/reject",
    "Reject a request",
    body=Rejection,
    answer=VerificationCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def reject_verification(request: web.Request, body: Rejection) -> VerificationCaseOut:
    """Tells the streamer why; they may ask again. 409 when it was decided meanwhile."""
    actor = acting(request, Action.DECIDE_VERIFICATION)
    found = await request.app[VERIFICATIONS].reject(actor, request.match_info["id"], body.reason)
    return _case(found)


@admin_api.post(
    "/admin/verifications/{id}/withdraw",
    "Take a badge back",
    body=Rejection,
    answer=VerificationCaseOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def withdraw_verification(request: web.Request, body: Rejection) -> VerificationCaseOut:
    """Of an approved request, which counts as rejected then. Tells the streamer why."""
    actor = acting(request, Action.DECIDE_VERIFICATION)
    found = await request.app[VERIFICATIONS].withdraw(actor, request.match_info["id"], body.reason)
    return _case(found)
