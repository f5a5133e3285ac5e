"""The `mediaserver` command: parse, then call. Output for people goes to stdout, errors to stderr.

Parts are imported by the command that needs them: `mediaserver version` loads none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import mediaserver
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, MediaserverError

if TYPE_CHECKING:
    from mediaserver.kernel.config import Config

T = TypeVar("T")

_DEFAULT_CONFIG = Path("config.toml")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its status: 0 done, 1 failed, 2 not understood."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except MediaserverError as error:
        sys.stderr.write(f"mediaserver: {error.message}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mediaserver", description="A self-contained live-streaming site."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = _command(commands, "serve", _serve, "run the site")
    serve.add_argument("--demo", action="store_true", help="with demo channels that are live")
    serve.add_argument("--host", help="address to listen on, for web and encoders")
    serve.add_argument("--http-port", type=_port, metavar="N", help="port for the web")
    serve.add_argument("--rtmp-port", type=_port, metavar="N", help="port for encoders")
    serve.add_argument("--storage", type=Path, metavar="DIR", help="folder for everything kept")

    user = commands.add_parser("user", help="manage users").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    create_user = _command(user, "create", _create_user, "make a user")
    create_user.add_argument("--username", required=True)
    create_user.add_argument("--email", required=True)
    create_user.add_argument("--admin", action="store_true", help="may do everything")
    create_user.add_argument(
        "--password-stdin",
        action="store_true",
        required=True,
        help="read the password from standard input, so that no list of processes shows it",
    )

    channel = commands.add_parser("channel", help="manage channels").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    create_channel = _command(channel, "create", _create_channel, "make a channel")
    create_channel.add_argument("--owner", required=True, metavar="USERNAME")
    create_channel.add_argument("--slug", required=True, help="the name in the address")
    create_channel.add_argument("--name", help="what it is called; default: the slug")

    money = commands.add_parser("money", help="manage money").add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    _command(
        money, "forget-test", _forget_test_money, "empty the books of a site that was tried out"
    )

    backup = _command(commands, "backup", _backup, "save everything into one file")
    backup.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where; default: as the settings say"
    )
    backup.add_argument(
        "--keep", type=_count, metavar="N", help="how many backups stay there, the newest"
    )

    restore = _command(commands, "restore", _restore, "put a backup in the place of the storage")
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.add_argument("--storage", type=Path, metavar="DIR", help="into this folder")
    restore.add_argument(
        "--force", action="store_true", help="also where a site is; the old one is kept"
    )

    doctor = _command(commands, "doctor", _doctor, "look whether everything is well")
    doctor.add_argument("--json", action="store_true", help="for programs")

    _command(commands, "openapi", _openapi, "print the OpenAPI document")
    _command(commands, "version", _version, "print the version")
    return parser


def _command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings; default: ./config.toml"
    )
    parser.set_defaults(command=run)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _with_storage(config: Config, path: Path | None) -> Config:
    """The settings with another storage folder, if one is given."""
    if path is None:
        return config
    return config.model_copy(update={"storage": config.storage.model_copy(update={"path": path})})


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("that is a number from 1 to 1000")
    return int(text)


def _config(options: argparse.Namespace) -> Config:
    from mediaserver.kernel.config import load_config

    path = options.config
    if path is None and _DEFAULT_CONFIG.is_file():
        path = _DEFAULT_CONFIG
    return load_config(path)


def _quiet_config(options: argparse.Namespace) -> Config:
    """The settings for a command that says by itself what there is to say."""
    from mediaserver.kernel.log import set_up_logging

    config = _config(options)
    set_up_logging("warning", config.log.format)
    return config


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where it installs."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def _allow_open_files() -> None:
    """Each viewer is an open file, and many systems begin with 1,024 for a process."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.OPEN_FILES_WANTED
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(options: argparse.Namespace) -> None:
    from mediaserver.kernel.log import set_up_logging

    _allow_open_files()
    config = _config(options)
    http, rtmp = {}, {}
    if options.host is not None:
        http["host"] = rtmp["host"] = options.host
    if options.http_port is not None:
        http["port"] = options.http_port
    if options.rtmp_port is not None:
        rtmp["port"] = options.rtmp_port
    config = config.model_copy(
        update={
            "http": config.http.model_copy(update=http),
            "rtmp": config.rtmp.model_copy(update=rtmp),
        }
    )
    config = _with_storage(config, options.storage)
    set_up_logging(config.log.level, config.log.format)
    _run(_serve_until_stopped(config, demo=options.demo))


