"""The accessibility checker axe-core, and what it finds on a page."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

AXE = "axe-core@4.14.1"
AXE_INTEGRITY = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)


def fetch_axe(folder: Path) -> str:
    """Its source, from the npm registry, compared with the hash noted above."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    done = subprocess.run(
        [npm, "pack", "--ignore-scripts", "--silent", AXE], cwd=folder, timeout=120, check=False
    )
    if done.returncode:
        pytest.skip("axe-core could not be fetched")
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert digest == AXE_INTEGRITY
    shutil.unpack_archive(archive, folder)
    return (folder / "package" / "axe.min.js").read_text()


_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_ABOUT_COLOUR = ["color-contrast", "link-in-text-block"]
_COLOURS_STAND = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
"""No transition from one theme to the other is under way any more."""


async def faults(page: Page, axe: str, **rules: Any) -> list[Any]:
    """Each rule that is broken, with the first three places, in the dark and in the light theme.
    `rules` change single ones of axe."""
    await page.evaluate(axe)
    await _put_on(page, "light")
    found = await _broken(page, _STANDARDS, rules)
    await _put_on(page, "dark")
    return found + await _broken(page, _ABOUT_COLOUR)  # the other rules see no theme


async def _put_on(page: Page, theme: str) -> None:
    await page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    await page.wait_for_timeout(100)
    await page.wait_for_function(_COLOURS_STAND)


async def _broken(page: Page, only: list[str], rules: dict[str, Any] | None = None) -> list[Any]:
    found: list[Any] = await page.evaluate(
        """async ([only, rules]) => (await axe.run(document, {rules, runOnly: only}))
          .violations.map(v => [document.documentElement.dataset.theme, v.id,
            v.nodes.map(n => n.html.slice(0, 160) +
              ' ' + (n.any[0]?.message ?? '')).slice(0, 3)])""",
        [only, rules or {}],
    )
    return found
