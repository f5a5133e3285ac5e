"""Every bound of the site: what it limits, in which unit, and why that number.

Nothing here is a setting: what an operator may change is in config.toml.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
DAY_MS: Final = 24 * 3600 * 1000

# RTMP, before anybody is trusted ------------------------------------------------------------------

RTMP_HANDSHAKE_TIMEOUT_S: Final = 5.0
"""C0 to C2, and TLS before it. A real encoder needs one round trip for each."""

RTMP_COMMAND_TIMEOUT_S: Final = 10.0
"""Handshake to accepted publish: four short messages."""

RTMP_UNTRUSTED_MESSAGE_BYTES_MAX: Final = 64 * KIB
"""A message before publish is accepted: connect objects are under 2 KiB."""

RTMP_UNTRUSTED_BYTES_MAX: Final = 256 * KIB
"""Everything read before publish is accepted."""

# RTMP, while publishing ---------------------------------------------------------------------------

RTMP_MESSAGE_BYTES_MAX: Final = 8 * MIB
"""One message: a 4K intra frame at a high rate stays below 4 MiB."""

RTMP_CHUNK_BYTES_MIN: Final = 128
"""The protocol's default chunk size. Smaller ones only cost CPU, so they are refused."""

RTMP_CHUNK_BYTES_MAX: Final = 16 * MIB
"""A message never exceeds 24 bits, so nor need a chunk (RTMP 1.0 §5.4.1)."""

RTMP_CHUNK_STREAMS_MAX: Final = 32
"""Chunk streams that one connection may open; encoders use 3 to 6."""

RTMP_NAME_CHARS_MAX: Final = 64
"""What is kept and repeated of names that an encoder gives to itself and to the application."""

RTMP_READ_BYTES: Final = 256 * KIB
"""One read from the socket."""

RTMP_ACK_WINDOW_BYTES: Final = 2_500_000
"""The window we announce: an encoder acknowledges after as many bytes of ours, and we after as
many of its until it names another number."""

RTMP_OUT_CHUNK_BYTES: Final = 4096
"""Chunk size of our answers; the largest is a few hundred bytes."""

RTMP_WRITE_TIMEOUT_S: Final = 10.0
"""An encoder that doesn't read our few answers for so long is gone."""

RTMP_PING_INTERVAL_S: Final = 30.0
"""A ping keeps NAT entries open and finds dead peers."""

RTMP_LINGER_S: Final = 2.0
"""After a refusal: time for the encoder to read the reason before the socket closes."""

RTMP_MESSAGES_PER_TURN_MAX: Final = 256
"""Messages handled before other connections get their turn on the event loop."""

RTMP_BITRATE_WINDOW_S: Final = 10
"""The publisher's rate is averaged over this."""

AMF_DEPTH_MAX: Final = 8
AMF_ITEMS_MAX: Final = 512
AMF_STRING_BYTES_MAX: Final = 4 * KIB
"""AMF0: a connect object of Enhanced RTMP has depth 2, 20 keys, strings under 200 bytes."""

# Frames and packaging -----------------------------------------------------------------------------

FIRST_MEDIA_TIMEOUT_S: Final = 20.0
"""Accepted publish, or first frame after a silence, to the first part that can be played."""

STALL_S: Final = 5.0
"""No frame for so long counts as an interruption, though the connection stands."""

TRACK_WAIT_MS: Final = 2_000
"""Media time to wait for the second track before the stream starts without it."""

FRAME_RATE_WAIT_MS: Final = 500
"""Media time that is measured for the frame rate, at least."""

FIRST_GOP_WAIT_MS: Final = 4_000
"""Media time to wait for the second keyframe, which tells how long segments will be."""

KEYFRAME_WAIT_MS_MAX: Final = 20_000
"""Video without a keyframe for so long is refused: nobody could join the stream."""

TIMESTAMP_FORWARD_MS_MAX: Final = 3_000
TIMESTAMP_BACKWARD_MS_MAX: Final = 1_000
"""A timestamp further off than this begins a new epoch instead of being believed."""

AUDIO_DRIFT_MS_MAX: Final = 100
"""Audio is counted in samples; beyond this distance from RTMP time it is brought back."""

SEGMENT_DURATION_MS_MIN: Final = 1_500
"""A segment begins at the first keyframe after this."""

SEGMENT_BYTES_MAX: Final = 32 * MIB
"""A segment above this ends the stream: 10 s at 27 Mb/s."""

BROADCAST_BYTES_MAX: Final = 128 * MIB
"""Media of one stream in memory. Above it the window shrinks to three target durations and what
left it goes early; what is then left is bounded by `rtmp.bitrate_max_kbps`."""

PENDING_FRAMES_MAX: Final = 4_096
PENDING_BYTES_MAX: Final = 24 * MIB
"""Frames waiting for the start or for the end of their part; more of them end the stream."""

EPOCHS_PER_MINUTE_MAX: Final = 20
"""A publisher that changes its codecs or clock more often is sending nonsense."""

# Origin -------------------------------------------------------------------------------------------

PLAYLIST_HOLD_S: Final = 1.0
"""A blocking reload is answered with the unchanged playlist after this: below the time-out of
hls.js, max(3 parts, 0.8 target durations). A deliberate deviation from rfc8216bis §6.2.5.2."""

PART_HOLD_S: Final = 2.0
"""A request for the hinted part waits so long."""

HLS_SEND_TIMEOUT_S: Final = 30.0
"""One part or segment to one viewer: a link that needs longer can't follow the stream."""

WAITERS_PER_BROADCAST_MAX: Final = 10_000
"""Blocked requests of one stream, about 2 KiB each."""

ENDED_KEEP_S: Final = 60.0
"""An ended stream's playlist and media stay so long, for players that are behind."""

ENDED_STREAMS_PER_CHANNEL_MAX: Final = 4
"""Ended streams that one channel keeps: its window stays in memory with each."""

VIEWER_TIMEOUT_S: Final = 15.0
"""A viewer that asked for no playlist for so long has left."""

VIEWERS_TRACKED_MAX: Final = 100_000
"""Viewer keys remembered for one stream."""

# Instant playback ---------------------------------------------------------------------------------

INSTANT_PICTURE_HOLD_MS: Final = 500
"""What the last picture of a message is said to last, while nobody knows: pictures may come twice
this late before a browser wants a keyframe."""

INSTANT_SOUND_MS: Final = 60
"""Sound goes with the next picture, or alone once there is so much of it."""

INSTANT_GROUP_BYTES_MAX: Final = 16 * MIB
INSTANT_GROUP_MESSAGES_MAX: Final = 2_400
"""The group of pictures that a new viewer begins with: 6 s at 20 Mb/s, 20 s at 120 a second. Of a
larger one nothing is kept, and they begin at the next keyframe."""

INSTANT_UNSENT_BYTES_MAX: Final = 1 * MIB
"""What waits for one slow viewer: 0.4 s at 20 Mb/s, 2.8 s at 3 Mb/s. With more they miss what comes
until a keyframe finds less than a quarter of it."""

INSTANT_UNSENT_KERNEL_BYTES: Final = 64 * KIB
"""What the system keeps of it, where that can be set. Its own buffers grow to 4 MiB, and all in
there is late."""

INSTANT_STUCK_S: Final = 10.0
"""A viewer who had no room for a keyframe for so long is sent away."""

INSTANT_SEEN_INTERVAL_S: Final = 5.0
"""Viewers are counted again so often: well below `VIEWER_TIMEOUT_S`."""

INSTANT_QUESTION_BYTES_MAX: Final = 256
INSTANT_QUESTIONS_PER_INTERVAL_MAX: Final = 20
"""What viewers may send: questions for the server's clock, so many in 5 s."""

