"""What a reader does on a page: search, copy, turn the page, unfold a solution - with the keyboard, without scripts."""

from collections.abc import Iterator

import building
import pytest
import specimen
import visiting
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
