"""The policies that a new site begins with; its admins publish their own versions over them.

Used by channels/policies.py alone.
"""

from __future__ import annotations

STREAMERS = """You decide what you show, and you answer for it.

Stream only what is yours to stream. Music, films, games and other people's work need their \
permission, or a licence that covers streaming. If you are told that something isn't yours to \
show, stop showing it.

Ask before you put people on camera. Don't show anybody's address, phone number or documents, your \
own included.

Say what your stream is. Mark it as for adults or not for everyone when it is, and say so when \
somebody pays you for what you show.

Keep your stream key to yourself: whoever has it can stream in your name. If somebody else has \
seen it, revoke it in your studio.

Look after your chat, or choose moderators who do. What stays in it stays in your name.

If you break these rules, an admin may end your stream, warn you or ban you. You are told why, and \
you can appeal."""

CONTENT = """Some things are not allowed on this site, whoever shows them.

Nothing that is against the law where this site is run.

Nothing sexual that involves anybody under 18, in pictures, words or drawings. It is reported to \
the police.

No threats, no calls for violence, no hatred against people for who they are, and no harassment.

Nothing that helps anybody to hurt themselves or others.

No fraud: no fake giveaways, no pretending to be somebody else, no asking for passwords or money \
under false names.

Streams for adults are marked as such. Violence and injuries that have a reason to be shown, such \
as in news, are marked as not for everyone, with that reason.

Anybody can report what breaks these rules. An admin looks at every report, and both sides are \
told what came of it."""