INSTANT_HEARTBEAT_S: Final = 20.0
"""A ping finds viewers whose connection is dead."""

# Rewinding ----------------------------------------------------------------------------------------

DVR_WAITING_BYTES_MAX: Final = 64 * MIB
"""Segments of all streams that wait to be written. A disk further behind is too slow."""

DVR_RETIRED_S: Final = 60.0
"""A segment that left the window stays on disk so long, for players that are about to fetch it.
rfc8216bis §6.2.2 asks for the length of the playlist, which would double what is kept."""

# Health -------------------------------------------------------------------------------------------

HEALTH_INTERVAL_S: Final = 2.0
"""Each stream is measured so often; its counters are means over five and more of these."""

HEALTH_HISTORY_S: Final = 1_800
HEALTH_FINE_S: Final = 120
HEALTH_COARSE_STEP_S: Final = 10
"""Half an hour is remembered: the last minutes point by point, what is older every ten seconds.
About 230 points, 100 KB as JSON."""

HEALTH_CHANNELS_MAX: Final = 1_000
"""Channels whose last half hour is remembered after their stream."""

REPORTING_VIEWERS_MAX: Final = 5_000
"""Viewers of one stream whose reports are summed up: a fair sample of any more."""

REPORT_KEEP_S: Final = 30.0
"""Three reports that didn't come: the viewer has left."""

REPORTED_STALLS_MAX: Final = 10
"""Stalls that one report may claim for its ten seconds."""

REPORTED_LATENCY_MS_MAX: Final = 120_000
"""A longer way to the screen is a wrong clock."""

STALLED_LATELY_S: Final = 60.0
STALLS_WINDOW_S: Final = 300.0
"""Who stalls now, and over which time stalls are counted."""

CMCD_CHARS_MAX: Final = 2_048
"""Common Media Client Data of one request; players send under 300 characters."""

# Thumbnails ---------------------------------------------------------------------------------------

THUMBNAIL_TIMEOUT_S: Final = 10.0
THUMBNAIL_MEMORY_BYTES_MAX: Final = 1024 * MIB
THUMBNAIL_CPU_S_MAX: Final = 3600
THUMBNAIL_BYTES_MAX: Final = 512 * KIB
"""The child process that decodes keyframes: one at a time, killed and restarted when over."""

# Pictures that people upload ----------------------------------------------------------------------

IMAGE_SIDE_MAX: Final = 8_192
IMAGE_PIXELS_MAX: Final = 25_000_000
"""Refused from the header above this, before a pixel is decoded: a 24-megapixel photo is below."""

IMAGE_FRAMES_READ_MAX: Final = 300
"""Frames of an animation that are decoded; those after them are left out."""

IMAGE_TIMEOUT_S: Final = 15.0
IMAGE_CPU_S_MAX: Final = 10
IMAGE_MEMORY_BYTES_MAX: Final = 768 * MIB
"""The child process that decodes one picture: a 25-megapixel one needs about 250 MiB."""

IMAGE_WAITING_MAX: Final = 16
"""Pictures that wait for their turn; one is decoded at a time."""

UPLOAD_TIMEOUT_S: Final = 60.0
"""From the head of an upload to its end: 1 MiB at 140 kb/s."""

# Database -----------------------------------------------------------------------------------------

DATABASE_READERS_MAX: Final = 4
"""Read-only connections to SQLite: one thread each, more only wait for the same cores."""

DATABASE_CONNECTIONS_MAX: Final = 10
"""Connections to PostgreSQL, whose default allows 100 over all clients."""

DATABASE_WAITING_MAX: Final = 1_000
"""Transactions running or waiting for a connection; beyond it callers are told to come back."""

DATABASE_ACQUIRE_TIMEOUT_S: Final = 10.0
"""A wait for a free connection. A write takes about a millisecond, so this means trouble."""

DATABASE_TRANSACTION_TIMEOUT_S: Final = 30.0
"""A caller waits so long for its transaction; a statement may take as long on PostgreSQL."""

DATABASE_BUSY_TIMEOUT_MS: Final = 5_000
"""SQLite's own wait for a lock; only a backup tool can hold one beside us."""

DATABASE_CLOSE_TIMEOUT_S: Final = 5.0
"""Running transactions get so long to end when the site stops."""

DATABASE_ATTEMPTS_MAX: Final = 3
"""Runs of one transaction when PostgreSQL reports a deadlock or a serialisation failure."""

# Accounts -----------------------------------------------------------------------------------------

USERNAME_CHARS_MIN: Final = 3
USERNAME_CHARS_MAX: Final = 24
"""Short enough for one line beside a chat message."""

EMAIL_CHARS_MAX: Final = 254
"""RFC 5321 §4.5.3.1.3: the longest address that can be delivered to."""

PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 256
"""ASVS 5.0 6.2.1 and 6.2.9: at least 8, at least 64 allowed; a bound keeps hashing cheap."""

KNOWN_WORD_CHARS_MIN: Final = 3
"""A name of one or two letters says nothing about the password around it."""

PASSWORD_THREADS: Final = 2
PASSWORD_WAITING_MAX: Final = 32
"""Hashes in work and waiting: 16 ms and 19 MiB each, so a full queue is half a second."""

PASSWORD_WAITING_PER_NETWORK_MAX: Final = 8
"""Of them for one address: right passwords cost no attempt, and would fill the queue for all."""

SESSION_IDLE_MS: Final = 14 * 24 * 3600 * 1000
SESSION_ABSOLUTE_MS: Final = 30 * 24 * 3600 * 1000
"""A session ends after so long without a visit, and after so long in any case."""

USER_AGENT_CHARS_MAX: Final = 200
"""What a session keeps of the browser's name."""

SESSION_TOUCH_MS: Final = 10 * 60 * 1000
"""A visit is written down at most so often: reading a page should not write."""

SESSIONS_PER_USER_MAX: Final = 50
"""Browsers signed in at once, and programs; the longest unused one is signed out for a new one."""

ACCESS_TOKEN_S: Final = 600
"""A program's access token; it ends with its log-in too, which each call looks up."""

REFRESH_TOKEN_MS: Final = 30 * 24 * 3600 * 1000
"""An API client that stays away for so long signs in again."""

REFRESH_ABSOLUTE_MS: Final = 90 * 24 * 3600 * 1000
"""So does one that never stays away, after so long (ASVS 5.0 10.4.8)."""

TOKEN_CHARS_MAX: Final = 1024
"""A token that a request may carry; ours are under 400 characters."""

LOGIN_PER_ACCOUNT_BURST: Final = 8
LOGIN_PER_ACCOUNT_INTERVAL_MS: Final = 30_000
"""Wrong passwords for one account from one address: 8 at once, then one in 30 s."""

LOGIN_PER_ADDRESS_BURST: Final = 40
LOGIN_PER_ADDRESS_INTERVAL_MS: Final = 5_000
"""Wrong passwords from one address: a school behind one address still gets in."""

LOGIN_ANYWHERE_BURST: Final = 100
LOGIN_ANYWHERE_INTERVAL_MS: Final = 10_000
"""Wrong passwords for one account from all addresses together: 100 at once, then one in 10 s."""

LOGIN_KNOWN_MS: Final = 30 * 24 * 3600 * 1000
"""An address that the owner logged in from isn't held up by guesses from others for so long."""

REGISTER_PER_ADDRESS_BURST: Final = 20
REGISTER_PER_ADDRESS_INTERVAL_MS: Final = 60_000
"""Accounts made from one address: a class of twenty at once, then one a minute."""

REGISTRATION_MS: Final = 60 * 60 * 1000
"""A name is kept for somebody who has yet to enter the mailed code; another code can be asked for
as long."""

