"""Figures that move, on the built pages in a real browser: mouse, keyboard, and the numbers that PyTorch computes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import serving
import torch
import visiting
from building import PAGES as DOCUMENTS
from building import PREFIX
from live_figures import PAGES, TOLERANCE, difference, numbers, opened, stored
from playwright.sync_api import Browser, Locator, Page, Route, expect
from torch import Tensor

from blockbyblock import load_pretrained
from blockbyblock.figures.palette import PALETTE
from blockbyblock.live import AttentionFigure, MasksFigure, NextTokenFigure, PositionsFigure, SplitConcatFigure
from blockbyblock.live.figure import palette_css
from blockbyblock.live.modules import joined, module_names
from blockbyblock.live.next_token import ROWS
from book_site.live import used
from book_site.outputs import page_html

every_figure = pytest.mark.parametrize("tag", PAGES)
Record = Callable[[str, object], None]


def record(property: Record, name: str, found: float, tolerance: float = TOLERANCE) -> None:
    """Have the report print how far the browser is from PyTorch."""
    property("parity", (f"figure that moves: {name}", "float64" if tolerance == TOLERANCE else "float32", found))
    assert found <= tolerance


# The room -----------------------------------------------------------------------------------------------------------


def modules(html: Path, name: str) -> list[str]:
    markup = (html / f"{name}.html").read_text(encoding="utf-8")
    return [module for module in module_names() if f"_static/live/{module}.js?v=" in markup]


def test_a_page_loads_the_modules_of_its_figures_and_no_others(html: Path) -> None:
    for name in DOCUMENTS:
        body = (html / f"{name}.html").read_text(encoding="utf-8")
        assert modules(html, name) == used(body), name
    for tag, name in PAGES.items():
        assert tag.removeprefix("bbb-").replace("-", "_") in modules(html, name)


def test_a_table_inside_a_figure_stays_inside() -> None:
    markup = "<bbb-x><table></table></bbb-x>"
    assert page_html(markup) == markup


@every_figure
@pytest.mark.parametrize("width", [1280, 375])
def test_the_text_below_stays_where_it_is_when_the_module_starts(
    browser: Browser, address: str, tag: str, width: int
) -> None:
    heights = []
    for blocked in (True, False):
        with browser.new_context(viewport={"width": width, "height": 800}) as context:
            page = context.new_page()
            if blocked:  # never answered: the page as it stands before the module is there
                page.route("**/_static/live/*", lambda route: None)
                page.goto(f"{address}{PAGES[tag]}.html", wait_until="commit")
                page.locator(tag).wait_for()
                page.wait_for_function("document.readyState === 'interactive'")
            else:
                opened(page, address, tag)
            box = page.locator(tag).bounding_box()
            assert box is not None
            heights.append(box["height"])
    assert heights[0] == heights[1]


@every_figure
@pytest.mark.parametrize("width", [1280, 768, 375])
def test_a_figure_fills_its_room_and_no_more(browser: Browser, address: str, tag: str, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        figure = opened(context.new_page(), address, tag)
        bottom = """host => Math.max(...[...host.shadowRoot.children].filter(node => !node.matches("style, .unseen"))
            .map(node => node.getBoundingClientRect().bottom)) - host.getBoundingClientRect().top"""
        box = figure.bounding_box()
        assert box is not None
        assert figure.evaluate(bottom) <= box["height"]
        if width != 768:  # between the two widths that the room is measured at there may be more of it
            assert box["height"] < figure.evaluate(bottom) + 60


@every_figure
def test_without_scripts_a_table_and_how_to_see_it_move(browser: Browser, address: str, tag: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}{PAGES[tag]}.html")
        stands_still(page, tag)


@every_figure
def test_on_a_page_opened_as_a_file_too(browser: Browser, html: Path, tag: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((html / f"{PAGES[tag]}.html").as_uri())
        expect(page.locator(f"{tag} .why").first).to_contain_text("The page was opened as a file")
        stands_still(page, tag)


@every_figure
def test_a_server_that_knows_common_types_only_moves_it(browser: Browser, html: Path, tag: str) -> None:
    with browser.new_context() as context, serving.serve(html, PREFIX, serving.COMMON) as url:
        page = context.new_page()
        figure = opened(page, url, tag)
        expect(figure.locator(".why")).to_have_count(0)
        if tag == "bbb-translator":  # its worker is the same module, asked for once more
            figure.get_by_role("button", name="Load the model").click()
            expect(figure.locator("[aria-busy=false]")).to_be_attached()
            expect(figure.get_by_role("alert")).to_be_empty()


def answer(**response: object) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**response)  # type: ignore[arg-type]


REASONS = {
    "server sends its module as application/octet-stream": answer(content_type="application/octet-stream", body="1"),
    "server sends its module as text/plain": answer(content_type="text/plain", body="1"),
    "server answers 404 for its module": answer(status=404, content_type="text/html", body="no"),
    "its module could not be fetched": lambda route: route.abort(),
    "this browser cannot read its module, and may be too old": answer(content_type="text/javascript", body="let let"),
    "it stopped with an error. (Uncaught Error: odd)": answer(
        content_type="text/javascript", body="throw new Error('odd')"
    ),
}


@pytest.mark.parametrize("words", REASONS)
def test_a_module_that_does_not_run_is_said_with_its_reason(page: Page, address: str, words: str) -> None:
    page.route("**/_static/live/masks.js*", REASONS[words])
    page.goto(f"{address}{PAGES['bbb-masks']}.html")
    figure = page.locator("bbb-masks")
    expect(figure.locator(".why")).to_contain_text(words)
    expect(figure.locator(".why")).to_be_visible()
    expect(figure.locator("table")).to_be_visible()
    assert figure.evaluate("node => node.scrollHeight <= node.clientHeight + 1"), (
        "cut at the height of the one that moves"
    )


@pytest.mark.parametrize(
    "lacking", ["delete window.customElements", "delete window.fetch", "delete HTMLScriptElement.prototype.noModule"]
)
def test_a_browser_that_is_too_old_is_told(page: Page, address: str, lacking: str) -> None:
    page.add_init_script(lacking)
    page.route("**/_static/live/*", answer(content_type="text/javascript", body=""))  # it would not ask for a module
    page.goto(f"{address}{PAGES['bbb-masks']}.html", wait_until="commit")
    expect(page.locator("bbb-masks .why")).to_have_text("The figure stands still: this browser is too old for it.")


def test_a_figure_that_fails_to_start_leaves_what_stands_in_for_it(page: Page, address: str) -> None:
    def broken(route: Route) -> None:
        before, tag, after = route.fetch().text().partition("<bbb-masks")
        after = after.replace('<script type="application/json">{', '<script type="application/json">', 1)
        route.fulfill(body=before + tag + after)

    page.route("**/09_masking.html", broken)
    page.goto(f"{address}{PAGES['bbb-masks']}.html")
    expect(page.locator("bbb-masks .why")).to_contain_text("it stopped with an error. (Uncaught SyntaxError")
    expect(page.locator("bbb-masks table")).to_be_visible()


@every_figure
def test_no_two_labels_of_a_drawing_touch(browser: Browser, address: str, tag: str) -> None:
    with browser.new_context(viewport={"width": 375, "height": 800}) as context:
        figure = opened(context.new_page(), address, tag)
        for values in LABELS.get(tag, [{}]):
            for name, value in values.items():
                figure.get_by_role("slider", name=name).fill(value)
            assert figure.evaluate(TOUCHING) == [], values


LABELS = {
    "bbb-positions": [
        {"position p": position, "offset k": offset, "pair of entries": pair}
        for position in ("0", "20", "47")
        for offset in ("0", "1", "4", "24")
        for pair in ("0", "2", "9", "12", "15")
    ]
}
# Pairs of labels of one drawing whose boxes meet by more than a px; what is turned on its side has a box of its own.
TOUCHING = """host => [...host.shadowRoot.querySelectorAll("svg")].flatMap(drawing => {
  const boxes = [...drawing.querySelectorAll("text")].filter(text => text.textContent.trim() && text.checkVisibility({
    visibilityProperty: true })).map(text => [text.textContent, text.getBoundingClientRect()])
  return boxes.flatMap(([words, a], index) => boxes.slice(index + 1).filter(([_, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2
  ).map(([others]) => `${words} on ${others}`))
})"""


def test_the_words_above_the_columns_are_whole_or_say_that_they_are_not(page: Page, address: str) -> None:
    figure = opened(page, address, "bbb-masks")
    figure.get_by_label("sentence").fill("The black cat sleeps because Donaudampfschifffahrt")
    heads = figure.locator("thead th[scope=col][title]")
    cut = "nodes => nodes.map(node => node.firstChild).filter(node => node.scrollHeight > node.clientHeight)"
    found = f"({cut})(nodes).map(node => [node.textContent, getComputedStyle(node).textOverflow])"
    assert heads.evaluate_all(f"nodes => {found}") == [["Donaudampfschifffahrt", "ellipsis"]]
    expect(heads.nth(5)).to_have_attribute("title", "Donaudampfschifffahrt")


@pytest.mark.parametrize(
    "theme, dark",
    [
        ("vscode-light", False),
        ("vscode-dark", True),
        ("vscode-high-contrast", True),
        ("vscode-high-contrast vscode-high-contrast-light", False),
        ("vscode-high-contrast-light vscode-high-contrast", False),
    ],
)
def test_colours_follow_the_theme_of_the_editor(page: Page, theme: str, dark: bool) -> None:
    page.set_content(f'<style>{palette_css()}</style><body class="{theme}"><div class="bbb-live">x</div></body>')
    paper = page.locator(".bbb-live").evaluate("node => getComputedStyle(node).getPropertyValue('--bbb-paper')")
    assert paper == (PALETTE["paper"].dark if dark else PALETTE["paper"].light)


def stands_still(page: Page, tag: str) -> None:
    figure = page.locator(tag)
    expect(figure.locator("table").first).to_be_visible()
    expect(figure.locator("code", has_text="make serve")).to_be_visible()
    assert "a server" not in figure.locator("small").last.inner_text()  # which it has, without JavaScript
    below = figure.bounding_box()["height"] - figure.locator("p").last.bounding_box()["height"]  # type: ignore[index]
    tables = figure.locator("> *").evaluate_all("nodes => nodes.map(node => node.getBoundingClientRect().height)")
    assert below < sum(tables) + 150, "room is kept for a figure that will not move"


@every_figure
def test_every_control_is_reached_by_tab_and_shows_its_focus(page: Page, address: str, tag: str) -> None:
    figure = opened(page, address, tag)
    controls = "button:not([disabled], [tabindex='-1']), input, textarea, select, [tabindex='0']"
    names = figure.locator(controls).evaluate_all(
        # of radio buttons that belong together, Tab reaches one; of what is hidden until later, none
        """nodes => new Set(nodes.filter(node => node.checkVisibility())
            .map((node, index) => node.type === 'radio' ? node.name : index)).size"""
    )
    figure.evaluate("host => { host.tabIndex = -1; host.focus() }")
    reached = 0
    while True:
        page.keyboard.press("Tab")
        inside = figure.evaluate("host => host.shadowRoot.activeElement !== null")
        if not inside:
            break
        reached += 1
        assert figure.evaluate(
            """host => { const node = host.shadowRoot.activeElement
            return getComputedStyle(node.querySelector(".reach") ?? node).outlineStyle === "solid"
              || getComputedStyle(node.querySelector(".reach") ?? node).stroke !== "none" }"""
        )
    assert reached == names > 0


# Attention, one query at a time -------------------------------------------------------------------------------------


def attention() -> AttentionFigure:
    """The figure of chapter 02, in Python."""
    key = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    value = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    return AttentionFigure(
        ["The", "cat", "sat", "on", "the", "mat"],
        torch.tensor([1.0, 2.0]),
        key,
        value,
        asking="sat",
        axes=("noun", "living"),
        features=("animal", "place"),
    )


def attended(figure: AttentionFigure) -> Tensor:
    """The numbers in the order in which the page shows them."""
    found = figure.attended()
    rows = torch.stack((found.scores, found.scaled, found.weights), dim=1).flatten()
    most = torch.tensor([len(figure.tokens)]).double().log()
    return torch.cat((rows, found.output, found.entropy[None], most))


@pytest.mark.parametrize("d_k, scaled", [(2, True), (2, False), (64, True), (64, False)])
def test_attention_equals_pytorch(page: Page, address: str, d_k: int, scaled: bool, record_property: Record) -> None:
    figure, expected = opened(page, address, "bbb-attention"), attention()
    assert stored(figure) == expected.state()
    figure.get_by_role("slider", name="d_k").fill(str(d_k.bit_length() - 2))
    figure.get_by_label("divide by").set_checked(scaled)
    expected.d_k, expected.scaled = d_k, scaled
    record(record_property, "attention", difference(numbers(figure), attended(expected)))


def test_the_query_follows_the_mouse(page: Page, address: str, record_property: Record) -> None:
    figure, expected = opened(page, address, "bbb-attention"), attention()
    handle = figure.get_by_role("slider", name="query of sat")
    figure.evaluate("host => host.scrollIntoView({block: 'center'})")
    plane = figure.get_by_role("group", name="query of sat").bounding_box()
    assert plane is not None
    handle.hover()
    page.mouse.down()
    unit = plane["width"] / 180 * 28  # px of one unit of the plane
    page.mouse.move(plane["x"] + plane["width"] / 2 - 1.5 * unit, plane["y"] + plane["height"] / 2 + unit, steps=5)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuetext", "noun −1.5, living −1.0")
    expected.query = [-1.5, -1.0]
    record(record_property, "attention", difference(numbers(figure), attended(expected)))


def test_the_query_follows_a_finger_and_the_page_stays(browser: Browser, address: str) -> None:
    width, height = visiting.NARROW
    with browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        figure = opened(page, address, "bbb-attention")
        figure.evaluate("host => host.scrollIntoView({block: 'center'})")
        handle = figure.get_by_role("slider", name="query of sat")
        box, top = handle.bounding_box(), page.evaluate("scrollY")
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch = context.new_cdp_session(page)
        for kind, up in (("touchStart", 0), ("touchMove", 15), ("touchMove", 30), ("touchEnd", None)):
            points = [] if up is None else [{"x": x, "y": y + up}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        unit = figure.get_by_role("group", name="query of sat").bounding_box()["width"] / 180 * 28  # type: ignore[index]
        expect(handle).to_have_attribute("aria-valuetext", f"noun 1.0, living {2 - 30 / unit:.1f}")
        assert page.evaluate("scrollY") == top


def test_the_query_follows_the_arrow_keys_and_stays_in_its_plane(page: Page, address: str) -> None:
    figure, expected = opened(page, address, "bbb-attention"), attention()
    handle = figure.get_by_role("slider", name="query of sat")
    handle.focus()
    top = page.evaluate("scrollY")
    for key in ("ArrowLeft", "Shift+ArrowRight", *["Shift+ArrowUp"] * 4, *["ArrowDown"] * 3):
        handle.press(key)
    expected.query = [1.4, 2.7]
    expect(handle).to_have_attribute("aria-valuetext", "noun 1.4, living 2.7")
    assert difference(numbers(figure), attended(expected)) <= TOLERANCE
    page.wait_for_timeout(500)  # a scroll by key takes its time
    assert page.evaluate("scrollY") == top, "the arrow keys scrolled the page"


def test_a_drag_is_announced_once_it_rests(page: Page, address: str) -> None:
    figure = opened(page, address, "bbb-attention")
    status = figure.get_by_role("status")
    expect(status).to_have_text("")
    said = "host => { window.said = []; const node = host.shadowRoot.querySelector('[role=status]');"
    # One call tells of all that was written in one go: it is the records that count what was said.
    said += "new MutationObserver(records => said.push(...records)).observe(node, {childList: true}) }"
    figure.evaluate(said)
    figure.get_by_role("slider", name="query of sat").evaluate(  # in one go, so that no pause lies between two of them
        """node => { for (let step = 0; step < 8; step += 1)
            node.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true, cancelable: true})) }"""
    )
    expect(status).to_have_text("Largest weight: cat, 0.44. Entropy 1.56.")
    assert page.evaluate("said.length") == 1


# Masks --------------------------------------------------------------------------------------------------------------

SENTENCE = "The cat sat on the mat"


def weights(figure: MasksFigure) -> Tensor:
    return figure.masked().weights.flatten()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("infinite", [True, False])
def test_masks_equal_pytorch(
    page: Page, address: str, side: str, causal: bool, infinite: bool, record_property: Record
) -> None:
    figure, expected = opened(page, address, "bbb-masks"), MasksFigure(SENTENCE, 2)
    assert stored(figure) == expected.state()
    figure.get_by_label(side).check()
    figure.get_by_label("causal mask").set_checked(causal)
    figure.get_by_label("for hidden scores").set_checked(infinite)
    expected.side, expected.causal, expected.infinite = side, causal, infinite
    record(record_property, "masks", difference(numbers(figure), weights(expected)))
    spoilt = expected.masked().layers[1:].isnan().any(-1).sum(-1).tolist()
    assert (spoilt == [2, 8]) == (side == "left" and causal and infinite)
    expect(figure.locator("p.result").last).to_have_text(
        f"Outputs that are NaN: after one layer {spoilt[0]} of 8, after two {spoilt[1]}."
    )


def test_a_single_cell_is_hidden_by_a_click_and_heard_of_in_layer_two(page: Page, address: str) -> None:
    figure, expected = opened(page, address, "bbb-masks"), MasksFigure(SENTENCE, 2)
    figure.get_by_role("button", name="mat looks at cat").click()
    expected.flipped = [[5, 1]]
    assert difference(numbers(figure), weights(expected)) <= TOLERANCE
    cell = figure.get_by_role("button", name="mat looks at cat: hidden, heard of through two layers")
    expect(cell).to_have_text("2")
    expect(cell).to_have_attribute("aria-pressed", "false")
    expect(figure.locator("p.result").first).to_have_text(
        "Row 6, mat, looks at: The, sat, on, the, mat. Through a second layer it also hears of: cat."
    )
    figure.get_by_role("button", name="undo single cells").click()
    expected.flipped = []
    assert difference(numbers(figure), weights(expected)) <= TOLERANCE


def test_cells_are_reached_and_clicked_by_keyboard(page: Page, address: str) -> None:
    figure, expected = opened(page, address, "bbb-masks"), MasksFigure(SENTENCE, 2)
    stops = figure.locator("td button[tabindex='0']")
    expect(stops).to_have_count(1)  # the whole table is one stop of the Tab key
    stops.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "Space"):
        page.keyboard.press(key)
    expected.flipped = [[1, 1]]
    assert difference(numbers(figure), weights(expected)) <= TOLERANCE
    reached = figure.get_by_role("button", name="cat looks at cat: hidden")
    expect(reached).to_be_focused()
    expect(reached).to_have_attribute("tabindex", "0")
    expect(stops).to_have_count(1)


ODD = ["", "   ", "one", "<b>bold</b> & <script>alert(1)</script>", "Ünïcode 🙂 日本 İstanbul", "a " * 30, "x" * 80]


@pytest.mark.parametrize("sentence", ODD)
def test_a_typed_sentence_is_text_and_its_masks_equal_pytorch(page: Page, address: str, sentence: str) -> None:
    figure, expected = opened(page, address, "bbb-masks"), MasksFigure(sentence, 2)
    figure.get_by_label("sentence").fill(sentence)
    assert difference(numbers(figure), weights(expected)) <= TOLERANCE
    assert figure.locator("th:has(+ td button)").all_text_contents() == expected.tokens()
    figure.get_by_role("slider", name="padding").fill("0")
    expected.padding = 0
    assert difference(numbers(figure), weights(expected)) <= TOLERANCE
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# Positions ----------------------------------------------------------------------------------------------------------

# The package's table is float32: an entry is off by up to 6e-8, a sum of 32 products of two entries by 32 times twice
# that, the angle of a rotation by nothing.
TABLE_TOLERANCE = 4e-6


def encoded(figure: PositionsFigure) -> Tensor:
    found, omega = figure.encoded(), figure.frequency
    numbers = (found.here, found.there, found.turned, torch.tensor([omega, 2 * torch.pi / omega]))
    return torch.cat([part.double() for part in (*numbers, found.products[figure.offset][None])])


@pytest.mark.parametrize("position, offset, pair", [(10, 4, 2), (0, 0, 0), (47, 24, 15), (47, 24, 0), (33, 7, 5)])
def test_positions_equal_the_package(
    page: Page, address: str, position: int, offset: int, pair: int, record_property: Record
) -> None:
    figure, expected = opened(page, address, "bbb-positions"), PositionsFigure(32)
    assert stored(figure) == expected.state()
    for name, value in (("position p", position), ("offset k", offset), ("pair of entries", pair)):
        figure.get_by_role("slider", name=name).fill(str(value))
    expected.position, expected.offset, expected.pair = position, offset, pair
    shown, wanted = numbers(figure), encoded(expected)
    # the turn's length in positions goes up to 35,000: compared as a share of it
    shown[7], wanted[7] = shown[7] / wanted[7], 1.0
    record(record_property, "positions", difference(shown, wanted), TABLE_TOLERANCE)


def test_the_dot_product_stays_while_the_position_moves(page: Page, address: str) -> None:
    figure = opened(page, address, "bbb-positions")
    slider = figure.get_by_role("slider", name="position p")
    slider.focus()
    seen = []
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        seen.append(numbers(figure)[-1])
    assert slider.input_value() == "15"
    assert float(torch.stack(seen).std()) < TOLERANCE
    figure.get_by_role("slider", name="offset k").press("ArrowRight")
    assert abs(float(numbers(figure)[-1] - seen[-1])) > 0.01


# Split and concat ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["right", "direct"])
def test_split_and_concat_equal_pytorch_at_each_step(
    page: Page, address: str, cut: str, record_property: Record
) -> None:
    figure, expected = opened(page, address, "bbb-split-concat"), SplitConcatFigure(SENTENCE.split())
    assert stored(figure) == expected.state()
    figure.get_by_label("direct view" if cut == "direct" else "view, transpose").check()
    expected.cut = cut
    step = figure.get_by_role("slider", name="step")
    step.focus()
    for number in range(5):
        record(record_property, "split and concat", difference(numbers(figure), expected.numbers(number).flatten()))
        drawn = [text for text in in_reading_order(figure) if text[0].isdigit()]
        shown = [text.strip() for text in figure.locator("data").all_text_contents()]
        if number in (0, 4):  # one block: what is drawn reads as the tensor does
            assert drawn == shown
        assert sorted(drawn) == sorted(shown)
        step.press("ArrowRight")
    arrows = [text for text in figure.locator("svg text").all_text_contents() if text.startswith("←")]
    assert [[int(each) for each in arrow[2:].split()] for arrow in arrows] == expected.sources()
    wrong = figure.get_by_text("the wrong tokens")
    expect(wrong).to_be_visible() if cut == "direct" else expect(wrong).not_to_be_attached()


def in_reading_order(figure: Locator) -> list[str]:
    """The texts of a drawing as the eye meets them: line by line, from the left."""
    places = """nodes => nodes.filter(node => node.textContent).map(node => {
      const box = node.getBoundingClientRect()
      return [Math.round((box.top + box.height / 2) / 4), box.left, node.textContent]
    }).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(place => place[2])"""
    return figure.locator("svg text").evaluate_all(places)


@pytest.mark.parametrize("motion, seconds", [("reduce", "0s"), ("no-preference", "0.6s")])
def test_cells_travel_only_where_motion_is_welcome(page: Page, address: str, motion: str, seconds: str) -> None:
    figure = opened(page, address, "bbb-split-concat")
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    travel = figure.locator(".cell").first.evaluate(
        "node => [getComputedStyle(node).transitionProperty, getComputedStyle(node).transitionDuration]"
    )
    assert travel in (["transform", seconds], ["none", seconds])


# The next token -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def next_token() -> NextTokenFigure:
    return NextTokenFigure(load_pretrained("en-de"), "He gave the old book to his friend.", step=2)


def restored(next_token: NextTokenFigure, figure: Locator) -> NextTokenFigure:
    """The figure with the logits that stand on the page: six digits of another processor's."""
    next_token.set_trait("steps", stored(figure)["steps"])
    next_token.step, next_token.temperature, next_token.top_k, next_token.top_p = 2, 1.0, 0, 1.0
    return next_token


