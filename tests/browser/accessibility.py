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


async def faults(page: Page, axe: str, **rules: Any) -> list[Any]:
    """Each rule that is broken, with the first three places. `rules` change single ones of axe."""
    await page.evaluate(axe)
    found: list[Any] = await page.evaluate(
        """async (rules) => (await axe.run(document, {
          rules,
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        })).violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 160) +
          ' ' + (n.any[0]?.message ?? '')).slice(0, 3)])""",
        rules,
    )
    return found