CODE_DIGITS: Final = 8
CODE_MS: Final = 10 * 60 * 1000
CODE_TRIES_MAX: Final = 5
CODE_KEEP_MS: Final = 24 * 3600 * 1000
"""A mailed code: one guess in 2·10^7 gets through (ASVS 5.0 6.6.3)."""

CODES_PER_ASKER_BURST: Final = 3
CODES_PER_ASKER_INTERVAL_MS: Final = 20 * 60 * 1000
"""Mails with codes to one address that one asker causes: 3 at once, then three an hour."""

CODES_PER_EMAIL_BURST: Final = 15
CODES_PER_EMAIL_INTERVAL_MS: Final = 4 * 60 * 1000
"""The same of all askers together: more than one may cause, so that nobody alone can keep somebody
else from a code; few enough for a mailbox, and for five guesses at each."""

CODE_TRIES_BURST: Final = 20
CODE_TRIES_INTERVAL_MS: Final = 10_000
"""Wrong codes from one address, over all handles."""

RESET_PER_ADDRESS_BURST: Final = 10
RESET_PER_ADDRESS_INTERVAL_MS: Final = 60_000
"""Forgotten passwords from one address."""

CONFIRM_BURST: Final = 8
CONFIRM_INTERVAL_MS: Final = 30_000
"""Wrong passwords of somebody who is logged in and asked again, in one log-in."""

CONFIRM_ANYWHERE_BURST: Final = 100
CONFIRM_ANYWHERE_INTERVAL_MS: Final = 10_000
"""The same in all log-ins of an account: one that was stolen doesn't hold the others up."""

CONFIRMED_MS: Final = 5 * 60 * 1000
"""After the password or a code was given, what is dangerous is not asked for again so long."""

DESK_CONFIRMED_MS: Final = 12 * 3600 * 1000
"""The admin desk asks an admin for the password or a code again after so long in any case…"""

DESK_IDLE_MS: Final = 30 * 60 * 1000
"""…and after so long without a visit. A visit counts when `SESSION_TOUCH_MS` have passed since the
one before, so it may be ten minutes less."""

FIRST_STEP_S: Final = 5 * 60
"""From the right password to the code of the authenticator app."""

SECOND_FACTOR_BURST: Final = 5
SECOND_FACTOR_INTERVAL_MS: Final = 60_000
"""Wrong codes of an authenticator app, at the log-ins of an account or, once more, in one that is
open: three of a million are right at any time.
"""

SECOND_FACTOR_ANYWHERE_BURST: Final = 20
SECOND_FACTOR_ANYWHERE_INTERVAL_MS: Final = 30_000
"""Wrong codes in all open log-ins of an account together."""

RECOVERY_CODES: Final = 10
RECOVERY_CODE_CHARS: Final = 10
"""50 bits each, written down on paper."""

PERSONAL_TOKENS_MAX: Final = 50
PERSONAL_TOKEN_NAME_CHARS_MAX: Final = 40
PERSONAL_TOKEN_DAYS_MAX: Final = 3_650
"""Personal tokens that work at once, their names, and how long one may last."""

PROFILE_ABOUT_CHARS_MAX: Final = 1_000
PROFILE_LINKS_MAX: Final = 5
PROFILE_LINK_NAME_CHARS_MAX: Final = 40
PROFILE_URL_CHARS_MAX: Final = 300
"""What fits a profile."""

RETIRED_NAME_KEEP_MS: Final = 180 * 24 * 3600 * 1000
"""So long nobody else gets the name of a deleted account or channel."""

AVATAR_SIDE_MAX: Final = 256
AVATAR_BYTES_MAX: Final = 64 * KIB
AVATAR_UPLOAD_BYTES_MAX: Final = 4 * MIB
"""A picture beside a name; phones take photos of 3 MB."""

AVATAR_UPLOADS_BURST: Final = 5
AVATAR_UPLOADS_INTERVAL_MS: Final = 60_000
"""New avatars of one person."""

SETUP_PER_ADDRESS_BURST: Final = 20
SETUP_PER_ADDRESS_INTERVAL_MS: Final = 10_000
"""Wrong set-up tokens; 256 bits need no more, this keeps the log readable."""

# Channels -----------------------------------------------------------------------------------------

SLUG_CHARS_MIN: Final = 3
SLUG_CHARS_MAX: Final = 30
CHANNEL_NAME_CHARS_MAX: Final = 60
CHANNEL_TITLE_CHARS_MAX: Final = 140
CHANNEL_DESCRIPTION_CHARS_MAX: Final = 2_000
"""What fits a card, a player heading and an about box."""

STREAM_KEYS_PER_CHANNEL_MAX: Final = 20
"""Keys that work at once; revoked ones don't count."""

STREAM_KEY_NAME_CHARS_MAX: Final = 40

GATE_FAILURES_BURST: Final = 10
GATE_FAILURES_INTERVAL_MS: Final = 6_000
"""Refused stream keys from one address: 10 at once, then one in 6 s (160 bits need no more)."""

STREAM_WRITES_WAITING_MAX: Final = 10_000
"""Broadcast events that wait to be written; about six for each live session."""

LOG_INS_WAITING_MAX: Final = 1_000
"""Notices of log-ins from new devices that wait to be written; checking passwords is slower."""

STREAM_WRITE_RETRY_S: Final = 0.5
STREAM_WRITE_RETRY_S_MAX: Final = 30.0
"""Wait before such an event is written again while the database is down; doubled each time."""

RESTART_RESUMES_MS: Final = 2 * 60 * 1000
"""So long after the server took a stream off air its encoder may go on with it, in public, where
streams start by hand. A restart takes seconds and encoders try again every few seconds, ever
slower; whoever comes later may not expect to be seen any more."""

CHANNELS_LISTED_MAX: Final = 200
"""Channels on one page or in one answer."""

# What streams are about, follows, schedules -----------------------------------------------------

TAGS_MAX: Final = 10
TAG_CHARS_MAX: Final = 25
"""Tags of a stream: as many as fit two lines under a title."""

TAGS_GIVEN_MAX: Final = 100
"""Tags in one request, before empty and repeated ones are left out."""

NOT_GENERAL_REASON_CHARS_MAX: Final = 200
"""Why a stream is not for everybody: two lines of the gate before it."""

CATEGORIES_MAX: Final = 200
CATEGORY_SLUG_CHARS_MAX: Final = 40
CATEGORY_NAME_CHARS_MAX: Final = 40
"""Categories are made by us; the bounds keep lists and look-ups small."""

STREAM_PLANS_MAX: Final = 20
"""Streams of one channel that were made and not started yet."""

STREAMS_LISTED_MAX: Final = 100
"""Streams of a channel in one answer."""

ID_CHARS_MAX: Final = 64
"""An identifier in an address; ours have 24 characters."""

WEEK_MS: Final = 7 * 24 * 3600 * 1000

SCHEDULE_ENTRIES_MAX: Final = 50
"""Entries in the schedule of one channel that are still to come."""

SCHEDULE_ENTRIES_LISTED_MAX: Final = 200
"""Entries of a channel in one answer, those that are just over included."""

SCHEDULE_CANCELLATIONS_MAX: Final = 60
"""Single times of a weekly entry that are cancelled: more than a year of weeks."""

SCHEDULE_AHEAD_MS: Final = 366 * 24 * 3600 * 1000
"""How far ahead a stream may be scheduled."""

SCHEDULE_SHOWN_MS: Final = 4 * WEEK_MS
"""How far ahead pages look."""

SCHEDULE_KEPT_MS: Final = 30 * 24 * 3600 * 1000
"""An entry that is over stays in calendars so long."""

SCHEDULE_DURATION_MIN_MIN: Final = 5
SCHEDULE_DURATION_MIN_MAX: Final = 24 * 60
"""How long a scheduled stream may take, in minutes."""

