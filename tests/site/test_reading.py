"""What a reader does on a page: search, copy, turn the page, unfold a solution - with the keyboard, without scripts."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import building
import chromium
import pytest
import serving
import specimen
import visiting
from PIL import Image
from playwright.sync_api import Browser, Page, expect

SPECIMEN = f"book/{specimen.NAME}.html"


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    """A fresh window of the width of a phone."""
    width, height = visiting.NARROW
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        context.set_default_timeout(10_000)
        yield context.new_page()


def press_until(page: Page, key: str, selector: str, presses: int) -> None:
    """Press a key until the element has the focus."""
    for _ in range(presses):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{presses} times {key} did not reach {selector}")


def test_search_opens_by_keyboard_and_finds_the_page(page: Page, address: str) -> None:
    page.goto(f"{address}book/index.html")
    page.keyboard.press("Control+k")
    box = page.locator("#pst-search-dialog input[type=search]")
    expect(box).to_be_focused()
    box.fill(specimen.WORD)
    box.press("Enter")
    expect(page.locator("#search-results a", has_text="Specimen").first).to_be_visible()


def test_first_tab_offers_to_skip_to_the_text(page: Page, address: str) -> None:
    page.goto(f"{address}{SPECIMEN}")
    page.keyboard.press("Tab")
    expect(page.locator("#pst-skip-link a")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main-content")


def test_contents_are_reached_by_keyboard(page: Page, address: str) -> None:
    page.goto(f"{address}book/index.html")
    press_until(page, "Tab", ".bd-sidebar-primary a[href*=before_you_start]", presses=15)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus cannot be seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/before_you_start.html")


def test_contents_open_by_keyboard_on_a_phone(narrow: Page, address: str) -> None:
    narrow.goto(f"{address}{SPECIMEN}")
    link = narrow.locator("a[href*=before_you_start].internal:not(.bd-article a)").first
    expect(link).not_to_be_visible()
    press_until(narrow, "Tab", ".primary-toggle", presses=6)
    narrow.keyboard.press("Enter")
    expect(link).to_be_visible()


def test_copy_button_copies_the_cell(page: Page, address: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{address}{SPECIMEN}")
    cell = page.locator(".cell", has_text="print('long ' * 60)").first
    cell.hover()
    cell.locator("button.copybtn").first.click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).trim() === \"print('long ' * 60)\"")


def test_pages_are_turned_in_the_order_of_the_contents(page: Page, address: str) -> None:
    page.goto(f"{address}{building.PAGES[0]}.html")
    for name in building.PAGES[1:]:
        page.locator("a.right-next").click()
        page.wait_for_url(f"**/{name}.html")
    page.locator("a.left-prev").click()
    page.wait_for_url(f"**/{building.PAGES[-2]}.html")


def test_folded_solution_opens_by_keyboard(page: Page, address: str) -> None:
    page.goto(f"{address}{SPECIMEN}")
    solution = page.locator(".tag_exercise-solution")
    expect(solution.locator("summary")).to_have_text("Solution", use_inner_text=True)
    expect(solution.locator("pre").first).not_to_be_visible()
    solution.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(solution.locator("pre").first).to_contain_text("softmax(-1)")
    expect(solution.locator("pre").first).to_be_visible()


def test_plot_follows_light_and_dark(page: Page, address: str) -> None:
    page.goto(f"{address}{SPECIMEN}")
    background = "getComputedStyle(document.querySelector('figure.plot svg path')).fill"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert light == "rgb(255, 255, 255)" != page.evaluate(background)


def test_formulas_are_drawn(page: Page, address: str) -> None:
    page.goto(f"{address}{SPECIMEN}")
    page.evaluate(visiting.SETTLED)
    assert page.locator(".maths").count() == page.locator(".maths mjx-container").count() > 5
    assert page.locator("mjx-merror").count() == 0


def test_icons_come_from_the_small_font(page: Page, address: str) -> None:
    fonts: list[str] = []
    page.on("request", lambda request: fonts.append(request.url) if request.resource_type == "font" else None)
    page.goto(f"{address}book/references.html")
    page.evaluate(visiting.SETTLED)
    assert fonts
    assert [url for url in fonts if "_static/icons-" not in url] == []


@pytest.mark.parametrize("path", ["nowhere", "book/deep/er/nowhere.html"])
def test_page_not_found_is_whole_at_any_depth(page: Page, address: str, path: str) -> None:
    missing: list[str] = []
    url = f"{address}{path}"
    page.on("response", lambda r: missing.append(r.url) if r.status >= 400 and r.url != url else None)
    response = page.goto(url)
    assert response is not None
    assert response.status == 404
    assert missing == []
    expect(page.locator("h1").last).to_have_text("Page not found")
    page.locator(".bd-sidebar-primary a", has_text="Before you start").click()
    page.wait_for_url("**/book/before_you_start.html")


def test_search_works_from_page_not_found(page: Page, address: str) -> None:
    page.goto(f"{address}deep/er/nowhere")
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input[type=search]").fill(specimen.WORD)
    page.keyboard.press("Enter")
    expect(page.locator("#search-results a", has_text="Specimen").first).to_be_visible()


def test_without_scripts_text_formulas_and_figures_are_there(browser: Browser, address: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{SPECIMEN}")
        formula = page.locator("span.math").first
        expect(formula).to_have_text(r"\(\sqrt{d_k}\)")
        assert formula.evaluate("node => getComputedStyle(node).color") != "rgba(0, 0, 0, 0)"
        figure = page.get_by_role("img", name=specimen.ALTERNATIVE).first
        box = figure.bounding_box()
        assert box is not None
        assert box["height"] > 100
        expect(page.locator("pre", has_text="long long").last).to_be_visible()


# Parts of a browser that may be missing -----------------------------------------------------------------------------

BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {
  configurable: true, get() { throw new DOMException("Access is denied for this document.", "SecurityError") } })"""
