"""js/realtime.js and rooms.js on a made-up connection: what they ask for, hand on and drop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Open = Callable[..., Awaitable[Page]]

FAKE_IO = """
class Socket {
  connected = false; active = true; id = "0"; sent = []; listeners = {}; pending = [];
  on(name, call) { (this.listeners[name] ??= []).push(call); }
  fire(name, value) { for (const call of this.listeners[name] ?? []) call(value); }
  timeout() { return this; }
  get volatile() { return this; }
  emit(name, payload) { this.sent.push([name, payload]); }
  emitWithAck(name, payload) {
    this.sent.push([name, payload]);
    return new Promise((resolve, reject) => this.pending.push({ resolve, reject }));
  }
  up() { this.connected = true; this.id = String(Number(this.id) + 1); this.fire("connect"); }
  down(why) { this.connected = false; this.fire("disconnect", why); }
  connect() { this.sent.push(["(connect)"]); return this; }
  disconnect() { return this; }
}
export function io(namespace, options) {
  const socket = new Socket();
  globalThis.sockets = [...(globalThis.sockets ?? []), socket];
  return socket;
}
"""

PRELUDE = """
const { onState, onNotice, ask } = await import("/static/js/realtime.js");
const { joinRoom } = await import("/static/js/rooms.js");
const log = [];
const handlers = (name) => ({
  joined: (a) => log.push(`${name} joined ${a.events.map((e) => e.sequence)} ${a.reset}`),
  events: (list) => log.push(`${name} events ${list.map((e) => e.sequence)}`),
  live: (live) => log.push(`${name} ${live.state}`),
  refused: (error) => log.push(`${name} refused ${error.code}`),
});
const settle = () => new Promise((done) => setTimeout(done, 5));
const events = (...all) => ({ channel: "ada", events: all.map((sequence) => ({ sequence })) });
const answer = (sequence, reset, ...all) =>
  ({ ok: true, sequence, reset, live: { state: "live" }, ...events(...all) });
const room = joinRoom("ada", handlers("chat"));
const socket = globalThis.sockets[0];
const reply = async (value) => { socket.pending.shift().resolve(value); await settle(); };
"""


@pytest.fixture
async def run(open_page: Open) -> Callable[[str], Awaitable[Any]]:
    async def fake(route: Route) -> None:
        await route.fulfill(body=FAKE_IO, content_type="text/javascript")

    async def run(script: str) -> Any:
        page = await open_page("/api/events")
        await page.route("**/socket.io.js", fake)
        return await page.evaluate(f"async () => {{ {PRELUDE} {script} }}")

    return run


async def test_repeats_are_dropped_and_gaps_are_asked_for(run: Any) -> None:
    log, sent = await run("""
      await settle();
      socket.up(); await settle();
      await reply(answer(2, true, 1, 2));
      socket.fire("events", events(2, 3));
      socket.fire("events", events(3));
      socket.fire("events", { channel: "bob", events: [{ sequence: 9 }] });
      socket.fire("events", events(6)); await settle();
      await reply(answer(6, false, 4, 5, 6));
      socket.fire("events", events(7));
      return [log, socket.sent];
    """)
    assert log == [
        "chat joined 1,2 true",
        "chat live",
        "chat events 3",
        "chat joined 4,5,6 false",
        "chat live",
        "chat events 7",
    ]
    assert sent == [["join", {"channel": "ada"}], ["join", {"channel": "ada", "after": 3}]]


async def test_notices_are_handed_on(run: Any) -> None:
    heard = await run("""
      const heard = []; onNotice((notice) => heard.push(notice.slug));
      socket.up();
      socket.fire("notice", { kind: "went-live", slug: "ada" });
      return heard;
    """)
    assert heard == ["ada"]


async def test_what_comes_before_the_answer_is_kept_for_after_it(run: Any) -> None:
    log = await run("""
      await settle();
      socket.up(); await settle();
      socket.fire("events", events(2));
      socket.fire("events", events(3));
      await reply(answer(2, true, 1, 2));
      return log;
    """)
    assert log == ["chat joined 1,2 true", "chat live", "chat events 3"]


async def test_after_a_reconnect_it_goes_on_where_it_was(run: Any) -> None:
    log, sent, states = await run("""
      const states = []; onState((state) => states.push(state));
      await settle();
      socket.up(); await settle();
      await reply(answer(5, true, 4, 5));
      socket.down("transport close"); await settle();
      const offline = (await room.say("hi", { nonce: "n" })).error.code;
      socket.up(); await settle();
      await reply(answer(7, false, 6, 7));
      return [log, socket.sent, [...states, offline]];
    """)
    assert log[-2:] == ["chat joined 6,7 false", "chat live"]
    assert sent == [["join", {"channel": "ada"}], ["join", {"channel": "ada", "after": 5}]]
    assert states == ["reconnecting", "connected", "reconnecting", "connected", "offline"]


async def test_an_answer_of_the_connection_before_is_not_believed(run: Any) -> None:
    log, sent = await run("""
      await settle();
      socket.up(); await settle();
      socket.down("transport close"); socket.up(); await settle();
      await reply(answer(2, true, 1, 2));
      await reply(answer(3, true, 1, 2, 3));
      return [log, socket.sent];
    """)
    assert log == ["chat joined 1,2,3 true", "chat live"]
    assert sent == [["join", {"channel": "ada"}]] * 2


async def test_modules_of_a_page_share_a_room(run: Any) -> None:
    log, sent = await run("""
      const player = joinRoom("ada", { live: (live) => log.push(`player ${live.state}`) });
      await settle();
      socket.up(); await settle();
      await reply(answer(1, true, 1));
      joinRoom("ada", handlers("late")); await settle();
      await reply(answer(1, true, 1));
      player.leave(); room.leave();
      socket.fire("live", { channel: "ada", live: { state: "ended" } });
      player.report({ way: "hls" });
      return [log, socket.sent];
    """)
    assert log == [
        "chat joined 1 true",
        "chat live",
        "player live",
        "chat joined 1 true",
        "late joined 1 true",
        "chat live",
        "player live",
        "late live",
        "late ended",
    ]
    assert sent == [
        ["join", {"channel": "ada"}],
        ["join", {"channel": "ada"}],
        ["report", {"channel": "ada", "way": "hls"}],
    ]


async def test_refusals_are_told(run: Any) -> None:
    log, codes = await run("""
      await settle();
      socket.up(); await settle();
      await reply({ ok: false, error: { code: "channel_not_found", message: "" } });
      const asked = ask("say", {}); await settle();
      socket.pending.shift().reject(new Error("timeout"));
      return [log, [(await asked).error.code]];
    """)
    assert log == ["chat refused channel_not_found"]
    assert codes == ["timeout"]