OCCURRENCES_LISTED_MAX: Final = 100
"""Times of a channel's entries on its page."""

UPCOMING_LISTED_MAX: Final = 12
"""Scheduled streams of the whole site on the home page."""

LOCAL_TIME_CHARS_MAX: Final = 30
"""A date and a time as a browser's field sends them."""

TIME_ZONES_KEPT: Final = 640
"""Zones by name that stay read: all there are (about 600)."""

SCHEDULE_DUE_MAX: Final = 100
"""Entries whose time has come that are told in one transaction."""

SCHEDULE_CHECK_S: Final = 10.0
"""The schedule is looked at so often."""

SCHEDULE_LATE_MS: Final = 10 * 60 * 1000
"""An entry whose time came while the site was down is told so long afterwards, and then no more."""

BACK_SOON_WIDTH_MAX: Final = 1280
BACK_SOON_HEIGHT_MAX: Final = 720
BACK_SOON_BYTES_MAX: Final = 256 * KIB
BACK_SOON_UPLOAD_BYTES_MAX: Final = 8 * MIB
"""The picture while an encoder is away: as large as most players, a photo of a phone may be it."""

BACK_SOON_UPLOADS_BURST: Final = 10
BACK_SOON_UPLOADS_INTERVAL_MS: Final = 60_000
"""Uploads of one user: each costs up to ten seconds of a core."""

FOLLOWS_PER_USER_MAX: Final = 2_000
"""Channels that one user may follow: a list that one page and one connection can carry."""

FOLLOWERS_PAGE: Final = 1_000
"""Followers read from the database at once."""

FOLLOWS_BURST: Final = 30
FOLLOWS_INTERVAL_MS: Final = 10_000
"""Follow and unfollow of one user: 30 at once, then one in 10 s; each is told to the streamer."""

# Moderation and chat ------------------------------------------------------------------------------

CHAT_TEXT_CHARS_MAX: Final = 500
"""A line of chat: what the peers allow, and what still is a line."""

CHAT_SEQUENCE_MAX: Final = 2**53 - 1
"""The largest number that JavaScript counts to exactly."""

CHAT_NONCE_CHARS_MAX: Final = 64
"""What a client makes up to send a line once; a UUID has 36."""

CHAT_BATCH_MS: Final = 100
"""Lines are written together at most so often; the first after a pause goes at once."""

CHAT_BATCH_LINES_MAX: Final = 200
"""Lines in one transaction, about 20 ms of it."""

CHAT_WAITING_MAX: Final = 2_000
"""Lines that wait to be written, over all channels; ten batches."""

CHAT_WAITING_PER_USER_MAX: Final = 5
"""Of one user: a program that doesn't wait for answers must not fill the queue for all."""

CHAT_LINES_BURST: Final = 20
CHAT_LINES_INTERVAL_MS: Final = 500
"""Lines and commands of one user over all devices: 20 at once, then two a second."""

CHAT_USERS_COUNTED_MAX: Final = 10_000
"""Users whose lines are counted at once, about 200 bytes each."""

CHAT_CLOCK_SKEW_MS: Final = 5_000
"""A last line further in the future than this means that the clock was set back."""

CHAT_STOP_TIMEOUT_S: Final = 10.0
"""What is queued gets so long to be written when the site stops."""

CHAT_HISTORY_LINES: Final = 100
"""Lines that somebody who joins is shown, and the most that history gives at once."""

CHAT_RESUME_EVENTS_MAX: Final = 500
"""Events that a returning client is sent; beyond it, it starts anew from history."""

CHAT_SNAPSHOT_MS: Final = 10_000
CHAT_SNAPSHOTS_MAX: Final = 100
"""What all who join are sent alike, kept so long and for so many channels: 50 KiB each."""

CHAT_QUOTE_CHARS: Final = 100
"""What a reply repeats of the line it answers."""

CHAT_REMOVED_LINES_MAX: Final = 200
"""Lines that a ban or a time-out removes, newest first."""

CHAT_UNIQUE_LINES: Final = 200
"""A line must differ from so many before it while the rule "unique" is on."""

CHAT_SLOW_S_MAX: Final = 3600
CHAT_RULE_MINUTES_MAX: Final = 365 * 24 * 60
"""Slow mode up to an hour, age of a follow or an account up to a year."""

TIMEOUT_S_MAX: Final = 28 * 24 * 3600
"""The longest time-out; whoever should stay away for longer is banned."""

MODERATION_REASON_CHARS_MAX: Final = 200
MODERATORS_PER_CHANNEL_MAX: Final = 100
BLOCKED_WORDS_MAX: Final = 200
BLOCKED_WORD_CHARS_MAX: Final = 60
"""Words and phrases of one channel. Each line is compared with all of them, about 1 µs each."""

EMOTE_SIDE_MAX: Final = 112
EMOTE_FRAMES_MAX: Final = 60
EMOTE_BYTES_MAX: Final = 192 * KIB
EMOTE_UPLOAD_BYTES_MAX: Final = MIB
"""An emote: four times the 28 px of a line, five seconds of 12 pictures, small enough for a page
with many of them."""

EMOTES_PER_CHANNEL_MAX: Final = 50
EMOTES_OF_SITE_MAX: Final = 100
"""What one list, sent to everybody who joins, can carry: about 20 KiB."""

EMOTE_UPLOADS_BURST: Final = 30
EMOTE_UPLOADS_INTERVAL_MS: Final = 20_000
"""Uploads of one user: each may cost ten seconds of a core."""

PICTURE_MAX_AGE_S: Final = 365 * 24 * 3600
"""An uploaded picture never changes: a new one has a new address."""

MODERATION_LISTED_MAX: Final = 200
"""Entries of the log, or restrictions, in one answer."""


# Streamers and teams ------------------------------------------------------------------------------

POLICY_TITLE_CHARS_MAX: Final = 80
POLICY_BODY_CHARS_MAX: Final = 20_000
"""A policy; the longest of well-known sites has about 15,000."""

POLICY_FORM_BYTES_MAX: Final = 256 * KIB
"""A form with one; a letter beyond ASCII takes up to nine bytes there."""

POLICY_VERSIONS_LISTED_MAX: Final = 50

LEGAL_NAME_CHARS_MAX: Final = 120
VERIFICATION_NOTE_CHARS_MAX: Final = 1_000
VERIFICATION_REASON_CHARS_MAX: Final = 500
VERIFICATIONS_LISTED_MAX: Final = 30
"""What a streamer writes, what an admin answers, and how many cases stand on one page."""

VERIFICATIONS_BURST: Final = 3
VERIFICATIONS_INTERVAL_MS: Final = 24 * 3600 * 1000
"""Requests of one person; each is read by somebody."""

DOCUMENTS_MAX: Final = 4
"""Of one request: both sides of a card, and two more."""

DOCUMENT_BYTES_MAX: Final = 10 * MIB
"""A scan of several pages, or a photo by a phone."""

DOCUMENT_UNPACKED_BYTES_MAX: Final = 32 * MIB
"""What is unpacked of a PDF to look for programs in it."""

DOCUMENT_SIDE_MAX: Final = 3_000
DOCUMENT_PICTURE_BYTES_MAX: Final = 4 * MIB
"""What a picture of a document is made into: small print stays readable."""

DOCUMENT_UPLOADS_BURST: Final = 12
DOCUMENT_UPLOADS_INTERVAL_MS: Final = 5 * 60 * 1000
"""Files of one person: three full requests at once."""

DOCUMENTS_UPLOAD_TIMEOUT_S: Final = 300.0
"""A form with four files over a slow line."""

