"""Lines as they are written: nothing in them acts on the terminal of who reads them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from mediaserver.kernel.log import LogFormat, set_up_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def written(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> str:
    set_up_logging("info", log_format)
    structlog.get_logger("test").info("publish opened", encoder="\x1b[2J\x9b1mOBS", path="/a\nb é")
    logging.getLogger("library").warning("said \x1b]0;x\x07")
    return capsys.readouterr().err


def test_text_escapes_what_would_control_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = written("text", capsys)
    assert r"encoder=\x1b[2J\x9b1mOBS" in text
    assert r"/a\nb é" in text
    assert r"said \x1b]0;x\x07" in text
    assert not {"\x1b", "\x9b", "\x07"} & set(text)
    assert len(text.splitlines()) == 2


def test_json_keeps_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (json.loads(line) for line in written("json", capsys).splitlines())
    assert first["encoder"] == "\x1b[2J\x9b1mOBS"
    assert second["event"] == "said \x1b]0;x\x07"
    assert (second["level"], second["logger"]) == ("warning", "library")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_crash_is_written_without_its_variables(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("info", log_format)
    secret = "-".join(("live", "key"))
    try:
        raise KeyError(len(secret))
    except KeyError:
        structlog.get_logger("test").exception("task crashed")
    text = capsys.readouterr().err
    assert "KeyError: 8" in text
    assert secret not in text
