"""On which terms a channel takes money, over the API."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.money.giving import Terms, TermsChange
from mediaserver.routes.api.operation import Answer, Body, Operations, caller
from mediaserver.routes.keys import CHANNELS, GIVING
from mediaserver.routes.payments_view import money_config

api = Operations("Money", Scope.CHANNELS)


class NewTerms(Body):
    """What is left out or null stays as it is."""

    takes_tips: bool | None = None
    takes_donations: bool | None = None
    takes_transfers: bool | None = None
    tip_minor_min: int | None = Field(
        None,
        description="The smallest tip, in minor units; not below the site's.",
        ge=0,
        le=limits.AMOUNT_MINOR_MAX,
        examples=[100],
    )
    donation_minor_min: int | None = Field(
        None,
        description="The smallest donation, in minor units; not below the site's.",
        ge=0,
        le=limits.AMOUNT_MINOR_MAX,
        examples=[200],
    )
    transfer_instructions: str | None = Field(
        None,
        description="Where a transfer from bank to bank goes; needed to take them.",
        max_length=limits.TRANSFER_INSTRUCTIONS_CHARS_MAX,
        examples=["Alice Example, IBAN DE02 1203 0000 0000 2020 51"],
    )


class TermsOut(Answer):
    """What a channel takes, as everybody may know it. Nothing while its streamer isn't verified."""

    is_verified: bool
    takes_tips: bool
    takes_donations: bool
    takes_transfers: bool
    tip_minor_min: int = Field(examples=[100])
    donation_minor_min: int = Field(examples=[200])
    transfer_instructions: str = Field(examples=["Alice Example, IBAN DE02 1203 0000 0000 2020 51"])
    commission_bps: int = Field(
        description="What the site keeps of a tip or donation, in hundredths of a percent.",
        examples=[2200],
    )
    currency: str = Field(examples=["USD"])


def _out(terms: Terms, commission_bps: int, currency: str, *, is_verified: bool) -> TermsOut:
    return TermsOut(
        is_verified=is_verified,
        takes_tips=terms.takes_tips,
        takes_donations=terms.takes_donations,
        takes_transfers=terms.takes_transfers,
        tip_minor_min=terms.tip_minor_min,
        donation_minor_min=terms.donation_minor_min,
        transfer_instructions=terms.transfer_instructions,
        commission_bps=commission_bps,
        currency=currency,
    )


@api.get(
    "/channels/{slug}/giving",
    "Show on which terms a channel takes money",
    answer=TermsOut,
    errors=(NotFound,),
)
async def show_terms(request: web.Request) -> TermsOut:
    """What it takes, from which amount on, and what the site keeps of it."""
    config = money_config(request)
    found = await request.app[CHANNELS].get(request.match_info["slug"])
    terms = await request.app[GIVING].terms(found.id)
    return _out(terms, config.commission_bps, config.currency, is_verified=found.is_verified)


@api.put(
    "/channels/{slug}/giving",
    "Change on which terms a channel takes money",
    body=NewTerms,
    answer=TermsOut,
    sign_in=True,
    errors=(NotFound, Forbidden),
)
async def change_terms(request: web.Request, body: NewTerms) -> TermsOut:
    """Changes what is given and leaves the rest. Only its owner or an admin may."""
    config = money_config(request)
    user, slug = caller(request), request.match_info["slug"]
    found, _ = await request.app[GIVING].managed(user, slug)
    terms = await request.app[GIVING].change(user, slug, TermsChange(**body.model_dump()))
    return _out(terms, config.commission_bps, config.currency, is_verified=found.is_verified)