ABSENT = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { configurable: true, get: () => null })"""
FULL = """Storage.prototype.setItem = () => {
  throw new DOMException("The quota has been exceeded.", "QuotaExceededError") }"""


@pytest.fixture
def errors(page: Page) -> list[str]:
    """What the page's scripts throw."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


@pytest.mark.parametrize("site_data", [BLOCKED, ABSENT, FULL], ids=["blocked", "absent", "full"])
def test_theme_and_search_work_without_site_data(page: Page, address: str, site_data: str, errors: list[str]) -> None:
    page.add_init_script(site_data)
    page.goto(f"{address}{SPECIMEN}")
    themes_and_search(page)
    assert errors == []


def test_theme_and_search_work_where_the_browser_blocks_site_data(browser: Browser, html: Path, tmp_path: Path) -> None:
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text('{"profile": {"default_content_setting_values": {"cookies": 2}}}', encoding="utf-8")
    found: list[str] = []
    with (
        serving.serve(html, building.PREFIX) as url,
        browser.browser_type.launch_persistent_context(
            tmp_path, executable_path=chromium.find(browser.browser_type), args=chromium.ARGUMENTS
        ) as context,
    ):
        page = context.new_page()
        page.on("pageerror", lambda error: found.append(str(error)))
        page.goto(f"{url}{SPECIMEN}")
        assert page.evaluate("'value' in Object.getOwnPropertyDescriptor(window, 'localStorage')"), "it was not blocked"
        themes_and_search(page)
    assert found == []


def themes_and_search(page: Page) -> None:
    """Go through the themes by the button, and search for a word."""
    seen = []
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(seen) == ["auto", "dark", "light"]
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog input[type=search]").fill(specimen.WORD)
    page.keyboard.press("Enter")
    expect(page.locator("#search-results a", has_text="Specimen").first).to_be_visible()


# Names that every object of JavaScript answers to: some in the form in which the search looks them up.
WORDS_OF_OBJECTS = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "length", "__defineGetter__"]


@pytest.mark.parametrize("word", [*WORDS_OF_OBJECTS, f"constructor {specimen.WORD}", f"__proto__ {specimen.WORD}"])
def test_search_for_a_word_that_objects_answer_to(page: Page, address: str, word: str, errors: list[str]) -> None:
    page.goto(f"{address}search.html?{urlencode({'q': word})}")
    answer = re.compile("found [1-9][0-9]* page|did not match any")
    expect(page.locator("#search-results .search-summary")).to_have_text(answer)
    assert errors == []
    page.goto(f"{address}search.html?q={specimen.WORD}")
    expect(page.locator("#search-results a", has_text="Specimen").first).to_be_visible()


@pytest.mark.parametrize("width", [1280, 375])
def test_icon_of_the_search_is_beside_what_is_typed(browser: Browser, address: str, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{address}search.html?q={specimen.WORD}")
        form = page.locator(".bd-search-container form.bd-search")
        boxes = form.evaluate("""form => [form.querySelector("i").getBoundingClientRect().right,
            form.querySelector("input").getBoundingClientRect().left]""")
        assert boxes[0] <= boxes[1]


def test_what_is_cut_at_the_edge_of_a_phone_says_that_it_goes_on(narrow: Page, address: str) -> None:
    narrow.goto(f"{address}{SPECIMEN}")
    narrow.evaluate(visiting.SETTLED)
    scrolling = """() => [...document.querySelectorAll(".bd-article *")]
      .filter(node => node.scrollWidth > node.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(node).overflowX))
      .map(node => [node.outerHTML.slice(0, 60), getComputedStyle(node).backgroundAttachment])"""
    boxes = narrow.evaluate(scrolling)
    assert len(boxes) >= 3  # what a cell prints, and tables of either kind
    assert {how for _, how in boxes} == {"local, local, scroll, scroll"}, boxes
    edge = shade_at_the_edges(narrow)
    assert edge["right"] > 10 > edge["left"], "the shadow lies where more is to be seen"
    narrow.locator(".cell_output pre", has_text="long long").evaluate("node => (node.scrollLeft = node.scrollWidth)")
    edge = shade_at_the_edges(narrow)
    assert edge["left"] > 10 > edge["right"]


def shade_at_the_edges(page: Page) -> dict[str, int]:
    """How far the outermost pixels of a printed line that scrolls are from the page's colour, above its letters."""
    box = page.locator(".cell_output pre", has_text="long long").first
    picture = Image.open(io.BytesIO(box.screenshot())).convert("L")
    paper = picture.getpixel((picture.width // 2, 2))
    found = {"left": picture.getpixel((3, 2)), "right": picture.getpixel((picture.width - 4, 2))}
    return {side: abs(int(shade) - int(paper)) for side, shade in found.items()}  # type: ignore[arg-type,call-overload]