def settle(figure: Locator, expected: NextTokenFigure, **settings: float) -> None:
    """Set the sliders by hand, and the expected figure to the same."""
    names = {"temperature": "temperature", "top_k": "top-k", "top_p": "top-p", "step": "token of the translation"}
    for name, value in settings.items():
        place = value if name == "step" else expected.choices[name].index(value)
        figure.get_by_role("slider", name=names[name]).fill(str(place))
        setattr(expected, name, value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 2.0},
        {"temperature": 2.0, "top_p": 0.9},
        {"temperature": 0.1, "top_p": 0.99},
        {"temperature": 3.0, "top_k": 200},
        {"top_k": 50, "top_p": 0.8, "temperature": 1.5},
        {"top_k": 1, "step": 0},
        {"step": 5, "top_p": 0.1},
    ],
)
def test_the_next_token_equals_the_package(
    page: Page, address: str, next_token: NextTokenFigure, settings: dict[str, float], record_property: Record
) -> None:
    figure = opened(page, address, "bbb-next-token")
    expected = restored(next_token, figure)
    settle(figure, expected, **settings)
    kept = expected.probabilities()
    rows = torch.cat((kept[:ROWS], kept[ROWS:].sum()[None]))
    entropy = -torch.special.xlogy(kept, kept).sum()
    wanted = torch.cat((rows, kept.count_nonzero()[None].double(), entropy[None]))
    record(record_property, "next token", difference(numbers(figure), wanted))
    left = figure.locator(".result").text_content() or ""
    assert f"Can be drawn: {int(kept.count_nonzero()):,} of {len(kept):,} tokens" in left


