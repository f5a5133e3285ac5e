"""The admin of a site under test."""

from __future__ import annotations

from tests.functional.platform_site import PASSWORD, Person, Site


async def make_admin(site: Site, name: str = "boss") -> Person:
    """The first admin, by the set-up page; logged in in a browser and as a program."""
    person = site.person()
    form = {
        "token": site.setup_token,
        "username": name,
        "email": f"{name}@example.org",
        "password": PASSWORD,
        "channel_name": name,
        "channel_slug": name,
    }
    status, text, _ = await person.post("/setup", form)
    assert status == 303, text
    person.username = name
    await person.log_in_as_program(name)
    return person
