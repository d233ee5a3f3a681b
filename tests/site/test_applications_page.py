"""The figures of the language model and of the classifier, as a reader meets them in a browser, with tiny models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import torch
import translating
import visiting
from axe_playwright_python.sync_playwright import Axe
from live_figures import numbers
from playwright.sync_api import Browser, Locator, Page, expect
from tiny_applications import taught_classifier, taught_generator
from torch import Tensor

from blockbyblock.live import ClassifyingFigure, WritingFigure
from blockbyblock.live.next_token import ROWS
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.sampling import sampling_probabilities
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator

pytestmark = pytest.mark.usefixtures("one_thread")

FLOAT32 = 1e-5  # of a probability: the logits are float32, their products added up in another order
ROUNDED = 5e-3  # before the model is there: the logits of all but forty tokens are rounded to a tenth
BUTTON = "Load the model"
LOADED = {"writing": "Start again", "classifying": "First example"}  # what the button says then
every_figure = pytest.mark.parametrize("name", ["writing", "classifying"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("applications")
    figures: dict[str, tuple[Any, Any]] = {
        "writing": (taught_generator(), WritingFigure),
        "classifying": (taught_classifier(), ClassifyingFigure),
    }
    for name, (model, _) in figures.items():
        save_portable(folder / f"{name}.safetensors", model)
    files = [folder / f"{name}.safetensors" for name in figures]
    translating.write_site(folder / "site", *files, translators=False)
    for name, (_, figure) in figures.items():
        translating.write_figure(folder / "site", name, figure(file=folder / f"{name}.safetensors"))
    return folder / "site"


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving.serve(folder, "/") as found:
        yield found


@pytest.fixture(scope="module")
def generator(folder: Path) -> TextGenerator:
    return load_portable(folder / "models" / "writing.safetensors", TextGenerator)


@pytest.fixture(scope="module")
def classifier(folder: Path) -> TextClassifier:
    return load_portable(folder / "models" / "classifying.safetensors", TextClassifier)


def opened(page: Page, url: str, name: str) -> Locator:
    """Go to a figure and wait until its module has drawn it."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{url}{name}.html")
    page.wait_for_function("tag => document.querySelector(tag).shadowRoot", arg=f"bbb-{name}")
    return page.locator(f"bbb-{name}")


def loaded(page: Page, url: str, name: str) -> Locator:
    """Go to a figure and load its model."""
    figure = opened(page, url, name)
    figure.get_by_role("button", name=BUTTON).click()
    expect(figure.get_by_role("button", name=LOADED[name])).to_be_visible()
    return figure


def said(figure: Locator) -> Locator:
    """What a screen reader is told, once the hand rests."""
    return figure.locator(".unseen[role=status]")


# What is loaded, and when ---------------------------------------------------------------------------------------------


