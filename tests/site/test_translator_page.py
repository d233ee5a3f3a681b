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
from playwright.sync_api import Browser, Locator, Page, expect
from tiny_translator import held_out

from blockbyblock.live import TranslatorFigure
from blockbyblock.live.heads import attention_maps
from blockbyblock.live.model import LIMITS, MODEL
from blockbyblock.portable import load_portable
from blockbyblock.translator import Translator
from book_site import models

SENTENCE = "The cat sat on the mat."


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(taught_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translator") / "site"
    translating.write_site(folder, taught_file, *([MODEL] if MODEL.is_file() else []))
    return folder


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
    with serving.held("tiny.safetensors"):  # the model is on its way until the page has been looked at
        figure.get_by_role("button", name="Load the model").click()
        expect(bar).to_be_visible()
        size = (folder / "models" / "tiny.safetensors").stat().st_size
        assert bar.get_attribute("max") == str(size)
        expect(figure.locator(".loading [role=status]")).to_have_text("Loading the model")
        watch = "node => { window.seen = []; new MutationObserver(() => seen.push(node.value)).observe(node.parentNode,"
        bar.evaluate(f"{watch} {{ attributes: true, childList: true, subtree: true }}) }}")
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
    zebra = re.compile("^zebra")  # the model may go on within the word
    expect(greedy.locator("button").nth(2)).to_have_text(zebra)
    drawn(figure)
    after = greedy.locator("button").all_inner_texts()
    assert after[:2] == before[:2]
    assert greedy.locator("button.given").count() == 3
    expect(line(figure, "beam of 4").locator("button").nth(2)).to_have_text(zebra)
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
    assert shown() == pytest.approx(maps["cross"][-1][0][0][0], abs=rounding)
    plane.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert shown() == pytest.approx(maps["cross"][-1][0][1][2], abs=rounding)
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
        context.pages[0].touchscreen.tap(box["x"] + 5.5 * 24, box["y"] + 1.5 * 24)
        assert maps["source"].count(" on") == 1  # no other column has this name
        expect(figure.locator(".reading q").last).to_have_text("on")
        shown = float(figure.locator(".reading data").get_attribute("value") or "")
        assert shown == pytest.approx(maps["cross"][-1][0][1][5], abs=5.1e-4)


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


# What fails is said ---------------------------------------------------------------------------------------------------

# The figure as in a notebook, with a Python that answers as `window.python` does: it is called with the way back.
NOTEBOOK = """async values => {
  const { default: figure } = await import("./live/translator.mjs?v=1")
  const events = new EventTarget()
  const on = (name, call) => events.addEventListener(name, call.heard = ({ detail }) => call(...(detail ?? [])))
  const answer = (...detail) => events.dispatchEvent(new CustomEvent("msg:custom", { detail }))
  const model = {
    get: key => values[key],
    set: (key, value) => { values[key] = value; events.dispatchEvent(new Event(`change:${key}`)) },
    on, off: (name, call) => events.removeEventListener(name, call.heard), save_changes: () => {},
    send: message => { window.sent = [...(window.sent ?? []), message]; window.python(answer) },
  }
  const el = document.body.appendChild(document.createElement("div"))
  figure.render({ model, el })
}"""
BYTES = 'fetch("models/tiny.safetensors").then(response => response.arrayBuffer()).then(bytes => {{ {} }})'
SHIFTED = """const wide = new Uint8Array(bytes.byteLength + 7); wide.set(new Uint8Array(bytes), 3)
const view = {}; answer({{answer: "model"}}, [view])"""
ANSWERS = {
    "a view": "answer({answer: 'model'}, [new DataView(bytes)])",
    "a buffer": "answer({answer: 'model'}, [bytes])",
    "another message first": "answer({answer: 'other'}); answer({answer: 'model'}, [new DataView(bytes)])",
    "a view that begins later": SHIFTED.format("new DataView(wide.buffer, 3, bytes.byteLength)"),
    "bytes that begin later": SHIFTED.format("wide.subarray(3, 3 + bytes.byteLength)"),
}
NO_ANSWERS = {
    "answer({answer: 'model'}, [])": "Python has answered without the model.",
    "answer({answer: 'model'})": "Python has answered without the model.",
    "answer({answer: 'model'}, ['text'])": "Python has answered without the model.",
    "answer({answer: 'model', error: 'en-de.safetensors cannot be read: No such file'}, [])": "cannot be read: No such",
    "throw new Error('The channel is closed.')": "The channel is closed.",
    "answer({answer: 'model'}, [new ArrayBuffer(4)])": "The file is cut short, or no safetensors file.",
}


def in_notebook(page: Page, url: str, folder: Path, python: str) -> Locator:
    """The figure with a Python behind it, whose answer to its question is given as JavaScript."""
    page.goto(f"{url}parts.html")
    page.evaluate(f"() => {{ window.python = answer => {{ {python} }} }}")
    page.evaluate(NOTEBOOK, TranslatorFigure(file=folder / "models" / "tiny.safetensors").state())
    return page.locator(".bbb-live")


@pytest.mark.parametrize("form", ANSWERS)
def test_the_model_is_taken_from_python_in_whatever_form_it_comes(
    page: Page, url: str, folder: Path, form: str
) -> None:
    figure = in_notebook(page, url, folder, BYTES.format(ANSWERS[form]))
    figure.get_by_role("button", name="Load the model").click()
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()
    expect(line(figure, "greedy").locator("button").first).to_be_visible()
    assert page.evaluate("sent") == [{"ask": "model"}]


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_a_python_that_does_not_give_the_model_ends_the_loading(
    page: Page, url: str, folder: Path, answer: str
) -> None:
    figure = in_notebook(page, url, folder, answer)
    figure.get_by_role("button", name="Load the model").click()
    expect(figure.get_by_role("alert")).to_contain_text(NO_ANSWERS[answer])
    expect(figure.get_by_role("progressbar")).to_be_hidden()
    page.evaluate(f"() => {{ window.python = answer => {{ {BYTES.format(ANSWERS['a view'])} }} }}")
    figure.get_by_role("button", name="Load the model").click()
    drawn(figure)


def test_a_python_that_is_silent_is_said_and_may_still_answer(page: Page, url: str, folder: Path) -> None:
    page.clock.install()
    figure = in_notebook(page, url, folder, "window.late = answer")
    figure.get_by_role("button", name="Load the model").click()
    page.wait_for_function("window.late")
    page.clock.fast_forward(30_000)
    expect(figure.get_by_role("alert")).to_contain_text("Python has not sent the model yet")
    page.evaluate(f"{{ const answer = late; {BYTES.format(ANSWERS['a view'])} }}")
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()


def test_a_server_that_is_silent_is_said_and_may_still_answer(page: Page, url: str) -> None:
    page.clock.install()
    figure = opened(page, url)
    with serving.held("tiny.safetensors"):
        figure.get_by_role("button", name="Load the model").click()
        page.clock.fast_forward(30_000)
        expect(figure.get_by_role("alert")).to_contain_text("Nothing more of the model has come for a while")
        figure.get_by_role("button", name="Load the model").click()  # it may be asked for again, too
        expect(figure.get_by_role("alert")).to_be_empty()
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()


WORKERS = {
    # a browser without workers that are modules does not look at the type
    "too old for the model": "queueMicrotask(() => this.onerror({}))",
    "What computes could not be loaded": "options.type; queueMicrotask(() => this.onerror({}))",
    "What computes has stopped: odd": "options.type; queueMicrotask(() => this.onerror({message: 'odd'}))",
    "What the worker has sent cannot be read.": "queueMicrotask(() => this.onmessageerror({}))",
    "Workers are forbidden here.": "throw new Error('Workers are forbidden here.')",
    "reading 'update'": """queueMicrotask(() => this.onmessage({data: {kind: 'ready'}}));
        queueMicrotask(() => this.onmessage({data: {kind: 'found', method: 'none'}}))""",
}


@pytest.mark.parametrize("words", WORKERS)
def test_a_worker_that_fails_ends_the_loading(page: Page, url: str, words: str) -> None:
    page.add_init_script(
        f"""window.Worker = class {{
          constructor(address, options) {{ {WORKERS[words]} }}
          postMessage() {{}}
          terminate() {{}}
        }}"""
    )
    figure = opened(page, url)
    figure.locator("button.ask").click()
    expect(figure.get_by_role("alert")).to_contain_text(words)
    expect(figure.get_by_role("progressbar")).to_be_hidden()
    expect(figure.locator("[aria-busy=true]")).to_have_count(0)


@pytest.mark.parametrize("content", [b"", b"<!doctype html><p>Please log in.", None], ids=["empty", "a page", "half"])
def test_a_model_that_is_cut_short_is_asked_of_the_server_again(
    page: Page, url: str, folder: Path, content: bytes | None
) -> None:
    file = folder / "models" / "tiny.safetensors"
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[: len(whole) // 2] if content is None else content)
        figure = opened(page, url)
        figure.get_by_role("button", name="Load the model").click()
        expect(figure.get_by_role("alert")).to_contain_text("is cut short")
    finally:
        file.write_bytes(whole)
    figure.get_by_role("button", name="Load the model").click()  # what the browser has kept is not taken again
    drawn(figure)
    expect(figure.get_by_role("alert")).to_be_empty()


# An input method -----------------------------------------------------------------------------------------------------

COMPOSING = """(node, [key, how]) => node.dispatchEvent(new KeyboardEvent("keydown",
    {key, bubbles: true, cancelable: true, ...(how === "composing" ? {isComposing: true} : {keyCode: 229})}))"""
every_way = pytest.mark.parametrize("how", ["composing", "229"])


@every_way
def test_a_key_of_an_input_method_asks_for_nothing(page: Page, url: str, how: str) -> None:
    figure = opened(page, url)
    field = figure.locator("textarea")
    assert field.evaluate(COMPOSING, ["Enter", how]), "the input method needs the key"
    expect(figure.get_by_role("progressbar")).to_be_hidden()  # it is shown in the same step in which loading begins
    field.press("Enter")
    drawn(figure)
    field.fill("half a wo")
    field.evaluate(COMPOSING, ["Enter", how])
    expect(figure.locator("[aria-busy=false]")).to_be_attached()
    expect(line(figure, "greedy").locator(".words")).not_to_have_class(re.compile("old"))
    greedy = line(figure, "greedy")
    greedy.locator("button").nth(1).click()
    word = greedy.get_by_role("textbox", name="In place of")
    for key in ("Enter", "Escape"):
        word.evaluate(COMPOSING, [key, how])
        expect(word).to_be_focused()
        expect(figure.locator("[aria-busy=false]")).to_be_attached()


def test_a_word_that_is_composed_is_not_sent_by_the_enter_that_ends_it(page: Page, url: str) -> None:
    figure = opened(page, url)
    field = figure.locator("textarea")
    field.fill("")
    field.focus()
    page.context.new_cdp_session(page).send(
        "Input.imeSetComposition", {"text": "ねこ", "selectionStart": 2, "selectionEnd": 2}
    )
    page.keyboard.press("Enter")
    expect(field).to_have_value(re.compile("ねこ"))
    expect(figure.get_by_role("progressbar")).to_be_hidden()


# What is on its way --------------------------------------------------------------------------------------------------

OLD = """host => {
  const root = host.shadowRoot, parts = [...root.querySelectorAll(".produced"), root.querySelector(".pair")]
  return parts.map(part => part.classList.contains("old"))
}"""


def test_what_belongs_to_the_sentence_before_is_dimmed_until_its_successor_is_there(page: Page, url: str) -> None:
    figure = loaded(page, url)
    assert figure.evaluate(OLD) == [False, False, False]
    figure.locator("textarea").fill("I have no problem with this.")
    begun = figure.evaluate(
        f"""host => {{
          const old = {OLD}, root = host.shadowRoot
          window.seen = []
          new MutationObserver(() => seen.push(String(old(host)))).observe(root, {{ attributes: true, subtree: true }})
          root.querySelector("textarea").dispatchEvent(new KeyboardEvent("keydown", {{ key: "Enter", bubbles: true }}))
          return old(host)
        }}"""
    )
    assert begun == [True, True, True]
    drawn(figure)
    steps = page.evaluate("seen.filter((each, index) => each !== seen[index - 1])")
    assert steps == ["true,true,true", "false,true,true", "false,false,true", "false,false,false"]


def test_the_maps_of_the_other_method_are_old_as_well(page: Page, url: str) -> None:
    figure = loaded(page, url)
    figure.locator("textarea").fill("I have no problem with this.")
    old = figure.evaluate(
        f"""host => {{
          const enter = new KeyboardEvent("keydown", {{ key: "Enter", bubbles: true }})
          host.shadowRoot.querySelector("textarea").dispatchEvent(enter)
          host.shadowRoot.querySelector("input[value=beam]").click()
          return ({OLD})(host)[2]
        }}"""
    )
    assert old


@pytest.mark.parametrize(
    "text, words", [("", "type a sentence"), ("  \n ", "type a sentence"), ("abcdefghi " * 1000, "Shorten it.")]
)
def test_a_text_that_is_not_translated_leaves_nothing_of_the_one_before(
    page: Page, url: str, text: str, words: str
) -> None:
    figure = loaded(page, url)
    expect(figure.locator(".unseen[role=status]")).not_to_be_empty()
    ask(figure, text)
    expect(figure.get_by_role("alert")).to_contain_text(words, timeout=30_000)
    expect(figure.locator(".words button")).to_have_count(0)
    expect(figure.locator(".numbers data")).to_have_count(0)
    expect(figure.locator(".pair")).to_be_hidden()
    expect(figure.locator(".unseen[role=status]")).to_be_empty()
    ask(figure, SENTENCE)
    drawn(figure)
    expect(figure.locator(".pair")).to_be_visible()


def test_the_figure_says_what_its_model_cannot_do(page: Page, url: str) -> None:
    expect(opened(page, url).get_by_text(LIMITS)).to_be_visible()


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
