"""The features, made in the order in which they need each other and put into the web application
under their keys. One function for each part of the site; server.py calls them from top to bottom.
"""

from __future__ import annotations

from functools import partial

from aiohttp import web

from mediaserver.accounts.avatars import Avatars
from mediaserver.accounts.credentials import LOGGED_OUT
from mediaserver.accounts.personal_data import PersonalData, Source
from mediaserver.admin.audit_log import AuditLog
from mediaserver.admin.backups import Backups
from mediaserver.admin.database_copy import sqlite_file
from mediaserver.admin.deferred import Deferred
from mediaserver.admin.doctor.doctor import Doctor
from mediaserver.admin.figures import Figures
from mediaserver.admin.live_control import LiveControl
from mediaserver.admin.overview import Overview
from mediaserver.admin.statistics import Statistics
from mediaserver.admin.storage_use import StorageMeter
from mediaserver.channels import deletion, policies, verifications
from mediaserver.channels.back_soon import BackSoon
from mediaserver.channels.categories import Categories
from mediaserver.channels.category_changes import CategoryChanges
from mediaserver.channels.channels import Channels
from mediaserver.channels.deletion import Deletion
from mediaserver.channels.display_tokens import DisplayTokens
from mediaserver.channels.documents import JOB as DELETE_DOCUMENTS
from mediaserver.channels.documents import Documents
from mediaserver.channels.follows import Follows
from mediaserver.channels.policies import Policies
from mediaserver.channels.schedule import Schedule
from mediaserver.channels.schedule_clock import ScheduleClock
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.channels.streams import Streams
from mediaserver.channels.verifications import Verifications
from mediaserver.chat import personal
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.retention import Retention
from mediaserver.kernel import limits
from mediaserver.kernel.images import ImageFolder
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.memberships import memberships
from mediaserver.moderation.desk import Desk
from mediaserver.money import payments
from mediaserver.money import personal as money_personal
from mediaserver.notifications import notices
from mediaserver.notifications.log_ins import LogIns
from mediaserver.notifications.notices import Notices
from mediaserver.realtime import asyncapi
from mediaserver.realtime.realtime import Realtime
from mediaserver.realtime.site import Site
from mediaserver.routes import keys
from mediaserver.routes.api.live import LiveOut, live_out
from mediaserver.routes.gate_tickets import Tickets
from mediaserver.routes.middlewares import is_foreign, user_of_session
from mediaserver.server.foundations import Foundations
from mediaserver.server.media_path import LateRegistry, MediaPath
from mediaserver.server.waiting import QUEUES
from mediaserver.teams import personal as teams_personal
from mediaserver.teams.invitations import Invitations
from mediaserver.teams.teams import Teams
from mediaserver.trust import appeals, bans, reports, sanctions
from mediaserver.trust.appeals import Appeals
from mediaserver.trust.cases import Cases
from mediaserver.trust.reports import Reports
from mediaserver.trust.sanctions import Sanctions
from mediaserver.webhooks import deliveries, webhooks
from mediaserver.webhooks.feed import Feed
from mediaserver.webhooks.sender import Sender
from mediaserver.webhooks.webhooks import Webhooks


async def add_people(base: Foundations, app: web.Application) -> None:
    """Accounts, what they show of themselves and what they are told."""
    db, clock, accounts = base.db, base.clock, base.accounts
    folder = base.config.storage.path / "images" / "avatars"
    avatars = Avatars(db, accounts.profiles, accounts.throttles, base.images, folder)
    await base.stack.enter_async_context(avatars)
    await base.stack.enter_async_context(LogIns(db, base.events, base.letterhead))
    told = Notices(db, clock)
    base.tidy(delete_old_notices=told.delete_old, delete_avatar_files=avatars.remove_orphans)
    app[keys.SETTINGS] = base.settings
    app[keys.ACCOUNTS] = accounts
    app[keys.AVATARS] = avatars
    app[keys.LETTERHEAD] = base.letterhead
    app[keys.NOTICES] = told


