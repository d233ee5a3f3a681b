"""What a browser sees on a page: one visit gathers all that the tests then ask about."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

WIDE, NARROW = (1280, 900), (375, 800)
# An audit of a long page takes half a minute, most of it for the colours of highlighted code, which come from one style
# sheet. So every page is audited light and wide without its code; these few whole, in each theme and at each width.
AUDITED_WHOLE = {"book/index", "book/12_linear_and_softmax", "book/specimen", "404", "search"}
SHIFTS = """
window.layoutShift = 0
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.layoutShift += entry.value
}).observe({type: "layout-shift", buffered: true})
"""
SETTLED = """async () => {
  if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise
  await document.fonts.ready
  while (!document.documentElement.classList.contains("formulas-drawn")) await new Promise(done => setTimeout(done, 20))
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))
}"""


@dataclass
class Visit:
    """What went wrong, and what was measured, while a page was loaded and looked at."""

    console: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)  # compressed bytes of each response of the first load
    shift: dict[str, float] = field(default_factory=dict)
    overflow: dict[str, int] = field(default_factory=dict)  # how far the page can be scrolled sideways, in px
    violations: dict[str, list[str]] = field(default_factory=dict)
    themes: dict[str, str] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """Compressed bytes of the first load."""
        return sum(self.sizes.values())

    def listen(self, page: Page, host: str) -> None:
        """Note what the page reports from now on."""
        page.on("console", lambda message: self.note_console(message.type, message.text))
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        page.on("requestfailed", lambda request: self.failed.append(f"{request.url}: {request.failure}"))
        page.on("request", lambda request: self.note_request(request.url, host))
        page.on("response", lambda response: self.note_response(response.status, response.url))

    def note_console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.console.append(f"{kind}: {text}")

    def note_request(self, url: str, host: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != host:
            self.foreign.append(url)

    def note_response(self, status: int, url: str) -> None:
        if status >= 400:
            self.failed.append(f"{status} {url}")


def visit(browser: Browser, url: str, *, whole: bool) -> Visit:
    """Load a page wide and narrow, in light and in dark, and gather what the tests ask about."""
    seen = Visit()
    for name, (width, height) in {"wide": WIDE, "narrow": NARROW}.items():
        with browser.new_context(viewport={"width": width, "height": height}, color_scheme="light") as context:
            page = context.new_page()
            page.add_init_script(SHIFTS)
            seen.listen(page, urlsplit(url).netloc)
            finished: list[tuple[str, int]] = []
            page.on("requestfinished", lambda request, to=finished: to.append((request.url, transferred(request))))
            page.goto(url, wait_until="load")
            page.evaluate(SETTLED)
            seen.shift[name] = page.evaluate("window.layoutShift")
            if name == "wide":
                seen.sizes = dict(finished)
            for scheme in ("light", "dark"):
                look(seen, page, scheme, name)
                if whole or (scheme, name) == ("light", "wide"):
                    seen.violations[f"{scheme}, {name}"] = audit(page, code=whole)
    return seen


def transferred(request: object) -> int:
    """Bytes of a response as they crossed the line: its headers and its compressed body."""
    sizes = request.sizes()  # type: ignore[attr-defined]
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def look(seen: Visit, page: Page, scheme: str, name: str) -> None:
    """Switch to a colour scheme and measure the page in it."""
    where = f"{scheme}, {name}"
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    seen.themes[where] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    seen.overflow[where] = page.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )


def audit(page: Page, *, code: bool) -> list[str]:
    """Return what axe finds in the article, with or without its blocks of code."""
    # The theme's frame around the article has findings of its own; the search page has no article.
    part = ".bd-article" if page.locator(".bd-article").count() else "main"
    context = {"include": [[part]], "exclude": [] if code else [["pre"]]}
    # axe's own fetching of style sheets resolves an @import against the page and so asks for files that are not there.
    result = Axe().run(page, context=context, options={"resultTypes": ["violations"], "preload": False}).response
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
