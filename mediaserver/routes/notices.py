"""One sentence for the next page, such as "Saved." after a form: a cookie carries its name there.

Works without JavaScript. The page that shows it takes the cookie back, so it is shown once.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.host_cookies import clear_host_cookie, host_cookie, set_host_cookie

_COOKIE = "notice"

NOTICES: Mapping[str, str] = {
    "saved": "Saved.",
    "alert-approve": "It is shown.",
    "alert-approve-silent": "It is shown without the message.",
    "alert-deny": "It is not shown. The money stays with you.",
    "alert-skip": "Skipped.",
    "alert-replay": "It is shown once more.",
    "alert-tested": "A sample is on its way to your overlay.",
    "look-gone": "The look is gone.",
    "goal-gone": "The goal is gone. What was given stays.",
    "policies-accepted": "Thank you. It is noted that you accept them.",
    "verification-sent": "Thank you. An admin will look at it, and you are told what they decide.",
    "document-gone": "The file is deleted.",
    "verification-approved": "They are verified, and have been told.",
    "verification-withdrawn": "The badge is gone, and they have been told why.",
    "verification-rejected": "It is rejected, and they have been told why.",
    "team-formed": "Your team is ready. Invite the others.",
    "team-joined": "Your channel is in the team.",
    "team-declined": "You have declined.",
    "team-left": "Your channel has left the team.",
    "team-invited": "They are invited, and have been told.",
    "team-withdrawn": "The invitation is withdrawn.",
    "team-removed": "The channel is no longer in the team.",
    "team-handed-over": "The team is theirs now.",
    "team-deleted": "The team is deleted.",
    "policy-published": "The new version is in force.",
    "channel-made": "Your channel is ready.",
    "key-made": "New stream key made.",
    "key-revoked": "Stream key revoked.",
    "stream-ended": "Your stream has ended.",
    "stream-started": "You are going live.",
    "encoder-away": "Nothing has started: your encoder is not connected.",
    "tip-given": "Your tip is given. Thank you.",
    "thanked": "Your thanks are on their way.",
    "announced": "Your stream is announced.",
    "cancelled": "Cancelled.",
    "skipped": "Skipped this once.",
    "emote-made": "Your emote is ready.",
    "emote-gone": "The emote is deleted.",
    "overlay-made": "The overlay has a new address.",
    "dock-made": "Your dock is ready.",
    "dock-revoked": "Dock revoked.",
    "chat-locked": "The chat is locked.",
    "chat-open": "The chat is open again.",
    "moderator-made": "They are a moderator now.",
    "moderator-removed": "They are no longer a moderator.",
    "restricted": "They can't write any more.",
    "lifted": "They can write again.",
    "stream-not-live": "There was no stream to end.",
    "followed": "You follow this channel.",
    "unfollowed": "You no longer follow this channel.",
    "code-sent": "Another code is on its way.",
    "password-changed": "Your password is changed. Log in with it.",
    "password-set": "Your password is changed. All other devices are logged out.",
    "email-changed": "Your address is changed.",
    "second-factor-off": "Two-step log-in is off.",
    "device-out": "That device is logged out.",
    "devices-out": "All other devices are logged out.",
    "account-deleted": "Your account is deleted. Take care!",
    "channel-deleted": "The channel is deleted.",
    "token-revoked": "Token revoked.",
    "notices-read": "All notices are read.",
    "role-changed": "Their role is changed. They are logged out.",
    "user-logged-out": "They are logged out everywhere.",
    "user-second-factor-off": "Two-step log-in is off for them.",
    "code-mailed": "A code is on its way to them.",
    "setting-changed": "Saved. It counts from now on.",
    "stream-ended-by-admin": "The stream is ended. Its owner is told why.",
    "test-mail": "A test mail is on its way to you.",
    "tried-again": "It is being tried again.",
    "dropped": "Dropped.",
    "category-merged": "Merged.",
    "user-deleted": "The account is deleted.",
    "backup-begun": "A backup is being made.",
    "backup-deleted": "The backup is deleted.",
    "webhook-made": "Your webhook is ready.",
    "webhook-on": "The webhook is on.",
    "webhook-off": "The webhook is off.",
    "webhook-gone": "The webhook is deleted.",
    "secret-made": "The webhook has a new secret.",
    "delivery-made": "It is on its way.",
    "logged-out": "You are logged out.",
    "reported": "Thank you. An admin will look at it.",
    "appealed": "Your appeal is sent. You will hear from us by mail.",
    "report-taken": "You are on it.",
    "report-put-back": "It waits for somebody again.",
    "report-decided": "Decided. Whoever reported it is told.",
    "appeal-decided": "Decided. They are told.",
    "warned": "They are warned.",
    "warned-and-banned": "They are warned, and banned: it was one warning too many.",
    "banned": "They are banned.",
    "unbanned": "Their ban is lifted.",
    "booked": "It is in the books.",
    "balance-noted": "The balance is noted.",
    "correction-waits": "It waits until another admin agrees.",
    "correction-rejected": "The correction is dropped. Nothing was booked.",
    "membership-begun": "You are a member now. Thank you.",
    "membership-changed": "Your plan is changed.",
    "membership-cancelled": "Cancelled. Nothing is charged any more.",
    "membership-resumed": "Your membership goes on.",
    "plan-made": "The plan is on sale.",
    "transfer-confirmed": "Thank you. It is shown like a donation now.",
    "transfer-rejected": "It is noted that it didn’t come.",
    "payment-confirmed": "It is in their wallet, and they have been told.",
    "payment-accepted": "What was paid is booked, and they have been told.",
    "payment-approved": "Noted. Another admin has to confirm it too.",
    "payment-rejected": "It is closed, and they have been told why.",
    "payment-checked": "The gateway was asked.",
    "payout-requested": "Asked for. You get a mail when it is sent.",
    "payout-cancelled": "Cancelled. The money is available again.",
    "payout-account-changed": "Your bank account is saved.",
    "payout-account-removed": "Your bank account is removed.",
    "payout-approved": "Approved. Another admin sends it.",
    "payout-paid": "It is noted as sent, and they have been told.",
    "payout-rejected": "It is rejected, and they have been told why.",
    "payout-failed": "It is noted that it came back, and they have been told.",
    "refund-asked": "The refund is on its way.",
    "refund-confirmed": "It is noted as sent, and the payer has been told.",
    "refund-rejected": "It is taken back: everything is as it was before.",
    "wallet-unfrozen": "Their wallet is open again.",
}


WRONG = frozenset(NOTICES[name] for name in ("encoder-away", "stream-not-live"))
"""What did not work: it stays in the page, the others go after some seconds."""


def leave_notice(request: web.Request, response: web.StreamResponse, name: str) -> None:
    """Have the next page say what stands under `name`."""
    assert name in NOTICES, name
    set_host_cookie(request, response, _COOKIE, name, limits.NOTICE_MAX_AGE_S)


def notice_of(request: web.Request) -> str:
    """The sentence that an earlier answer left; empty if there is none."""
    return NOTICES.get(host_cookie(request, _COOKIE), "")


def take_notice(request: web.Request, response: web.StreamResponse) -> None:
    """Forget the sentence, as `response` shows it."""
    clear_host_cookie(request, response, _COOKIE)