DOCUMENT_WAITING_MS: Final = 24 * 3600 * 1000
"""A file that was uploaded, but never sent with a request, is deleted after this."""

DOCUMENTS_DELETED_AT_ONCE: Final = 100

TEAM_NAME_CHARS_MAX: Final = 60
TEAM_ABOUT_CHARS_MAX: Final = 2_000
TEAM_MEMBERS_MAX: Final = 50
"""Channels of one team, those that are invited included: they all stand on its page."""

TEAMS_OWNED_MAX: Final = 5
TEAMS_PER_CHANNEL_MAX: Final = 10

TEAM_INVITATIONS_BURST: Final = 20
TEAM_INVITATIONS_INTERVAL_MS: Final = 60_000
"""Invitations of one person; each is mailed to somebody."""


# Texts --------------------------------------------------------------------------------------------

COMBINING_MARKS_MAX: Final = 4
"""Accents in a row on one letter: Vietnamese needs two, Tibetan and Hebrew up to four."""

# Web ----------------------------------------------------------------------------------------------

HELD_FORMS_MAX: Final = 100
HELD_FORM_MS: Final = 10 * 60 * 1000
"""Forms that wait for a password, in memory; each at most `REQUEST_BODY_BYTES_MAX`."""

REQUEST_BODY_BYTES_MAX: Final = 64 * 1024
"""A form or a JSON document; the longest text that we take is 2,000 characters."""

REQUEST_BODY_TIMEOUT_S: Final = 20.0
"""From the head of a request to the end of its small body."""

FORM_FIELDS_MAX: Final = 50
"""Fields in a form; the longest form has seven."""

MODERATION_LOG_SHOWN: Final = 30
"""Actions on one page of the studio."""

TIMES_OF_ENTRY_SHOWN: Final = 3
"""Next times of a weekly entry in the studio."""

FORM_FIELD_BYTES_MAX: Final = 16 * KIB
"""One text in a form with a file: 2,000 characters of any script."""

STATIC_FILE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A static file kept in memory; the largest is under 2 MB."""

STATIC_FILES_MAX: Final = 500
"""Static files kept in memory; the site has about 100."""

GZIP_BYTES_MIN: Final = 1024
"""Smaller answers gain nothing from compression."""

HTTP_KEEPALIVE_S: Final = 75.0
"""A connection without a request stays so long: above the 60 s of common proxies, so that they
close first."""

HEALTH_CHECK_TIMEOUT_S: Final = 5.0
"""One check of /readyz; monitors wait 10 s and more."""

SERVER_STOP_TIMEOUT_S: Final = 3.0
"""Requests under way get so long to finish when the site stops."""

STORAGE_FREE_BYTES_MIN: Final = 100 * 1024 * 1024
"""Below this the site says that it is not ready: the database could stop taking writes."""

HOUSEKEEPING_INTERVAL_MS: Final = 3600 * 1000
"""Expired sessions, tokens and throttles are removed so often."""

JOBS_AT_ONCE_MAX: Final = 8
"""Jobs under way, but for kinds with places of their own; nearly all wait for another server."""

JOB_CHECK_S: Final = 5.0
"""How often to look for work that is due, beside being woken when some is made."""

JOB_TIMEOUT_S: Final = 60.0
JOB_LEASE_MS: Final = 2 * 60 * 1000
"""One attempt; the lease is longer, so that no job runs twice at the same time."""

JOB_ATTEMPTS_MAX: Final = 10
JOB_RETRY_MS_MIN: Final = 30 * 1000
JOB_RETRY_MS_MAX: Final = 6 * 3600 * 1000
"""30 s, 1 min, 2 min … 2 h: all attempts take four hours, as long as a mail server is repaired."""

JOB_PAYLOAD_BYTES_MAX: Final = 64 * KIB
"""A mail or what is told to another site, as JSON."""

JOB_DONE_KEEP_MS: Final = 7 * 24 * 3600 * 1000
JOB_DEAD_KEEP_MS: Final = 30 * 24 * 3600 * 1000
"""The admin can see what was done, and what was given up, for so long. A key is known as long."""

JOBS_DELETED_AT_ONCE: Final = 1_000
"""Old ones in one transaction: a few milliseconds in which nobody else can write."""

JOBS_LISTED_MAX: Final = 50
"""Jobs on one page."""

MAIL_TIMEOUT_S: Final = 30.0
"""One step of the talk with the mail server; slow ones look every sender up."""

MAIL_KEPT_MAX: Final = 1_000
MAIL_KEEP_MS: Final = 7 * 24 * 3600 * 1000
MAIL_LISTED_MAX: Final = 50
"""The mailbox of a site without a mail server, and one page of it."""

AUDIT_DETAILS_CHARS_MAX: Final = 8 * KIB
"""What was before and after, as JSON."""

AUDIT_NEWEST_LOGGED_MS: Final = 24 * 3600 * 1000
"""How often the newest hash goes into the site's log, to compare with."""

AUDIT_LISTED_MAX: Final = 100
AUDIT_VERIFY_PAGE: Final = 200
"""Entries read at once, to show and to verify: each takes 10 µs of the event loop."""

OUTBOUND_TIMEOUT_S: Final = 5.0
"""One request to a site that a user has named, from looking its name up to its answer."""

ERROR_CAUSES_MAX: Final = 8
"""How far back the cause of an error is looked for."""

OUTBOUND_CONNECTIONS_MAX: Final = 16
"""At once, over all such requests."""

OUTBOUND_URL_CHARS_MAX: Final = 500
OUTBOUND_ANSWER_BYTES_MAX: Final = 64 * KIB
"""What is read of an answer that nobody needs whole."""

CONTROL_BYTES_MAX: Final = 16 * 1024
CONTROL_TIMEOUT_S: Final = 10.0
"""One request of the command line to the running site."""

SHOWN_ONCE_MAX: Final = 1_000
SHOWN_ONCE_MS: Final = 10 * 60 * 1000
"""New stream keys on their way to the page that shows them."""

GATE_MAX_AGE_S: Final = 30 * 24 * 3600
GATE_TICKET_CHARS_MAX: Final = 100
"""The answer at a channel's gate counts so long; what a ticket of it may hold."""

CALENDAR_MAX_AGE_S: Final = 300
"""A calendar file may be so old; programs ask every few hours."""

THEME_MAX_AGE_S: Final = 365 * 24 * 3600
"""The choice of dark or light is remembered so long."""

NOTICE_MAX_AGE_S: Final = 60
"""A sentence such as "Saved." waits so long for the next page."""

VIEWER_COOKIE_BITS: Final = 128
VIEWER_KEY_CHARS_MAX: Final = 300
"""What tells viewers apart in the count: a random cookie, else address and program."""

STATIC_MAX_AGE_S: Final = 365 * 24 * 3600
"""A static file asked for by its hash never changes."""

OPEN_FILES_WANTED: Final = 65_536
"""Connections, mostly; asked of the system at start, which may give less."""

DEMO_LINES_MAX: Final = 2_000
"""Lines that the demo's people say in each channel: about eight hours of them."""

DEMO_GIFTS_MAX: Final = 500
"""Tips in each channel of the demo: as long as its people talk."""

DEMO_RESTART_S: Final = 3.0
"""A demo publisher that ended is started again after this."""

# Realtime -----------------------------------------------------------------------------------------

REALTIME_MESSAGE_BYTES_MAX: Final = 16 * KIB
"""One message of a client; the longest chat line with its reply is under 3 KiB."""

REALTIME_PING_INTERVAL_S: Final = 25.0
REALTIME_PING_TIMEOUT_S: Final = 20.0
"""The defaults of Engine.IO: below the idle time-outs of proxies, which begin at 60 s."""

REALTIME_ENTER_TIMEOUT_S: Final = 10.0
"""A connection that entered no namespace after so long holds its place for nothing."""