async def add_channels(base: Foundations, app: web.Application) -> None:
    """Channels, what they stream about, and who may have one."""
    db, clock, throttles = base.db, base.clock, base.accounts.throttles
    storage = base.config.storage.path
    rules = Policies(db, clock)
    await rules.begin()
    back_soon = BackSoon(db, clock, throttles, base.images, storage / "images" / "back-soon")
    await base.stack.enter_async_context(back_soon)
    documents = Documents(db, clock, base.vault, throttles, base.images, storage / "documents")
    await base.stack.enter_async_context(documents)
    base.jobs.register(DELETE_DOCUMENTS, documents.delete_files)
    verified = Verifications(
        db, clock, base.vault, throttles, base.letterhead, base.config.accounts
    )
    base.tidy(
        delete_unsent_documents=documents.delete_unsent,
        delete_due_documents=verified.delete_due_documents,
        delete_back_soon_files=back_soon.remove_orphans,
    )
    teams = Teams(db, clock, base.letterhead)
    app[keys.POLICIES] = rules
    app[keys.DOCUMENTS] = documents
    app[keys.VERIFICATIONS] = verified
    app[keys.CHANNELS] = Channels(db, clock, base.config.accounts)
    app[keys.DELETION] = Deletion(db, clock)
    app[keys.BACK_SOON] = back_soon
    app[keys.CATEGORIES] = Categories(db)
    app[keys.CATEGORY_CHANGES] = CategoryChanges(db, clock)
    app[keys.FOLLOWS] = Follows(db, clock, throttles)
    app[keys.SCHEDULE] = Schedule(db, clock)
    app[keys.STREAM_KEYS] = StreamKeys(db, clock)
    app[keys.DISPLAY_TOKENS] = DisplayTokens(db, clock)
    base.jobs.register(LOGGED_OUT, app[keys.DISPLAY_TOKENS].revoke_made)
    app[keys.TEAMS] = teams
    app[keys.INVITATIONS] = Invitations(db, clock, throttles, teams)
    app[keys.GATE_TICKETS] = Tickets(base.vault, clock)


async def add_chat(base: Foundations, app: web.Application) -> None:
    """Chat and its moderation."""
    db, clock = base.db, base.clock
    chat = await base.stack.enter_async_context(Chat(db, clock))
    folder = base.config.storage.path / "images" / "emotes"
    emotes = Emotes(db, clock, chat, base.accounts.throttles, base.images, folder)
    await base.stack.enter_async_context(emotes)
    base.tidy(
        delete_old_chat=Retention(db, clock, base.config.chat).delete_old,
        delete_emote_files=emotes.remove_orphans,
    )
    app[keys.CHAT] = chat
    app[keys.EMOTES] = emotes
    app[keys.DESK] = Desk(db, clock)


async def add_trust(base: Foundations, app: web.Application, live: LateRegistry) -> ImageFolder:
    """Sanctions, reports and appeals; the folder with the pictures of evidence."""
    db, clock, letterhead, rules = base.db, base.clock, base.letterhead, base.config.moderation
    given = Sanctions(db, clock, base.events, letterhead, rules, live)
    await base.stack.enter_async_context(given)
    base.jobs.register(bans.LIFT, given.lift_due)
    pictures = ImageFolder(base.config.storage.path / "evidence", reports.PREFIX, ".picture")
    cases = Cases(db, clock, letterhead, rules, pictures)
    await cases.remove_leftovers()
    base.tidy(delete_old_evidence=cases.delete_old_evidence)
    app[keys.SANCTIONS] = given
    app[keys.CASES] = cases
    app[keys.APPEALS] = Appeals(db, clock, letterhead)
    return pictures


async def add_webhooks(base: Foundations, app: web.Application) -> None:
    """Programs that are told what happens."""
    db, clock, vault, throttles = base.db, base.clock, base.vault, base.accounts.throttles
    sender = Sender(db, clock, vault, base.outbound, throttles, base.letterhead)
    base.jobs.register(
        deliveries.JOB,
        sender.handle,
        keeps_done=False,
        own_places=limits.WEBHOOK_DELIVERIES_AT_ONCE_MAX,
    )
    base.tidy(delete_old_deliveries=sender.delete_old)
    await base.stack.enter_async_context(Feed(db, clock, base.events, base.letterhead))
    app[keys.WEBHOOKS] = Webhooks(db, clock, vault, base.outbound)
    app[keys.WEBHOOK_SENDER] = sender


