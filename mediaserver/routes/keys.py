"""Typed names under which the application and a request carry what handlers need."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mediaserver.accounts.accounts import Accounts
from mediaserver.accounts.avatars import Avatars
from mediaserver.accounts.personal_data import PersonalData
from mediaserver.accounts.sessions import Session
from mediaserver.accounts.users import User
from mediaserver.admin.audit_log import AuditLog
from mediaserver.admin.backups import Backups
from mediaserver.admin.deferred import Deferred
from mediaserver.admin.doctor.doctor import Doctor
from mediaserver.admin.live_control import LiveControl
from mediaserver.admin.overview import Overview
from mediaserver.admin.statistics import Statistics
from mediaserver.admin.storage_use import StorageMeter
from mediaserver.channels.back_soon import BackSoon
from mediaserver.channels.categories import Categories
from mediaserver.channels.category_changes import CategoryChanges
from mediaserver.channels.channels import Channels
from mediaserver.channels.deletion import Deletion
from mediaserver.channels.display_tokens import DisplayTokens
from mediaserver.channels.documents import Documents
from mediaserver.channels.follows import Follows
from mediaserver.channels.policies import Policies
from mediaserver.channels.schedule import Schedule
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.channels.streams import Streams
from mediaserver.channels.verifications import Verifications
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.mail import Letterhead, Mailbox
from mediaserver.kernel.settings import Settings
from mediaserver.kernel.worker import Worker
from mediaserver.memberships.plans import Plans
from mediaserver.memberships.subscriptions import Subscriptions
from mediaserver.moderation.desk import Desk
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.books import Books
from mediaserver.money.checks import Checks
from mediaserver.money.corrections import Corrections
from mediaserver.money.disputes import Disputes
from mediaserver.money.donations import Donations
from mediaserver.money.earnings import Earnings
from mediaserver.money.earnings_personal import EarningsOfPerson
from mediaserver.money.gateways.gateways import Gateways
from mediaserver.money.giving import Giving
from mediaserver.money.history import History
from mediaserver.money.hook_inbox import HookInbox
from mediaserver.money.nightly_check import NightlyCheck
from mediaserver.money.payment_decisions import PaymentDecisions
from mediaserver.money.payment_views import PaymentViews
from mediaserver.money.payout_accounts import PayoutAccounts
from mediaserver.money.payout_desk import PayoutDesk
from mediaserver.money.payouts import Payouts
from mediaserver.money.receipts import Receipts
from mediaserver.money.refund_desk import RefundDesk
from mediaserver.money.sandbox import Sandbox
from mediaserver.money.settlements import Settlements
from mediaserver.money.supporters import Supporters
from mediaserver.money.thanks import Thanks
from mediaserver.money.tips import Tips
from mediaserver.money.topups import TopUps
from mediaserver.money.transfers import Transfers
from mediaserver.money.wallet import Wallets
from mediaserver.notifications.notices import Notices
from mediaserver.routes.gate_tickets import Tickets
from mediaserver.routes.held_forms import HeldForms
from mediaserver.routes.live_view import LiveStreams, StreamHealth
from mediaserver.routes.render import Renderer
from mediaserver.routes.shown_once import ShownOnce
from mediaserver.routes.static import StaticFiles
from mediaserver.teams.invitations import Invitations
from mediaserver.teams.teams import Teams
from mediaserver.trust.appeals import Appeals
from mediaserver.trust.cases import Cases
from mediaserver.trust.reports import Reports
from mediaserver.trust.sanctions import Sanctions
from mediaserver.webhooks.sender import Sender
from mediaserver.webhooks.webhooks import Webhooks

CONFIG = web.AppKey("CONFIG", Config)
SETTINGS = web.AppKey("SETTINGS", Settings)
CLOCK: web.AppKey[Clock] = web.AppKey("CLOCK")
ACCOUNTS = web.AppKey("ACCOUNTS", Accounts)
AVATARS = web.AppKey("AVATARS", Avatars)
DISPLAY_TOKENS = web.AppKey("DISPLAY_TOKENS", DisplayTokens)
PERSONAL_DATA = web.AppKey("PERSONAL_DATA", PersonalData)
DELETION = web.AppKey("DELETION", Deletion)
GATE_TICKETS = web.AppKey("GATE_TICKETS", Tickets)
LETTERHEAD = web.AppKey("LETTERHEAD", Letterhead)
REPORTS = web.AppKey("REPORTS", Reports)
CASES = web.AppKey("CASES", Cases)
APPEALS = web.AppKey("APPEALS", Appeals)
SANCTIONS = web.AppKey("SANCTIONS", Sanctions)
NOTICES = web.AppKey("NOTICES", Notices)
POLICIES = web.AppKey("POLICIES", Policies)
DOCUMENTS = web.AppKey("DOCUMENTS", Documents)
VERIFICATIONS = web.AppKey("VERIFICATIONS", Verifications)
JOBS = web.AppKey("JOBS", Worker)
MAILBOX = web.AppKey("MAILBOX", Mailbox)
AUDIT_LOG = web.AppKey("AUDIT_LOG", AuditLog)
DEFERRED = web.AppKey("DEFERRED", Deferred)
LIVE_CONTROL = web.AppKey("LIVE_CONTROL", LiveControl)
STATISTICS = web.AppKey("STATISTICS", Statistics)
OVERVIEW = web.AppKey("OVERVIEW", Overview)
STORAGE_METER = web.AppKey("STORAGE_METER", StorageMeter)
BACKUPS = web.AppKey("BACKUPS", Backups)
DOCTOR = web.AppKey("DOCTOR", Doctor)
WEBHOOKS = web.AppKey("WEBHOOKS", Webhooks)
WEBHOOK_SENDER = web.AppKey("WEBHOOK_SENDER", Sender)
TEAMS = web.AppKey("TEAMS", Teams)
INVITATIONS = web.AppKey("INVITATIONS", Invitations)
CHANNELS = web.AppKey("CHANNELS", Channels)
BACK_SOON = web.AppKey("BACK_SOON", BackSoon)
CATEGORIES = web.AppKey("CATEGORIES", Categories)
CATEGORY_CHANGES = web.AppKey("CATEGORY_CHANGES", CategoryChanges)
FOLLOWS = web.AppKey("FOLLOWS", Follows)
SCHEDULE = web.AppKey("SCHEDULE", Schedule)
STREAM_KEYS = web.AppKey("STREAM_KEYS", StreamKeys)
STREAMS = web.AppKey("STREAMS", Streams)
CHAT = web.AppKey("CHAT", Chat)
DESK = web.AppKey("DESK", Desk)
EMOTES = web.AppKey("EMOTES", Emotes)
TIPS = web.AppKey("TIPS", Tips)
BOOKS = web.AppKey("BOOKS", Books)
CORRECTIONS = web.AppKey("CORRECTIONS", Corrections)
SETTLEMENTS = web.AppKey("SETTLEMENTS", Settlements)
NIGHTLY_CHECK = web.AppKey("NIGHTLY_CHECK", NightlyCheck)
EARNINGS = web.AppKey("EARNINGS", Earnings)
EARNINGS_OF_PERSON = web.AppKey("EARNINGS_OF_PERSON", EarningsOfPerson)
PAYOUTS = web.AppKey("PAYOUTS", Payouts)
PAYOUT_ACCOUNTS = web.AppKey("PAYOUT_ACCOUNTS", PayoutAccounts)
PAYOUT_DESK = web.AppKey("PAYOUT_DESK", PayoutDesk)
REFUND_DESK = web.AppKey("REFUND_DESK", RefundDesk)
DISPUTES = web.AppKey("DISPUTES", Disputes)
WALLETS = web.AppKey("WALLETS", Wallets)
HISTORY = web.AppKey("HISTORY", History)
SUPPORTERS = web.AppKey("SUPPORTERS", Supporters)
RECEIPTS = web.AppKey("RECEIPTS", Receipts)
GIVING = web.AppKey("GIVING", Giving)
THANKS = web.AppKey("THANKS", Thanks)
PLANS = web.AppKey("PLANS", Plans)
SUBSCRIPTIONS = web.AppKey("SUBSCRIPTIONS", Subscriptions)
GATEWAYS = web.AppKey("GATEWAYS", Gateways)
PAYMENT_CHECKS = web.AppKey("PAYMENT_CHECKS", Checks)
PAYMENT_VIEWS = web.AppKey("PAYMENT_VIEWS", PaymentViews)
PAYMENT_DECISIONS = web.AppKey("PAYMENT_DECISIONS", PaymentDecisions)
HOOK_INBOX = web.AppKey("HOOK_INBOX", HookInbox)
SANDBOX = web.AppKey("SANDBOX", Sandbox)
TOPUPS = web.AppKey("TOPUPS", TopUps)
DONATIONS = web.AppKey("DONATIONS", Donations)
TRANSFERS = web.AppKey("TRANSFERS", Transfers)
ALERTS = web.AppKey("ALERTS", AlertDesk)
LIVE: web.AppKey[LiveStreams] = web.AppKey("LIVE")
STREAM_HEALTH: web.AppKey[StreamHealth] = web.AppKey("STREAM_HEALTH")
RENDERER = web.AppKey("RENDERER", Renderer)
STATIC = web.AppKey("STATIC", StaticFiles)
HELD_FORMS = web.AppKey("HELD_FORMS", HeldForms)
SHOWN_ONCE = web.AppKey("SHOWN_ONCE", ShownOnce)
RTMP_PORT = web.AppKey("RTMP_PORT", int)
OPENAPI = web.AppKey("OPENAPI", bytes)
ASYNCAPI: web.AppKey[dict[str, Any]] = web.AppKey("ASYNCAPI")

SESSION: web.RequestKey[Session | None] = web.RequestKey("SESSION")
"""The session of a browser's cookie; set by the session middleware."""

BALANCE: web.RequestKey[str] = web.RequestKey("BALANCE")
"""What is in the viewer's wallet, formatted; set by the balance middleware, for pages."""

UNREAD: web.RequestKey[int] = web.RequestKey("UNREAD")
"""How many notices the viewer hasn't read; set by the unread middleware, for pages."""

CALLER_ID: web.RequestKey[str] = web.RequestKey("CALLER_ID")
"""Whose account calls an operation of the API; set by it, for the log."""

VIEWER: web.RequestKey[User | None] = web.RequestKey("VIEWER")
"""Who a browser's session cookie says it is; set by the session middleware."""