REALTIME_UPGRADE_TIMEOUT_S: Final = 10.0
"""From the first message on a new WebSocket to the end of polling: two round trips."""

REALTIME_CLOSE_TIMEOUT_S: Final = 2.0
"""A client gets so long to answer when the server closes its connection."""

REALTIME_SEND_BUFFER_BYTES_MAX: Final = 256 * KIB
"""Unsent bytes of one client: several seconds of the busiest chat. Beyond it the client is dropped
and comes back with the sequence that it had."""

REALTIME_SYSTEM_BUFFER_BYTES: Final = 64 * KIB
"""What the system may hold for one client besides; by itself it would take up to 4 MiB each."""

REALTIME_QUEUE_PACKETS_MAX: Final = 256
"""Packets that wait for a client's next poll: about ten seconds of a busy chat."""

REALTIME_OUTBOX_MAX: Final = 2_000
"""Broadcasts that wait for their turn, over all rooms. One that is lost leaves a gap in the
sequence, at which clients ask again."""

REALTIME_FAN_OUT_CLIENTS: Final = 256
"""Clients written to before the event loop serves others: about 3 ms."""

REALTIME_ROOMS_PER_CLIENT_MAX: Final = 8
"""A page shows one channel; a dock of several chats still fits."""

REALTIME_PACKETS_BURST: Final = 20
REALTIME_PACKETS_PER_S: Final = 10
"""Anything that one connection sends: a page sends one event in 10 s and what its person types."""

REALTIME_SAY_BURST: Final = 5
REALTIME_SAY_PER_S: Final = 1
"""Lines of one connection, whatever the channel's slow mode says."""

REALTIME_REFUSED_MAX: Final = 100
"""Packets beyond the rate that are answered with an error before the connection ends."""

REALTIME_ERRANDS_MAX: Final = 1_000
"""Things to look up before clients are told; a few for each stream that starts or ends."""

REALTIME_YOU_PAGE: Final = 100
"""People for whom one read looks up what new rules let them do; the others of a room wait behind
whatever else there is to tell."""

REALTIME_PRESENCE_INTERVAL_S: Final = 5.0
"""Counts of viewers and followers are told so often, if they have changed."""

DOCK_TOKENS_PER_CHANNEL_MAX: Final = 10
"""Docks that work at once; a streamer has one or two machines."""

REALTIME_ACTIVITY_MAX: Final = 200
"""Entries of a channel's activity."""

REALTIME_DESKS_MAX: Final = 200
"""Channels whose activity is kept in memory; the least recent goes first."""

REALTIME_TICKET_S: Final = 60
"""A ticket is asked for right before connecting."""

REALTIME_TICKETS_MAX: Final = 10_000
"""Tickets that wait to be used; the oldest goes for one more."""

# backups -----------------------------------------------------------------------------------------

BACKUP_CHUNK_BYTES: Final = MIB
"""Read, hashed and written at once; hashing so much leaves the event loop alone."""

BACKUP_MANIFEST_BYTES_MAX: Final = 64 * MIB
BACKUP_FILES_MAX: Final = 500_000
"""About 120 bytes of the manifest for each file."""

BACKUP_SPARE_BYTES: Final = 128 * MIB
"""What a backup leaves free on the disk, for the site to go on."""

BACKUP_RETRY_MS: Final = 3600 * 1000
"""After a failure: time for somebody to make room."""

BACKUP_STOP_TIMEOUT_S: Final = 10.0
"""A backup under way gets so long to give up when the site stops."""

BACKUP_TOLD_AGAIN_MS: Final = 24 * 3600 * 1000
"""Admins hear of backups that keep failing so often."""

BACKUP_COMMAND_TIMEOUT_S: Final = 2 * 3600.0
"""`mediaserver backup` waits so long for the running site, and for pg_dump."""

BACKUP_STOP_OPCODES: Final = 1_000_000
"""SQLite's steps between two looks whether the copy is still wanted: some milliseconds."""

BACKUP_FINDINGS_MAX: Final = 20
"""Sentences about one database."""

DOCTOR_FREE_BYTES_LOW: Final = 1024 * MIB
DOCTOR_OPEN_FILES_LOW: Final = 4_096
DOCTOR_CLOCK_JUMP_MS: Final = 5_000
DOCTOR_CERTIFICATE_MS_LOW: Final = 14 * 24 * 3600 * 1000
DOCTOR_BACKUP_HOURS_OLD: Final = 72
DOCTOR_MAIL_LATE_MS: Final = 3600 * 1000
"""Where the check-up begins to warn. Certificates are renewed 30 days ahead by most programs."""

DOCTOR_DATABASE_TIMEOUT_S: Final = 45.0
"""Reading the whole database; somebody waits for the page."""

DOCTOR_NETWORK_TIMEOUT_S: Final = 3.0
"""One question to the site itself, over loopback."""

SAFETY_COPIES_KEPT: Final = 2
"""Databases as they were before an upgrade."""

# notifications ------------------------------------------------------------------------------------

NOTICES_LISTED_MAX: Final = 50
NOTICES_COUNTED_MAX: Final = 100
"""One page of them; and how far the unread ones are counted for the bell."""

NOTICE_KEEP_MS: Final = 180 * 24 * 3600 * 1000

# admin desk ---------------------------------------------------------------------------------------

USERS_LISTED_MAX: Final = 50
"""Accounts on one page of the list."""

SETTING_CHARS_MAX: Final = 2_000
"""A setting as it is typed; most have tighter bounds of their own."""

END_REASON_CHARS_MAX: Final = 200
"""Why an admin ended a stream: encoders show one line."""

AUDIT_EXPORT_BATCH: Final = 500
"""Entries read at once for a download: a few milliseconds."""

FIGURES_WRITTEN_MS: Final = 5 * 60 * 1000
"""How often what was counted in memory is written down; a crash loses so much."""

BUSIEST_LISTED_MAX: Final = 10

STORAGE_MEASURED_MS: Final = 60 * 1000
"""How long a measurement of the storage folder is shown: it looks at every file."""

# Webhooks -----------------------------------------------------------------------------------------

WEBHOOKS_MAX: Final = 10
"""Of one channel, and as many of the site as a whole."""

WEBHOOK_DELIVERIES_AT_ONCE_MAX: Final = 4
"""Deliveries under way; they take no place from mail."""

WEBHOOK_PAUSES_MS: Final = (
    5 * 1000,
    60 * 1000,
    5 * 60 * 1000,
    30 * 60 * 1000,
    2 * 3600 * 1000,
    6 * 3600 * 1000,
    12 * 3600 * 1000,
    24 * 3600 * 1000,
)
"""Before each further attempt: nine of them in 45 hours, so that a weekend's outage passes."""

WEBHOOK_REST_MS_MIN: Final = WEBHOOK_PAUSES_MS[0]
WEBHOOK_REST_MS_MAX: Final = 10 * 60 * 1000
"""A webhook that took nothing is left alone for as long as it has been failing already, within
these bounds: less than its pauses, so that it holds up only what else there is for it."""

WEBHOOK_SLOW_MS: Final = 1_000
WEBHOOK_SLOW_RESTS: Final = 10
"""One that takes longer to answer is left alone for ten times as long as it took, so that a
streamer's slow webhooks, ten at most, keep one place busy."""

WEBHOOK_FAILING_MS_MAX: Final = 5 * 24 * 3600 * 1000
"""A webhook that took nothing for so long is turned off when the next delivery is given up: two
failures with a quiet week between them are no reason."""

WEBHOOK_WAITING_MAX: Final = 100
"""Deliveries that wait for one webhook; what comes on top of them is not told."""

