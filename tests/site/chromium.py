"""Finds a Chromium, and says how to get one where there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# No sandbox: it cannot start for root, which is who runs in a container. The rest keeps the browser off the network.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REMEDY = "no Chromium or Chrome found; install one with: python -m playwright install chromium"


def find(kind: BrowserType) -> str | None:
    """Return the path of a browser: one on PATH, one where its installer puts it, or playwright's own."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    candidates = (*PLACES, kind.executable_path)
    return next((path for path in candidates if Path(path).is_file()), None)


def required() -> bool:
    """Whether a missing browser is a failure rather than a skip."""
    return os.environ.get("REQUIRE_BROWSER") == "1"


@contextmanager
def launched() -> Iterator[Browser | None]:
    """Start a headless browser; yields None where there is none."""
    with sync_playwright() as playwright:
        path = find(playwright.chromium)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