@every_figure
def test_nothing_of_the_model_is_loaded_before_the_reader_asks(page: Page, url: str, folder: Path, name: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    figure = opened(page, url, name)
    page.wait_for_load_state("networkidle")
    assert [each for each in requests if "/models/" in each] == []
    size = (folder / "models" / f"{name}.safetensors").stat().st_size
    button = figure.get_by_role("button", name=BUTTON)
    expect(button).to_have_text(f"Load the model ({size / 1e6:.1f} MB)")
    with page.expect_response(f"**/models/{name}.safetensors?v=*") as response:
        button.press("Enter")
    assert int(response.value.headers["content-length"]) == size


@every_figure
def test_a_model_that_does_not_come_is_reported_and_may_be_asked_for_again(page: Page, url: str, name: str) -> None:
    figure = opened(page, url, name)
    page.context.route("**/models/*", lambda route: route.fulfill(status=503))
    figure.get_by_role("textbox").press("Enter")
    expect(figure.get_by_role("alert")).to_contain_text("The model did not come: 503")
    page.context.unroute("**/models/*")
    figure.get_by_role("button", name=BUTTON).click()
    expect(figure.get_by_role("alert")).to_be_empty()
    expect(figure.get_by_role("button", name=BUTTON)).to_have_count(0)


@every_figure
def test_progress_is_shown_while_the_model_comes(page: Page, url: str, folder: Path, name: str) -> None:
    figure = opened(page, url, name)
    bar = figure.get_by_role("progressbar", name="Loading the model")
    expect(bar).to_be_hidden()
    with serving.held(f"{name}.safetensors"):
        figure.get_by_role("button", name=BUTTON).click()
        expect(bar).to_be_visible()
        assert bar.get_attribute("max") == str((folder / "models" / f"{name}.safetensors").stat().st_size)
        expect(figure.get_by_role("button", name="Loading the model …")).to_be_disabled()
    expect(bar).to_be_hidden()


@every_figure
def test_before_the_model_is_there_no_other_text_has_numbers(page: Page, url: str, name: str) -> None:
    figure = opened(page, url, name)
    table, field = figure.locator(".tokens, .classes"), figure.get_by_role("textbox")
    first = field.input_value()
    expect(table).to_be_visible()
    field.fill("something else")
    expect(table).to_be_hidden()
    field.fill(first)
    expect(table).to_be_visible()


# Writing --------------------------------------------------------------------------------------------------------------


def expected(generator: TextGenerator, ids: list[int], *settings: Any) -> tuple[list[int], Tensor]:
    """The tokens that may follow ids, the most probable first, and what each is drawn with, by the package."""
    with torch.inference_mode():
        logits = generator.model(torch.tensor([ids]))[0, -1].double()
    config = generator.model.config
    logits = logits.index_fill(0, torch.tensor([config.pad_id, config.start_id]), -torch.inf)
    order = logits.argsort(descending=True, stable=True)
    return order.tolist(), sampling_probabilities(logits[None], *settings)[0][order]


def compare(
    figure: Locator, generator: TextGenerator, ids: list[int], *settings: Any, tolerance: float = FLOAT32
) -> None:
    """Hold each row of the table equal to the package."""
    order, drawn = expected(generator, ids, *settings)
    shares = torch.cat((drawn[:ROWS], drawn[ROWS:].sum()[None]))
    pieces = generator.tokenizer.pieces(order[:ROWS])
    names = [f"␣{piece[1:]}" if piece.startswith(" ") else piece for piece in pieces]
    expect(figure.locator("tbody th button")).to_have_text(names)
    torch.testing.assert_close(numbers(figure, "tbody"), shares, rtol=0, atol=tolerance)


def test_before_the_model_is_there_the_table_is_pythons(page: Page, url: str, generator: TextGenerator) -> None:
    figure = opened(page, url, "writing")
    compare(figure, generator, generator.encode("The cat"), tolerance=ROUNDED)
    figure.get_by_role("slider", name="temperature").fill("8")
    compare(figure, generator, generator.encode("The cat"), 3.0, tolerance=ROUNDED)
    expect(figure.locator("tbody th button").first).to_be_disabled()


def test_what_may_come_next_is_pytorchs_at_every_setting(page: Page, url: str, generator: TextGenerator) -> None:
    figure = loaded(page, url, "writing")
    for text in ("The cat sat", "", "  Where is ", "I don't know what you"):
        figure.get_by_role("textbox").fill(text)
        ids = generator.encode(text)
        expect(figure.locator(".text")).to_have_text(f"{text.strip()}?")
        compare(figure, generator, ids)
        for sliders, settings in [(("0", "9", "8"), (0.1, None, 1.0)), (("8", "3", "3"), (3.0, 5, 0.7))]:
            for name, value in zip(("temperature", "top-k", "top-p"), sliders, strict=True):
                figure.get_by_role("slider", name=name).fill(value)
            compare(figure, generator, ids, *settings)
        for name, value in (("temperature", "4"), ("top-k", "9"), ("top-p", "8")):
            figure.get_by_role("slider", name=name).fill(value)


def test_a_token_is_chosen_by_keyboard_and_taken_back(page: Page, url: str, generator: TextGenerator) -> None:
    figure = loaded(page, url, "writing")
    ids = generator.encode("The cat")
    for place in (0, 3, 1):
        order, _ = expected(generator, ids)
        figure.locator("tbody th button").nth(place).press("Enter")
        ids = [*ids, order[place]]
        expect(figure.locator(".text")).to_have_text(f"{generator.tokenizer.decode(ids)}?")
        compare(figure, generator, ids)
    expect(said(figure)).to_contain_text("Most probable")
    figure.get_by_role("button", name="one step back").press("Enter")
    compare(figure, generator, ids[:-1])
    figure.get_by_role("button", name="Start again").press("Enter")
    compare(figure, generator, generator.encode("The cat"))
    expect(figure.get_by_role("button", name="one step back")).to_be_disabled()


def test_a_new_beginning_leaves_the_old_tokens_behind(page: Page, url: str, generator: TextGenerator) -> None:
    figure = loaded(page, url, "writing")
    figure.locator("tbody th button").nth(2).click()
    expect(figure.locator(".added")).not_to_be_empty()
    figure.get_by_role("textbox").fill("She has")
    expect(figure.locator(".text")).to_have_text("She has?")
    compare(figure, generator, generator.encode("She has"))


@pytest.mark.parametrize("chance", [0.0, 0.35, 0.8, 0.999999])
def test_a_draw_takes_the_token_at_which_the_chance_falls(
    page: Page, url: str, generator: TextGenerator, chance: float
) -> None:
    page.add_init_script(f"Math.random = () => {chance}")
    figure = loaded(page, url, "writing")
    figure.get_by_role("slider", name="temperature").fill("8")
    figure.get_by_role("slider", name="top-k").fill("4")
    order, drawn = expected(generator, generator.encode("The cat"), 3.0, 10)
    place = int((drawn.cumsum(0) <= chance).sum())
    figure.get_by_role("button", name="draw a token").click()
    compare(figure, generator, [*generator.encode("The cat"), order[place]], 3.0, 10)


def test_it_writes_to_the_end_and_says_so(page: Page, url: str, generator: TextGenerator) -> None:
    figure = loaded(page, url, "writing")
    figure.get_by_role("slider", name="temperature").fill("0")
    figure.get_by_role("button", name="draw to the end").click()
    expect(figure.locator(".ended")).to_have_text("The text has ended.")
    (text,) = generator.generate(["The cat"], temperature=0.0)
    assert figure.locator(".text").inner_text().strip() == text == "The cat sat on the mat."
    expect(figure.locator(".tokens, .classes")).to_be_hidden()
    expect(figure.get_by_role("button", name="draw to the end")).to_be_disabled()
    expect(said(figure)).to_have_text(f"{text} The text has ended.")
    figure.get_by_role("button", name="one step back").click()
    expect(figure.locator(".tokens, .classes")).to_be_visible()
    compare(figure, generator, generator.encode(text), 0.1)


def test_at_the_models_length_it_stops(page: Page, url: str, generator: TextGenerator) -> None:
    figure = loaded(page, url, "writing")
    text = "a b" * 8
    room = generator.model.config.max_length - len(generator.encode(text))
    figure.get_by_role("textbox").fill(text)
    added = figure.locator(".added")
    for _ in range(room):
        before = added.inner_text()
        figure.locator("tbody th button", has_not_text="<end>").first.click()
        expect(added).not_to_have_text(before, use_inner_text=True)
    expect(figure.locator(".ended")).to_have_text("The model reads no longer text than this.")


# Classifying ----------------------------------------------------------------------------------------------------------


def compare_classes(figure: Locator, classifier: TextClassifier, text: str) -> None:
    """Hold the rows of the classes equal to the package."""
    probable = classifier.classify([text])[0].probabilities
    expect(figure.locator(".classes tbody th")).to_have_text(list(probable))
    shares = torch.tensor(list(probable.values()), dtype=torch.float64)
    torch.testing.assert_close(numbers(figure, ".classes tbody"), shares, rtol=0, atol=FLOAT32)


def test_the_answer_to_what_is_typed_is_pytorchs(page: Page, url: str, classifier: TextClassifier) -> None:
    figure = opened(page, url, "classifying")
    compare_classes(figure, classifier, "einundzwanzig")  # Python's
    figure.get_by_role("button", name=BUTTON).click()
    expect(figure.get_by_role("button", name="First example")).to_be_visible()
    for text in ("femoghalvtreds", "fünfundfünfzig", "", " negentig ", "twenty-one"):
        figure.get_by_role("textbox").fill(text)
        expect(figure.locator(".pieces b")).to_have_count(len(classifier.encode(text)))
        compare_classes(figure, classifier, text)
    figure.get_by_role("button", name="First example").click()
    expect(figure.get_by_role("textbox")).to_have_value("einundzwanzig")
    expect(said(figure)).to_contain_text("German, ")
    compare_classes(figure, classifier, "einundzwanzig")


@pytest.mark.parametrize("text", ["einundzwanzig", "tjugoett"])
def test_where_cls_looks_is_pytorchs_in_every_layer_and_head(
    page: Page, url: str, classifier: TextClassifier, text: str
) -> None:
    figure = loaded(page, url, "classifying")
    figure.get_by_role("textbox").fill(text)
    reading = classifier.reading(text)
    expect(figure.locator(".pieces b")).to_have_text([piece.strip() for piece in reading.pieces])

    def close(weights: Tensor) -> None:
        torch.testing.assert_close(numbers(figure, ".pieces"), weights.double(), rtol=0, atol=FLOAT32)

    layer, head = figure.get_by_label("Layer"), figure.get_by_label("Head")
    expect(layer).to_have_value(str(len(reading.attention)))
    close(reading.attention[-1, :, 0].mean(0))  # at first the last layer, all heads
    for number, heads in enumerate(reading.attention, start=1):
        layer.select_option(str(number))
        for place, rows in enumerate(heads, start=1):
            head.select_option(str(place))
            close(rows[0])
        head.select_option("mean of all")
        close(heads[:, 0].mean(0))


# Everybody ------------------------------------------------------------------------------------------------------------


@every_figure
def test_what_is_too_long_is_refused_and_leaves_nothing_of_the_text_before(page: Page, url: str, name: str) -> None:
    figure = loaded(page, url, name)
    field = figure.get_by_role("textbox")
    field.fill("abcdefghi " * 1000)
    expect(figure.get_by_role("alert")).to_contain_text("over the model's limit of 30. Shorten it.")
    expect(figure.locator(".tokens, .classes")).to_be_hidden()
    field.fill("The cat")
    expect(figure.locator(".tokens, .classes")).to_be_visible()
    expect(figure.get_by_role("alert")).to_be_empty()


@every_figure
@pytest.mark.parametrize(
    "text", ["<b>x</b> <script>document.title = 'run'</script>", "👩‍👩‍👧", "\x01\x7f\u202e", "<end>"]
)
def test_odd_input_is_text(
    page: Page, url: str, generator: TextGenerator, classifier: TextClassifier, name: str, text: str
) -> None:
    figure = loaded(page, url, name)
    figure.get_by_role("textbox").fill(text)
    if len(generator.tokenizer.encode(text)) > 29:
        expect(figure.get_by_role("alert")).to_contain_text("over the model's limit of 30")
    elif name == "writing":
        compare(figure, generator, generator.encode(text))
        assert figure.locator(".text span").first.text_content() == text.strip()
    else:
        expect(figure.locator(".pieces b")).to_have_count(len(classifier.encode(text)))
        compare_classes(figure, classifier, text)
    assert figure.locator("script").count() == 1  # the values beside the figure
    assert page.title() == "Translator"


@every_figure
@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_audit_and_layout_of_the_figure_at_work(
    browser: Browser, url: str, name: str, width: int, scheme: str
) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.add_init_script(visiting.SHIFTS)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        figure = opened(page, url, name)
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
        height = figure.bounding_box()["height"]  # type: ignore[index]
        assert audit(page, name) == []
        figure.get_by_role("button", name=BUTTON).click()
        expect(figure.get_by_role("button", name=BUTTON)).to_have_count(0)
        if name == "writing":
            figure.get_by_role("button", name="draw a token").click()
            expect(figure.locator(".added")).not_to_be_empty()
        else:
            figure.get_by_role("textbox").fill("femoghalvtreds")
            expect(figure.locator(".pieces b")).not_to_have_count(0)
        page.wait_for_timeout(300)
        assert audit(page, name) == []
        assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") == 0
        assert page.evaluate("layoutShift") <= 0.01
        assert figure.bounding_box()["height"] == height  # type: ignore[index]
        assert problems == []


def audit(page: Page, name: str) -> list[str]:
    result = Axe().run(page, context=f"bbb-{name}", options={"resultTypes": ["violations"]}).response
    return [each["id"] for each in result["violations"]]


@every_figure
def test_without_scripts_pythons_table_and_how_to_see_it_move(browser: Browser, url: str, name: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}{name}.html")
        row = {"writing": "others together", "classifying": "German"}[name]
        expect(page.get_by_role("rowheader", name=row).first).to_be_visible()
        expect(page.locator("code", has_text="make serve")).to_be_visible()