WEBHOOK_DELIVERY_KEEP_MS: Final = 14 * 24 * 3600 * 1000
WEBHOOK_DELIVERIES_KEPT_MAX: Final = 1_000
WEBHOOK_DELIVERIES_LISTED_MAX: Final = 30
"""The log of one webhook: how long, how much, and one page of it."""

WEBHOOK_ANSWER_CHARS_MAX: Final = 1_000
"""What the log keeps of an answer: the beginning, where error messages stand."""

WEBHOOK_OLD_SECRET_MS: Final = 24 * 3600 * 1000
"""After a new secret was made, deliveries are signed with both so long."""

WEBHOOK_BY_HAND_BURST: Final = 20
WEBHOOK_BY_HAND_INTERVAL_MS: Final = 10_000
"""Tests and deliveries sent again of one person."""

WEBHOOK_EVENTS_WAITING_MAX: Final = 1_000
"""Events on their way into the log: some seconds of the busiest site."""

WEBHOOK_CHAT_BURST: Final = 10
WEBHOOK_CHAT_PER_S: Final = 1
"""Chat lines of one channel that are told; each costs three writes."""

WEBHOOK_CHANNELS_COUNTED_MAX: Final = 1_000
"""Channels whose chat lines are counted at once."""

WEBHOOK_CHANNELS_DELETED_MAX: Final = 100
"""Deleted channels that are remembered, for the end of the stream that was on them."""

# Trust --------------------------------------------------------------------------------------------

BAN_DAYS_MAX: Final = 3650
"""A ban that has an end; a longer one has none."""

BAN_FOREVER_MS: Final = 253_402_300_799_000
"""The end of the year 9999: what an account's row says of a ban without an end."""

SANCTION_TEXT_CHARS_MAX: Final = 1_000
"""What an admin writes to somebody who is warned or banned, or who has reported."""

SANCTIONS_LISTED_MAX: Final = 50
"""Warnings, or bans, of one person: the newest ones."""

REPORT_TEXT_CHARS_MAX: Final = 1_000
REPORTS_BURST: Final = 10
REPORTS_INTERVAL_MS: Final = 10 * 60 * 1000
"""Reports of one user: ten at once, then one in ten minutes."""

REPORT_REPEATED_MS: Final = 24 * 3600 * 1000
"""The same person reporting the same thing again within a day adds nothing."""

REPORTS_LISTED_MAX: Final = 50
"""Reports on one page."""

REPORTS_ALIKE_MAX: Final = 200
"""Reports of the same thing that a case shows."""

REPORTS_CLOSED_MAX: Final = 1_000
"""Reports of the same thing that one decision closes; whoever made one is told in the same
transaction."""

REPORTS_EARLIER_MAX: Final = 10
"""Earlier reports of the same person that a case shows."""

EVIDENCE_LINES_MAX: Final = 100
EVIDENCE_CHAT_MS: Final = 5 * 60 * 1000
EVIDENCE_LINES_AFTER: Final = 10
"""The chat that a report keeps: the last five minutes, or those before the line and a few after."""

EVIDENCE_DELETED_AT_ONCE: Final = 200
"""Reports whose evidence one run of the clean-up deletes."""

APPEAL_TEXT_CHARS_MAX: Final = 2_000
APPEALS_LISTED_MAX: Final = 50

CHAT_DELETED_AT_ONCE: Final = 2_000
CHAT_DELETE_TURNS_MAX: Final = 50
"""Old lines deleted in one transaction, so that nobody waits to write, and transactions in one run
of the clean-up: a hundred thousand lines in an hour."""

# Money --------------------------------------------------------------------------------------------

AMOUNT_MINOR_MAX: Final = 10**12
"""One amount, in minor units: far above any payment, and a million of them still fit 64 bits. The
ledger's CHECK has the same number."""

CONTRIBUTION_MESSAGE_CHARS_MAX: Final = 250
CONTRIBUTION_NAME_CHARS_MAX: Final = 40
"""What somebody writes with a tip or donation, and the name of one without an account."""

IDEMPOTENCY_KEY_CHARS_MAX: Final = 100

# Money: payments and gateways ---------------------------------------------------------------------

PAYMENT_EXPIRES_MS: Final = 60 * 60 * 1000
"""How long a checkout may be paid. Stripe takes 30 minutes to a day."""

TRANSFER_EXPIRES_MS: Final = 14 * 24 * 3600 * 1000
"""How long a top-up waits for its transfer from a bank."""

PAYMENT_LATE_MS: Final = 3 * 24 * 3600 * 1000
"""So long after it expired a payment is still looked at: Stripe repeats a notification for three
days, and a bank may take as long."""

PAYMENT_POLL_MS_MIN: Final = 3 * 60 * 1000
PAYMENT_POLL_MS_MAX: Final = 6 * 3600 * 1000
PAYMENT_POLL_INTERVAL_MS: Final = 60 * 1000
PAYMENTS_POLLED_AT_ONCE: Final = 50
PAYMENTS_ASKED_AT_ONCE: Final = 5
"""The poller looks once a minute for payments that are due: three minutes after they began, then
after pauses that double."""

PAID_PAYMENT_PAUSES_MS: Final = tuple(
    days * 24 * 3600 * 1000 for days in (1, 3, 7, 14, 30, 60, 120)
)
"""After which a paid payment is looked at again, each behind the one before: 235 days in all. Cards
are disputed for up to 120 days, and a dispute is decided within three months."""

PAYMENT_CHECK_TIMEOUT_S: Final = 4.0
"""How long an answer waits for what a gateway says: Midtrans wants ours within five seconds. What
takes longer goes on by itself."""

PAYMENT_ASKED_MAX: Final = 3
"""How often a gateway is asked in one check, when another process settles its payment meanwhile."""

PAYMENT_CHECK_PAUSE_MS: Final = 2_000
"""A page that is looked at again and again asks the gateway no more often than this."""

GATEWAY_CALL_TIMEOUT_S: Final = 20.0
"""One call of an adapter, which may ask its provider more than once."""

PAYMENTS_BURST: Final = 10
PAYMENTS_INTERVAL_MS: Final = 2 * 60 * 1000
"""Payments that one member, or one address of guests, begins: each opens a checkout somewhere."""

GUEST_EMAIL_KEEP_MS: Final = 400 * 24 * 3600 * 1000
GUEST_EMAILS_ERASED_AT_ONCE: Final = 500
"""A guest's address is kept with the payment as long as a refund or a dispute may need it."""

PAYMENTS_LISTED_MAX: Final = 50
PAYMENT_REASON_CHARS_MAX: Final = 300

HOOK_HEADERS_CHARS_MAX: Final = 4_000
HOOK_RETRY_DELAY_MS: Final = 30_000
HOOK_KEEP_MS: Final = 180 * 24 * 3600 * 1000
HOOKS_DELETED_AT_ONCE: Final = 500
HOOKS_LISTED_MAX: Final = 50
"""What gateways told us is kept for half a year: disputes come as late as that."""

SANDBOX_FEE_PERMILLE: Final = 29
SANDBOX_DISPUTE_FEE_UNITS: Final = 15
SANDBOX_REPEATS: Final = 5
"""What the sandbox takes, as a card would cost: 2.9 %, and 15 units for a dispute."""

GATEWAY_TIMEOUT_S: Final = 15.0
"""One question to a payment provider, with its repetitions: somebody waits for the pay page."""

GATEWAY_ANSWER_BYTES_MAX: Final = MIB
"""The longest answer is a list of disputes with all that was written about them."""

GATEWAY_CONNECTIONS_MAX: Final = 10
"""To one provider at once."""

GATEWAY_REPETITIONS_MAX: Final = 2
"""How often Stripe is asked again what it didn't answer; under the same idempotency key."""