async def _serve_until_stopped(config: Config, *, demo: bool) -> None:
    from mediaserver.server import Server

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        stopped.set()
        loop.remove_signal_handler(number)  # a second one ends the process the hard way

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop, number)
        except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt instead
            break
    async with Server(config, demo=demo) as server:
        lines = [f"{config.site.name} is running at {server.url}"]
        if server.setup_url is not None:
            lines += ["", "Set it up here (the link works once):", f"  {server.setup_url}", ""]
        lines += ["Press Ctrl-C to stop."]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _create_user(options: argparse.Namespace) -> None:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("Give the password on standard input.", field="password")
    wanted = {
        "username": options.username,
        "email": options.email,
        "password": password,
        "is_admin": options.admin,
    }
    made = _do(_quiet_config(options), "user", wanted)
    sys.stdout.write(f"User {made['username']} was made.\n")


def _create_channel(options: argparse.Namespace) -> None:
    wanted = {
        "owner": options.owner,
        "slug": options.slug,
        "name": options.name or options.slug,
    }
    made = _do(_quiet_config(options), "channel", wanted)
    sys.stdout.write(f"Channel {made['slug']} was made.\n")


def _do(config: Config, command: str, wanted: dict[str, Any]) -> dict[str, Any]:
    from mediaserver.server import run_command

    return _run(run_command(config, command, wanted))


def _forget_test_money(options: argparse.Namespace) -> None:
    from mediaserver.server import forget_test_money

    forgotten = _run(forget_test_money(_quiet_config(options)))
    sys.stdout.write(
        f"Forgotten: {forgotten.payments:,} payments, {forgotten.contributions:,} tips and "
        f"donations, {forgotten.entries:,} entries of the books. Real money can come.\n"
    )


def _backup(options: argparse.Namespace) -> None:
    from mediaserver.routes.operator_commands import back_up

    config = _quiet_config(options)
    to = options.to.absolute() if options.to is not None else None
    made = _run(back_up(config, to, options.keep))
    size = f"{made['bytes'] / limits.MIB:,.1f} MB, {made['files']:,} files"
    sys.stdout.write(f"{made['path']}\n{size}, read back and compared.\n")
    for finding in made["findings"]:
        sys.stderr.write(f"Look at this: {finding}\n")


def _restore(options: argparse.Namespace) -> None:
    from mediaserver.admin.restore import restore
    from mediaserver.kernel.clock import SystemClock

    config = _with_storage(_quiet_config(options), options.storage)
    done = _run(restore(config, SystemClock(), options.file, force=options.force))
    sys.stdout.write(f"Restored {len(done.manifest.files):,} files into {done.storage}\n")
    if done.kept is not None:
        sys.stdout.write(f"What was there before is kept in {done.kept}\n")
    for finding in done.manifest.findings:
        sys.stderr.write(f"Look at this: {finding}\n")


def _doctor(options: argparse.Namespace) -> None:
    from mediaserver.routes.operator_commands import examine

    findings = _run(examine(_quiet_config(options)))
    if options.json:
        json.dump(findings, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{finding['result']:4}  {finding['title']}: {finding['meaning']}\n")
            if finding["advice"]:
                sys.stdout.write(f"      → {finding['advice']}\n")
    if any(finding["result"] == "bad" for finding in findings):
        sys.exit(1)


def _openapi(options: argparse.Namespace) -> None:
    from mediaserver.routes.api.openapi import document
    from mediaserver.routes.app import OPERATIONS

    json.dump(document(OPERATIONS, _config(options).site.name), sys.stdout, indent=2)
    sys.stdout.write("\n")


def _version(options: argparse.Namespace) -> None:
    sys.stdout.write(f"mediaserver {mediaserver.__version__}\n")