def test_logits_beyond_every_exponential_are_sampled(page: Page, address: str) -> None:
    page.goto(f"{address}404.html")
    found = page.evaluate(
        """async text => (await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" }))))
            .sampling([[900, 1], [899.9, 2], [0, 9]], 0.1, 0, 1).map(({ each }) => each)""",
        joined("distribution"),
    )
    expected = (torch.tensor([900.0, 899.9, 899.9, 0.0], dtype=torch.float64) * 10).softmax(-1)
    assert found == pytest.approx([*expected[:2].tolist(), 0.0], abs=1e-12)


def test_the_tail_that_is_drawn_is_named(page: Page, address: str, next_token: NextTokenFigure) -> None:
    page.add_init_script("let drawn = 0; Math.random = () => ((drawn++ * 77) % 200 + 0.5) / 200")
    figure = opened(page, address, "bbb-next-token")
    expected = restored(next_token, figure)
    settle(figure, expected, temperature=2.0)
    tail = figure.locator(".tail")
    expect(tail).to_be_empty()
    page.evaluate("drawn = 0")
    figure.get_by_role("button", name="draw 100").click()
    names = [name.removeprefix("␣") for name in tail.locator("q").all_text_contents()]
    assert len(names) == len(set(names)) == 8
    step = expected.steps[2]
    rare = [*step["tokens"][ROWS:], *(name for _, _, some in step["others"] for name in some)]
    assert set(names) <= {name.strip() for name in rare}
    assert set(names) - {name.strip() for name in step["tokens"]}, "beyond those that have a logit of their own"
    settle(figure, expected, top_p=0.5)
    figure.get_by_role("button", name="draw 100").click()
    left = int(expected.probabilities().count_nonzero())
    assert tail.locator("q").count() <= max(0, left - ROWS)