GATEWAY_LISTED_MAX: Final = 100
"""Refunds or disputes of one payment that are looked at: one page of Stripe's lists."""

GATEWAY_CLOCK_DIFFERENCE_S: Final = 300
"""How far a signed time may be from ours, either way: what Stripe recommends. A repeated delivery
is signed anew."""

GATEWAY_TEXT_CHARS_MAX: Final = 200
"""What a provider says about an error, as far as an admin is shown it."""

# Money: refunds, disputes, earnings and payouts ---------------------------------------------------

EARNINGS_MATURED_AT_ONCE: Final = 100
"""Earnings that one transaction makes available, so that nobody waits long to write."""

EARNINGS_LISTED_MAX: Final = 50
EARNINGS_EXPORT_BATCH: Final = 500
REFUNDS_LISTED_MAX: Final = 50
DISPUTES_LISTED_MAX: Final = 50
PAYOUTS_LISTED_MAX: Final = 50

REFUND_POLL_MS: Final = 10 * 60 * 1000
REFUND_POLLS_MS_MAX: Final = 30 * DAY_MS
"""A refund that its gateway decides later is asked for so often, and for so long: a card's bank
may take weeks. Then an admin must look."""

MONEY_REASON_CHARS_MAX: Final = 500
BANK_REFERENCE_CHARS_MAX: Final = 100
"""Below what SEPA and SWIFT carry as the purpose of a transfer, 140."""

BANK_HOLDER_CHARS_MAX: Final = 140
BANK_NAME_CHARS_MAX: Final = 140
BANK_ACCOUNT_CHARS_MIN: Final = 5
BANK_ACCOUNT_CHARS_MAX: Final = 34
"""The longest IBAN (ISO 13616)."""

BANK_ROUTING_CHARS_MAX: Final = 20

# Money: alerts, goals and the board of tippers ----------------------------------------------------

ALERT_LOOKS_MAX: Final = 5
"""Ways in which one channel's alerts look, by amount."""

ALERT_TEMPLATE_CHARS_MAX: Final = 120
ALERT_DURATION_MS_MIN: Final = 2_000
ALERT_DURATION_MS_MAX: Final = 30_000
ALERT_GAP_MS_MAX: Final = 60_000
ALERT_SIZE_PX_MIN: Final = 16
ALERT_SIZE_PX_MAX: Final = 120

ALERT_PICTURE_SIDE_MAX: Final = 640
ALERT_PICTURE_BYTES_MAX: Final = 2 * MIB
ALERT_PICTURE_UPLOAD_BYTES_MAX: Final = 8 * MIB
ALERT_PICTURE_FRAMES_MAX: Final = 120
ALERT_UPLOADS_BURST: Final = 20
ALERT_UPLOADS_INTERVAL_MS: Final = 60_000

ALERT_WAITS_MS: Final = 24 * 3600 * 1000
"""An alert that no overlay has shown for a day is old news."""

ALERTS_WAITING_MAX: Final = 50
"""Alerts that an overlay gets at once when it opens: what fits well into its connection's buffer;
it asks again when they are shown."""

ALERTS_LISTED_MAX: Final = 50

ALERT_TESTS_BURST: Final = 10
ALERT_TESTS_INTERVAL_MS: Final = 2_000

TIP_TIERS: Final = ((1, 0), (2, 30), (5, 120), (10, 300), (20, 600))
"""From which multiple of the smallest tip on a line stays on top of the chat for how many
seconds."""

TIPS_KEPT_MAX: Final = 12
"""Tips on top of the chat: more than anybody looks through."""

GOAL_TITLE_CHARS_MAX: Final = 80
TIPPERS_MAX: Final = 30
TIPPERS_SMALL: Final = 5
"""On the channel's page."""

SUPPORT_INTERVAL_S: Final = 0.5
"""How often at most goals and boards are counted anew while money comes in."""

# Money: wallet, tips, history and thanks ----------------------------------------------------------

TRANSFER_INSTRUCTIONS_CHARS_MAX: Final = 1000
"""Where a streamer wants transfers from bank to bank."""

HISTORY_LISTED_MAX: Final = 50
"""Rows of somebody's history of money in one page."""

HISTORY_CSV_ROWS_MAX: Final = 20_000
"""Rows of a history that is downloaded; who has more asks for a shorter time."""

TIP_DRAFT_MAX_AGE_S: Final = 60 * 60
"""How long somebody may take to add money and come back to the tip that they were writing."""

STATEMENT_LINES_MAX: Final = 2_000
"""Entries written out in a month's statement; the others stand there as one sum."""

STATEMENT_SUBJECTS_AT_ONCE: Final = 500
"""Documents looked up in one query: SQLite binds no more than some thousands."""

THANKS_CHARS_MAX: Final = 1000
"""A streamer's message to who gave most."""

THANKS_BURST: Final = 6
THANKS_INTERVAL_MS: Final = 60 * 60 * 1000
"""A channel sends six thanks at once, then one an hour; each giver gets one per period anyway."""

GIFTS_TOLD_EVERY_MS: Final = 10 * 60 * 1000
"""A streamer hears of gifts at most so often: those of a busy while come as one notice."""

GIFTS_TOLD_AT_ONCE_MAX: Final = 2_000
"""Gifts summed up in one notice."""

# Money: the books ---------------------------------------------------------------------------------

LEDGER_CHECK_ROWS: Final = 200
"""Accounts, entries or documents that are checked at once: some 10 ms of the event loop."""

LEDGER_CHECK_PAUSE_S: Final = 0.02
"""Between two such steps, so that a long ledger is checked beside live streams."""

LEDGER_CHECK_INTERVAL_MS: Final = 24 * 3600 * 1000
LEDGER_CHECK_KEEP_MS: Final = 90 * 24 * 3600 * 1000
LEDGER_CHECKS_LISTED_MAX: Final = 30
LEDGER_FINDINGS_MAX: Final = 100
"""More are not kept: whatever the fault is, these show it."""

BOOKS_LISTED_MAX: Final = 50
"""Accounts, entries, settlements or corrections on one page."""

BOOKS_EXPORT_BATCH: Final = 300
"""Entries read at once for a download: some 10 ms of the event loop."""

BOOKS_SEARCH_CHARS_MAX: Final = 120
BOOKS_REFERENCE_CHARS_MAX: Final = 100
BOOKS_REASON_CHARS_MAX: Final = 500
"""What admins write beside an amount: the bank's reference, and why."""

# Memberships --------------------------------------------------------------------------------------

PLANS_MAX: Final = 20
PLAN_NAME_CHARS_MAX: Final = 40
PLAN_DESCRIPTION_CHARS_MAX: Final = 500
"""Plans of one site, off sale or not; more are no choice any more. What fits the card of one."""

MEMBERSHIP_GRACE_MS: Final = 3 * DAY_MS
"""A membership that can't be paid goes on so long, for somebody to put money into the wallet."""

MEMBERSHIP_RETRY_MS: Final = 60 * 1000
"""How often the wallet is looked at meanwhile."""

MEMBERSHIP_PRICE_NOTICE_MS: Final = 14 * DAY_MS
"""Nobody pays a higher price sooner than this after being told of it."""

MEMBERSHIPS_AT_ONCE: Final = 100
"""Members told, or renewals caught up, in one transaction or turn of a job."""

MEMBERSHIP_CHARGES_LISTED_MAX: Final = 24
"""Payments on one page of a membership: two years of months."""

assert RTMP_UNTRUSTED_MESSAGE_BYTES_MAX < RTMP_MESSAGE_BYTES_MAX
assert SEGMENT_BYTES_MAX < BROADCAST_BYTES_MAX
assert JOB_TIMEOUT_S * 1000 < JOB_LEASE_MS