async def add_admin(base: Foundations, app: web.Application) -> None:
    """The operator's desk, but for what looks at live streams."""
    db, clock, config, letterhead = base.db, base.clock, base.config, base.letterhead
    backups = Backups(db, clock, config, letterhead)
    base.stack.push_async_callback(backups.aclose)
    base.tidy(look_at_backups=backups.look)
    app[keys.BACKUPS] = backups
    app[keys.DOCTOR] = Doctor(config, clock, base.smtp.check)
    app[keys.JOBS] = base.jobs
    app[keys.MAILBOX] = base.mailbox
    audit_log = AuditLog(db, clock)
    base.jobs.repeat("log-audit-hash", audit_log.log_newest, limits.AUDIT_NEWEST_LOGGED_MS)
    app[keys.AUDIT_LOG] = audit_log
    app[keys.DEFERRED] = Deferred(db, clock, letterhead)
    app[keys.STATISTICS] = Statistics(db, clock)
    app[keys.OVERVIEW] = Overview(db, clock, QUEUES)
    database = sqlite_file(config.database_url)
    app[keys.STORAGE_METER] = StorageMeter(db, clock, config.storage.path, database)


async def add_live(
    base: Foundations, app: web.Application, media: MediaPath, evidence: ImageFolder
) -> None:
    """What looks at the streams that are live."""
    db, clock, letterhead, live = base.db, base.clock, base.letterhead, media.broadcasts
    figures = Figures(db, clock, base.events, media.count_all_viewers)
    await base.stack.enter_async_context(figures)
    base.jobs.repeat("daily-figures", figures.write, limits.FIGURES_WRITTEN_MS)
    await base.stack.enter_async_context(ScheduleClock(db, clock))
    app[keys.STREAMS] = Streams(db, clock, live)
    app[keys.LIVE] = live
    app[keys.STREAM_HEALTH] = media.health
    app[keys.RTMP_PORT] = media.rtmp_port
    app[keys.LIVE_CONTROL] = LiveControl(db, clock, letterhead, live)
    app[keys.REPORTS] = Reports(
        db,
        clock,
        base.accounts.throttles,
        letterhead,
        live,
        media.thumbnail,
        app[keys.AVATARS],
        evidence,
    )


async def add_realtime(
    base: Foundations, app: web.Application, media: MediaPath, metrics: RealtimeMetrics
) -> Realtime:
    """Socket.IO: what pages hear without asking."""
    realtime = Realtime(
        base.config.chat,
        Site(
            is_foreign=is_foreign,
            user_of_session=user_of_session,
            describe_live=partial(live_out, live=media.broadcasts, for_owner=False),
            count_viewers=media.count_viewers,
            take_report=media.health.report,
            current_health=media.health.current,
            health_history=media.health.history,
        ),
        tickets=base.accounts.tickets,
        display_tokens=app[keys.DISPLAY_TOKENS],
        users=base.accounts.users,
        channels=app[keys.CHANNELS],
        follows=app[keys.FOLLOWS],
        chat=app[keys.CHAT],
        alerts=app[keys.ALERTS],
        events=base.events,
        clock=base.clock,
        metrics=metrics,
    )
    await base.stack.enter_async_context(realtime)
    app.add_routes(realtime.routes)
    app.on_shutdown.append(lambda _: realtime.say_goodbye())
    app[keys.ASYNCAPI] = asyncapi.document(base.config.site.name, LiveOut)
    return realtime


def add_personal_data(base: Foundations, app: web.Application) -> None:
    """What features know about people, in the order in which it goes with an account."""
    verified, earned = app[keys.VERIFICATIONS], app[keys.EARNINGS_OF_PERSON]
    app[keys.PERSONAL_DATA] = PersonalData(
        base.db,
        base.clock,
        base.vault,
        base.letterhead,
        (
            Source("earnings", earned.export, earned.erase, earned.refuse),
            Source("verification", verified.export, verifications.erase),
            Source("memberships", memberships.export, memberships.erase),
            Source("notices", notices.export),
            Source("policies", policies.export),
            Source("webhooks", webhooks.export),
            Source("payments", payments.export),
            Source("sanctions", sanctions.export),
            Source("reports", reports.export, reports.erase),
            Source("appeals", appeals.export),
            Source("money", money_personal.export, money_personal.erase),
            Source("chat", personal.export, personal.erase),
            Source("teams", teams_personal.export, teams_personal.erase),
            Source("channels", deletion.export, deletion.erase),
        ),
    )