def test_tokens_are_drawn_as_often_as_they_are_probable(page: Page, address: str, next_token: NextTokenFigure) -> None:
    # In place of chance, 200 numbers that lie evenly between 0 and 1: each count is its share of 200, give or take one.
    page.add_init_script("let drawn = 0; Math.random = () => ((drawn++ * 77) % 200 + 0.5) / 200")
    figure = opened(page, address, "bbb-next-token")
    expected = restored(next_token, figure)
    settle(figure, expected, temperature=2.0)  # most of it is in the tail
    kept = expected.probabilities()
    page.evaluate("drawn = 0")
    for _ in range(2):
        figure.get_by_role("button", name="draw 100").click()
    counts = [int(text or 0) for text in figure.locator(".count").all_text_contents()]
    assert sum(counts) == 200
    for count, share in zip(counts, [*kept[:ROWS].tolist(), float(kept[ROWS:].sum())], strict=True):
        assert abs(count - 200 * share) <= 1
    expect(figure.locator(".told")).to_contain_text("last of 200")
    settle(figure, expected, top_k=1)  # other settings: what was drawn belongs to the old ones
    expect(figure.locator(".told")).to_be_empty()
    draw = figure.get_by_role("button", name="draw a token")
    draw.focus()
    page.keyboard.press("Enter")
    expect(figure.locator(".told")).to_have_text("last of 1: ␣das")
    expect(figure.get_by_role("status")).to_have_text("Can be drawn: 1; das with 1.00. Drawn last: das.")
    figure.get_by_role("button", name="clear").click()
    assert "".join(figure.locator(".count").all_text_contents()) == ""
