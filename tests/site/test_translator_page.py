"""The translator as a reader meets it, in a real browser, with a tiny model: what is loaded, keyboard, odd input."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import serving
import translating
import visiting
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tiny_translator import held_out, taught, write

from blockbyblock.live import TranslatorFigure
from blockbyblock.live.heads import attention_maps
from blockbyblock.live.translator import MODEL
from blockbyblock.portable import load_portable
from blockbyblock.translator import Translator
from book_site import models

SENTENCE = "The cat sat on the mat."


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translator")
    translating.write_site(
        folder / "site", write(folder / "tiny.safetensors", taught()), *([MODEL] if MODEL.is_file() else [])
    )
    return folder / "site"


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving.serve(folder, "/") as found:
        yield found


@pytest.fixture(scope="module")
def translator(folder: Path) -> Translator:
    return load_portable(folder / "models" / "tiny.safetensors")


def opened(page: Page, url: str, name: str = "tiny") -> Locator:
    """Go to the figure and wait until its module has drawn it."""
    page.goto(f"{url}{name}.html")
    page.wait_for_function("document.querySelector('bbb-translator').shadowRoot")
    return page.locator("bbb-translator")


def loaded(page: Page, url: str, name: str = "tiny") -> Locator:
    """Go to the figure, and load its model, which translates the sentence that stands there."""
    figure = opened(page, url, name)
    figure.get_by_role("button", name="Load the model").click()
    drawn(figure)
    return figure


def drawn(figure: Locator) -> None:
    """Wait until both searches have ended and their maps are there."""
    expect(figure.locator("[aria-busy=false]")).to_be_attached(timeout=30_000)


def ask(figure: Locator, text: str) -> None:
    field = figure.locator("textarea")
    field.fill(text)
    field.press("Enter")


def line(figure: Locator, title: str) -> Locator:
    return figure.get_by_role("region", name=title)


# What is loaded, and when ---------------------------------------------------------------------------------------------


def test_nothing_of_the_model_is_loaded_before_the_reader_asks(page: Page, url: str, folder: Path) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    figure = opened(page, url)
    page.wait_for_load_state("networkidle")
    assert [each for each in requests if "/models/" in each] == []
    size = (folder / "models" / "tiny.safetensors").stat().st_size
    button = figure.get_by_role("button", name="Load the model")
    expect(button).to_have_text(f"Load the model ({size / 1e6:.1f} MB) and translate")
    with page.expect_response("**/models/tiny.safetensors?v=*") as response:
        button.click()
    assert int(response.value.headers["content-length"]) == size
    drawn(figure)


def test_a_model_is_loaded_once_and_then_kept_by_the_browser(page: Page, url: str, folder: Path) -> None:
    for _ in range(2):
        loaded(page, url)
    (folder / "models" / "tiny.safetensors").rename(folder / "models" / "away")
    try:
        figure = loaded(page, url)  # nobody could serve it any more
        expect(figure.get_by_role("alert")).to_be_empty()
        expect(line(figure, "greedy").locator("button").first).to_be_visible()
    finally:
        (folder / "models" / "away").rename(folder / "models" / "tiny.safetensors")


def test_progress_is_shown_and_announced(page: Page, url: str, folder: Path) -> None:
    figure = opened(page, url)
    bar = figure.get_by_role("progressbar", name="Loading the model")
    expect(bar).to_be_hidden()
    held: list[Route] = []
    page.context.route("**/models/*", lambda route: held.append(route))
    figure.get_by_role("button", name="Load the model").click()
    expect(bar).to_be_visible()
    size = (folder / "models" / "tiny.safetensors").stat().st_size
    assert bar.get_attribute("max") == str(size)
    expect(figure.locator(".loading [role=status]")).to_have_text("Loading the model")
    watch = "node => { window.seen = []; new MutationObserver(() => seen.push(node.value)).observe(node.parentNode,"
    bar.evaluate(f"{watch} {{ attributes: true, childList: true, subtree: true }}) }}")
    held[0].continue_()
    drawn(figure)
    assert max(page.evaluate("seen")) == size
    expect(bar).to_be_hidden()


def test_a_model_that_does_not_come_is_reported_and_may_be_asked_for_again(page: Page, url: str) -> None:
    figure = opened(page, url)
    page.context.route("**/models/*", lambda route: route.fulfill(status=503))
    button = figure.get_by_role("button", name="Load the model")
    button.click()
    expect(figure.get_by_role("alert")).to_contain_text("The model did not come: 503")
    page.context.unroute("**/models/*")
    button.click()
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()


def test_a_page_gets_the_model_that_it_names_and_no_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(models, "MODELS", folder / "models")
    monkeypatch.setattr(models.logger, "warning", lambda text, *values, **options: warnings.append(text % values))
    app = SimpleNamespace(outdir=str(tmp_path))
    body = TranslatorFigure(file=folder / "models" / "tiny.safetensors").markup()

    def copy(body: str) -> list[Path]:
        models.copy(app, "page", "page.html", {"body": body}, None)  # type: ignore[arg-type]
        return sorted((tmp_path / "_static" / "models").glob("*"))

    assert copy("<p>no figure</p>") == []
    assert copy(body.replace('"model":"tiny"', '"model":"other"')) == []
    assert copy(re.sub(r'"digest":"\w+"', '"digest":"0123"', body)) == []
    assert warnings == [
        f"the box does not hold the model {name} that this page was run with" for name in ("other", "tiny")
    ]
    assert [file.name for file in copy(body)] == ["tiny.safetensors"]
    assert len(warnings) == 2


# Translating ----------------------------------------------------------------------------------------------------------


def test_both_translations_are_those_of_python(page: Page, url: str, translator: Translator) -> None:
    figure = loaded(page, url)
    for text in (SENTENCE, "I have no problem with this."):
        ask(figure, text)
        for title, beam in (("greedy", 1), ("beam of 4", 4)):
            expected = translator.translate([text], beam=beam)[0]
            expect(line(figure, title).locator(".words")).to_have_text(expected, timeout=30_000)
        expect(figure.locator(".unseen[role=status]")).to_have_text(f"Translation: {expected}", timeout=30_000)


def test_a_word_is_changed_by_keyboard_and_the_decoder_goes_on_from_there(
    page: Page, url: str, translator: Translator
) -> None:
    figure = loaded(page, url)
    greedy = line(figure, "greedy")
    expect(line(figure, "beam of 4").locator(".words")).to_have_text("Die Katze saß auf der Matte.")
    before = greedy.locator("button").all_inner_texts()
    third = greedy.locator("button").nth(2)
    third.focus()
    third.press("Enter")
    field = greedy.get_by_role("textbox", name="In place of")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(greedy.locator("button").nth(2)).to_be_focused()
    assert greedy.locator("button").all_inner_texts() == before
    page.keyboard.press("Enter")
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    expect(greedy.locator("button").nth(2)).to_have_text("zebra")
    drawn(figure)
    after = greedy.locator("button").all_inner_texts()
    assert after[:3] == [*before[:2], "zebra"]
    assert greedy.locator("button.given").count() == 3
    expect(line(figure, "beam of 4").locator("button").nth(2)).to_have_text("zebra")
    expect(greedy.locator("button").nth(2)).to_be_focused()
    figure.get_by_role("button", name="Translate").click()
    expect(greedy.locator("button.given")).to_have_count(0)
    drawn(figure)
    assert greedy.locator("button").all_inner_texts() == before


@pytest.mark.parametrize(
    "text",
    [
        "<b>bold</b> <script>document.title = 'run'</script> &amp;",
        "👩‍👩‍👧 🇩🇪",
        "\x01\x7f\u202e odd \x00",
        "猫",
        "<end>",
    ],
)
def test_odd_input_is_text(page: Page, url: str, translator: Translator, text: str) -> None:
    figure = loaded(page, url)
    ask(figure, text)
    expected = translator.translate([text], beam=1)[0]
    expect(line(figure, "greedy").locator(".words")).to_have_text(expected, timeout=30_000)
    drawn(figure)
    assert figure.locator("b, script").count() == 1  # the values beside the figure
    assert page.title() == "Translator"


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_is_translated_to_nothing(page: Page, url: str, text: str) -> None:
    figure = loaded(page, url)
    ask(figure, text)
    expect(figure.locator(".words button")).to_have_count(0)
    expect(figure.get_by_role("alert")).to_be_empty()


def test_ten_thousand_characters_are_refused_and_the_next_sentence_is_not(page: Page, url: str) -> None:
    figure = loaded(page, url)
    ask(figure, "abcdefghi " * 1000)
    expect(figure.get_by_role("alert")).to_contain_text("over the model's limit of 60. Shorten it.", timeout=30_000)
    expect(figure.locator(".words button")).to_have_count(0)
    ask(figure, SENTENCE)
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()


# Attention ------------------------------------------------------------------------------------------------------------


def test_the_weight_that_is_read_is_pytorchs(page: Page, url: str, translator: Translator) -> None:
    figure = loaded(page, url)
    (hypothesis,) = translator.hypotheses([SENTENCE])
    assert hypothesis is not None
    maps = attention_maps(translator, SENTENCE, hypothesis)
    plane, value = figure.get_by_role("application"), figure.locator(".reading data")
    rounding = 5.1e-4  # Python rounds to three decimals what the page keeps whole

    def shown() -> float:
        return float(value.get_attribute("value") or "")

    expect(value).to_be_visible()
    assert shown() == pytest.approx(maps["cross"][0][0][0][0], abs=rounding)
    plane.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert shown() == pytest.approx(maps["cross"][0][0][1][2], abs=rounding)
    expect(figure.locator(".reading")).to_contain_text(f"{maps['written'][1].strip()}")
    figure.get_by_role("radio", name="encoder", exact=True).check()
    figure.get_by_role("button", name="layer 1, head 1").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(figure.get_by_role("button", name="layer 2, head 3")).to_have_attribute("aria-pressed", "true")
    assert shown() == pytest.approx(maps["encoder"][1][2][1][2], abs=rounding)
    figure.get_by_role("radio", name="decoder", exact=True).check()
    assert figure.locator(".reading").inner_text().endswith("none: the future")


def test_a_weight_is_read_by_tapping_it(browser: Browser, url: str, translator: Translator) -> None:
    with browser.new_context(viewport={"width": 375, "height": 800}, has_touch=True) as context:
        figure = loaded(context.new_page(), url)
        (hypothesis,) = translator.hypotheses([SENTENCE])
        assert hypothesis is not None
        maps = attention_maps(translator, SENTENCE, hypothesis)
        frame = figure.locator(".frame")
        frame.scroll_into_view_if_needed()
        box = frame.bounding_box()
        assert box is not None
        context.pages[0].touchscreen.tap(box["x"] + 2.5 * 24, box["y"] + 1.5 * 24)
        expect(figure.locator(".reading")).to_contain_text(f"{maps['source'][2].strip()}")
        shown = float(figure.locator(".reading data").get_attribute("value") or "")
        assert shown == pytest.approx(maps["cross"][0][0][1][2], abs=5.1e-4)


def test_the_overview_has_every_head_and_the_maps_follow_the_method(
    page: Page, url: str, translator: Translator
) -> None:
    figure = loaded(page, url)
    assert figure.locator(".heads button").count() == 12  # three decoder layers of four heads
    figure.get_by_role("radio", name="encoder", exact=True).check()
    assert figure.locator(".heads button").count() == 8
    figure.get_by_role("radio", name="encoder-decoder").check()
    found = [translator.hypotheses(held_out()[:40], beam=beam) for beam in (1, 4)]
    text = next(text for text, *both in zip(held_out(), *found, strict=False) if len({each.ids for each in both}) == 2)
    ask(figure, text)
    drawn(figure)
    for title, beam in (("greedy", 1), ("beam of 4", 4)):
        figure.get_by_role("radio", name=title).check()
        (hypothesis,) = translator.hypotheses([text], beam=beam)
        assert hypothesis is not None
        written = [piece.strip() for piece in translator.tokenizer.pieces(hypothesis.ids)]
        assert figure.locator(".plane text[text-anchor=end]").all_text_contents() == [*written, "<end>"]


# Everybody ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_audit_and_layout_of_the_figure_at_work(
    browser: Browser, url: str, width: int, scheme: str
) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.add_init_script(visiting.SHIFTS)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        opened(page, url)
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
        figure = loaded(page, url)
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
        page.wait_for_timeout(300)
        result = Axe().run(page, context="bbb-translator", options={"resultTypes": ["violations"]}).response
        assert [each["id"] for each in result["violations"]] == []
        assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") == 0
        assert page.evaluate("layoutShift") <= 0.1
        assert problems == []
        expect(figure.get_by_text("Tiny, untrained. Nobody's data")).to_be_visible()


def test_a_word_without_an_end_does_not_widen_the_page(browser: Browser, url: str, translator: Translator) -> None:
    with browser.new_context(viewport={"width": 375, "height": 800}) as context:
        page = context.new_page()
        figure = loaded(page, url)
        figure.locator(".words button").first.click()
        page.keyboard.type("endless" * 20)
        page.keyboard.press("Enter")
        expect(figure.locator(".words button").first).to_contain_text("endlessendless")
        assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") == 0


def test_without_scripts_python_translations_and_how_to_see_it_move(browser: Browser, url: str, folder: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}tiny.html")
        for source, target in TranslatorFigure(file=folder / "models" / "tiny.safetensors").examples:
            expect(page.get_by_role("rowheader", name=source)).to_be_visible()
            expect(page.get_by_role("cell", name=target).first).to_be_visible()
        expect(page.locator("code", has_text="make serve")).to_be_visible()


# How long it takes ----------------------------------------------------------------------------------------------------

WATCH = """host => {
  const words = host.shadowRoot.querySelector(".words")
  window.times = []
  new MutationObserver(() => words.children.length && times.push(performance.now())).observe(words, { childList: true })
  window.began = 0
  host.shadowRoot.querySelector("textarea").addEventListener("keydown", () => (began ||= performance.now()), true)
}"""


@pytest.mark.parametrize("rate", [1, 4])
def test_how_long_a_translation_takes(
    page: Page, url: str, folder: Path, rate: int, capsys: pytest.CaptureFixture[str]
) -> None:
    name = MODEL.stem if MODEL.is_file() else "tiny"
    figure = loaded(page, url, name)
    ask(figure, "Where is the cat?")  # a first sentence, in which the browser compiles
    drawn(figure)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
    figure.locator("textarea").fill("She has been reading a book all day.")
    figure.evaluate(WATCH)
    figure.locator("textarea").press("Enter")
    expect(figure.locator("[aria-busy=true]")).to_be_attached()
    drawn(figure)
    began, times = page.evaluate("[began, times]")
    assert len(times) > 2  # word by word, not at once
    first, each = times[0] - began, (times[-1] - times[0]) / (len(times) - 1)
    with capsys.disabled():
        print(
            f"\n{name}, page slowed {rate} times: first word {first:.0f} ms, then {each:.0f} ms for each token", end=" "
        )
