"""config.toml is the manual: every key, its default and its sentence, as config.py has them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mediaserver.kernel.config import Config, load_config
from mediaserver.kernel.errors import Invalid

MANUAL = Path(__file__).parents[3] / "config.toml"


def _entries() -> dict[str, tuple[str, object]]:
    """section.key → (sentence, default) as the file shows them."""
    entries: dict[str, tuple[str, object]] = {}
    section, sentence = "", []
    for line in MANUAL.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section, sentence = match[1], []
        elif match := re.fullmatch(r"#(\w+) = (.+)", line):
            value = tomllib.loads(f"x = {match[2]}")["x"]
            entries[f"{section}.{match[1]}"] = (" ".join(sentence), value)
            sentence = []
        elif line.startswith("# "):
            sentence.append(line[2:])
        elif not line:
            sentence = []
    return entries


def test_every_key_with_its_default_and_sentence() -> None:
    declared = {}
    for section, table in Config.model_fields.items():
        assert table.annotation is not None
        for key, field in table.annotation.model_fields.items():
            default = field.default
            if isinstance(default, tuple):
                default = list(default)
            elif isinstance(default, Path):
                default = str(default)
            declared[f"{section}.{key}"] = (field.description, default)
    assert _entries() == declared
    assert list(_entries()) == list(declared), "the order differs"


def test_the_file_as_it_is_changes_nothing() -> None:
    assert load_config(MANUAL, {}) == Config()


def test_the_file_with_every_key_uncommented_changes_nothing(tmp_path: Path) -> None:
    everything = tmp_path / "config.toml"
    everything.write_text(re.sub(r"(?m)^#(\w+ = )", r"\1", MANUAL.read_text()))
    assert load_config(everything, {}) == Config()


def test_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[http]\nport = 1000\n")
    environment = {
        "MEDIASERVER_HTTP__PORT": "2000",
        "MEDIASERVER_METRICS__ALLOW": "10.0.0.1,10.0.0.2",
        "PATH": "/bin",
    }
    config = load_config(file, environment)
    assert config.http.port == 2000
    assert config.metrics.allow == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[http]\nprot = 1\n", r"http\.prot"),
        ("[http]\nport = 70000\n", r"http\.port"),
        ("[nonsense]\nx = 1\n", "nonsense"),
        ("[site]\npublic_url = 'example.org'\n", r"site\.public_url"),
        ("[http\n", "config"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(Invalid, match=named):
        load_config(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"nothing\.toml"):
        load_config(tmp_path / "nothing.toml", {})


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbf[site]\nname = "Lantern"\n')
    assert load_config(path, {}).site.name == "Lantern"


def test_another_encoding_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes('[site]\nname = "Café"\n'.encode("latin-1"))
    with pytest.raises(Invalid, match="saved as UTF-8"):
        load_config(path, {})
