"""The inside figure as a reader meets it, in a real browser: its numbers, walk and keyboard, odd input, failures."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import torch
import translating
from axe_playwright_python.sync_playwright import Axe
from inside_numbers import Shown, followed
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect
from tiny_translator import LESSONS

from blockbyblock.live import InsideFigure
from blockbyblock.live.figure import visible
from blockbyblock.live.inside import SENTENCE, STOPS
from blockbyblock.live.model import MODEL
from blockbyblock.live.trace import Trace
from blockbyblock.portable import load_portable

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not MODEL.is_file(), reason="the box holds no model"),
]

REAL, TINY = MODEL.stem, "tiny"
TEXT = LESSONS[0][0]
# Sums of some hundred products in float32 in another order, of numbers of up to 30.
CLOSE = 2e-4
HELPERS = """async () => {
  Object.assign(window, await import("./source/places.mjs"))
  const root = () => document.querySelector("bbb-inside").shadowRoot
  const all = (selector, within = root()) => [...within.querySelectorAll(selector)]
  const lit = node => node.getAttribute("aria-pressed") === "true"
  const fed = side => all(".flow .side").find(node => node.textContent === side).parentNode.querySelector(".tokens")
  window.see = () => ({
    title: root().querySelector(".opened .title").textContent,
    numbers: all(".opened data").filter(node => node.value !== "").map(node => Number(node.value)),
    texts: all(".opened data").map(node => node.textContent),
    said: root().querySelector(".said").textContent,
    counter: root().querySelector(".tour .shown").textContent,
    block: all(".block").filter(lit).map(node => node.getAttribute("aria-label")),
    tokens: Object.fromEntries(all(".flow .side").map(({ textContent: side }) => [
      side, [...fed(side).children].flatMap((node, index) => lit(node) ? [index] : [])])),
    step: all(".opened fieldset input").find(node => node.checked)?.parentNode.textContent,
    head: Number(root().querySelector("select").value),
    hidden: root().querySelector("select").closest("label").hidden,
    links: all(".said a, .chapter a").map(node => node.getAttribute("href")),
  })
  window.reads = pieces => [...fed("the encoder reads").children].map(node => node.textContent).join() === pieces.join()
  window.choose = ([at, step, token, head, feature]) => {
    all(`.block.${placeOf(at).stack}`).find(node => node.getAttribute("aria-label") === titleOf(at)).click()
    const side = placeOf(at).stack === "encoder" ? "the encoder reads" : "the decoder reads what it has written"
    fed(side).children[token].click()
    const label = STEPS.find(([name]) => name === step)[1]
    all(".opened fieldset label").find(node => node.textContent === label).querySelector("input").click()
    const select = root().querySelector("select")
    select.value = head
    select.dispatchEvent(new Event("change"))
    const range = root().querySelector("input[type=range]")
    range.value = feature
    range.dispatchEvent(new Event("input"))
  }
}"""


@pytest.fixture(scope="module")
def folder(taught_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inside") / "site"
    translating.write_site(folder, taught_file, MODEL, translators=False)
    translating.write_inside(folder, "inside-tiny", InsideFigure(TEXT, file=taught_file))
    translating.write_inside(folder, f"inside-{REAL}", InsideFigure())
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving.serve(folder, "/") as found:
        yield found


@pytest.fixture(scope="module")
def traces(folder: Path) -> dict[str, Trace]:
    return {
        name: Trace(load_portable(folder / "models" / f"{name}.safetensors"), text)
        for name, text in ((TINY, TEXT), (REAL, SENTENCE))
    }


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as found:
        found.set_default_timeout(60_000)
        yield found


def opened(page: Page, url: str, name: str = TINY) -> Locator:
    """Go to the figure, and wait until the stored sentence is drawn."""
    expect.set_options(timeout=60_000)
    page.goto(f"{url}inside-{name}.html")
    figure = page.locator("bbb-inside")
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    page.evaluate(HELPERS)
    return figure


@pytest.fixture(scope="module")
def stored(context: BrowserContext, url: str) -> Callable[[str], Page]:
    """A page with the stored sentence of a model; no model is loaded there."""
    pages: dict[str, Page] = {}

    def once(name: str) -> Page:
        if name not in pages:
            pages[name] = context.new_page()
            opened(pages[name], url, name)
        return pages[name]

    return once


@pytest.fixture(scope="module")
def loaded(context: BrowserContext, url: str) -> Page:
    """A page with the tiny model loaded: the sentences below are asked there."""
    page = context.new_page()
    figure = opened(page, url)
    figure.get_by_role("button", name="Load the model").click()
    expect(figure.get_by_role("button", name="Translate")).to_be_enabled()
    return page


def ask(page: Page, text: str) -> None:
    field = page.locator("bbb-inside").get_by_role("textbox")
    field.fill(text)
    field.press("Enter")


def translated(page: Page, trace: Trace) -> None:
    """Ask for a sentence, and wait until it is there: its translation may be that of the one before."""
    ask(page, trace.text)
    pieces = trace.translator.tokenizer.pieces(trace.source)
    page.wait_for_function("pieces => reads(pieces)", arg=[visible(piece) for piece in pieces])
    expect(page.locator("bbb-inside .typed strong")).to_have_text(trace.translation)


def see(page: Page) -> dict[str, Any]:
    return page.evaluate("see()")


def matrix_there(page: Page) -> None:
    expect(page.locator("bbb-inside .body")).not_to_contain_text("being fetched")


def off(found: list[float], expected: list[float], where: object) -> float:
    """The largest difference, relative to what is large among numbers that are shown side by side."""
    assert len(found) == len(expected), where
    return max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(found, expected, strict=True))


# Numbers --------------------------------------------------------------------------------------------------------------

BLOCKS = [
    "source_embedding",
    "target_embedding",
    "source_positions",
    "target_positions",
    "encoder.layers.{}.self_attention",
    "encoder.layers.{}.self_attention_add_norm",
    "encoder.layers.{}.feed_forward",
    "encoder.layers.{}.feed_forward_add_norm",
    "decoder.layers.{}.self_attention",
    "decoder.layers.{}.self_attention_add_norm",
    "decoder.layers.{}.cross_attention",
    "decoder.layers.{}.cross_attention_add_norm",
    "decoder.layers.{}.feed_forward",
    "decoder.layers.{}.feed_forward_add_norm",
    "output",
]


@pytest.mark.parametrize("name", [TINY, REAL])
def test_every_number_of_every_block_equals_pytorch(
    stored: Callable[[str], Page], traces: dict[str, Trace], name: str, record_property: Callable[[str, object], None]
) -> None:
    page, trace = stored(name), traces[name]
    shown = Shown(trace, followed(trace))
    largest = 0.0
    for turn, block in enumerate(BLOCKS):
        for layer in (0, 1) if "{}" in block else (0,):
            at = block.format(layer)
            for step in ("projections", "scores", "sum", "concat") if at.endswith("attention") else ("scores",):
                head = (turn + layer) % shown.config.heads
                token = (2 * turn + layer) % len(shown.ids(at))
                narrow = step != "concat" and at.endswith("attention")
                feature = (7 * turn + 5 * layer) % (shown.width if narrow else shown.config.d_model)
                page.evaluate("choose", [at, step, token, head, feature])
                if step == "projections" and at.endswith("attention"):
                    matrix_there(page)
                found = see(page)
                assert found["title"] == page.evaluate("at => titleOf(at)", at)
                chosen = (at, step, token, head, feature)
                far = off(found["numbers"], shown(*chosen), chosen)
                assert far < CLOSE, chosen
                largest = max(largest, far)
                assert all(re.fullmatch(r"−?\d+\.\d{1,3}", text) for text in found["texts"] if text), found["texts"]
    record_property("parity", (f"inside, every number of every block, {name}", "float32", largest))


def test_the_matrix_that_is_asked_for_is_shown_and_no_other(
    stored: Callable[[str], Page], traces: dict[str, Trace]
) -> None:
    page, shown = stored(TINY), Shown(traces[TINY], followed(traces[TINY]))
    figure = page.locator("bbb-inside")
    for at in ("encoder.layers.1.self_attention", "decoder.layers.1.cross_attention"):
        for label, kind in (("W_K", "key"), ("W_V", "value"), ("W_Q", "query")):
            chosen = (at, "projections", 2, 1, 5)
            page.evaluate("choose", list(chosen))
            figure.get_by_label(label).check()
            expect(figure.locator(".body")).to_contain_text(f"rows of {label}")
            assert off(see(page)["numbers"], shown(*chosen, matrix=kind), chosen) < CLOSE
    page.evaluate("choose", ["encoder.layers.1.self_attention", "projections", 2, 1, 5])
    held: list[Route] = []
    holding = True

    def hold(route: Route) -> None:
        (held.append if holding else Route.continue_)(route)

    page.route("**/models/tiny.safetensors*", hold)
    figure.get_by_label("W_K").check()
    expect(figure.locator(".body")).to_contain_text("being fetched")
    page.wait_for_timeout(200)
    holding = False
    figure.get_by_label("W_V").check()
    expect(figure.locator(".body")).to_contain_text("rows of W_V")
    ended: list[str] = []
    page.on("requestfinished", lambda request: ended.append(request.url))
    for route in held:
        route.continue_()
    while len(ended) < 3:  # rows, biases, scales
        page.wait_for_timeout(50)
    page.wait_for_timeout(200)
    expect(figure.locator(".body")).to_contain_text("rows of W_V")
    page.unroute("**/models/tiny.safetensors*")
    figure.get_by_label("W_Q").check()
    matrix_there(page)


# The walk -------------------------------------------------------------------------------------------------------------

E, D = "encoder.layers", "decoder.layers"
WALK = [
    ("source_embedding", None, 4),
    ("source_positions", None, 5),
    (f"{E}.0.self_attention", "projections", 1),
    (f"{E}.0.self_attention", "scores", 2),
    (f"{E}.0.self_attention", "sum", 2),
    (f"{E}.0.self_attention", "concat", 3),
    (f"{E}.0.self_attention_add_norm", None, 6),
    (f"{E}.0.feed_forward", None, 7),
    (f"{E}.0.feed_forward_add_norm", None, 6),
    (f"{E}.1.self_attention", "scores", 8),
    (f"{E}.2.feed_forward_add_norm", None, 8),
    ("target_embedding", None, 9),
    ("target_positions", None, 5),
    (f"{D}.0.self_attention", "scores", 9),
    (f"{D}.0.self_attention_add_norm", None, 11),
    (f"{D}.0.cross_attention", "projections", 10),
    (f"{D}.0.cross_attention", "scores", 10),
    (f"{D}.0.cross_attention_add_norm", None, 11),
    (f"{D}.0.feed_forward", None, 11),
    (f"{D}.1.cross_attention", "scores", 11),
    (f"{D}.2.cross_attention", "scores", 10),
    (f"{D}.2.cross_attention", "sum", 10),
    (f"{D}.2.feed_forward_add_norm", None, 11),
    ("output", None, 12),
    ("target_embedding", None, 13),
]
LABELS = {"q, k, v": "projections", "scores": "scores", "weighted sum": "sum", "concat, linear": "concat"}


def numbers_of_the_walk(trace: Trace, tensors: dict[str, torch.Tensor]) -> dict[int, list[float]]:
    """Each number with two decimals that a stop's sentence says, by PyTorch; and heads and units, from 1."""
    source = 1
    cross = [tensors[f"{D}.{layer}.cross_attention.weights"] for layer in range(3)]
    step = int(cross[2][:, :, source].sum(0).argmax())

    def turned(at: str, query: int) -> tuple[int, float]:
        weights = tensors[f"{at}.weights"][:, query].clone()
        weights[:, query] = 0
        head = int(weights.amax(-1).argmax())
        return head + 1, float(tensors[f"{at}.weights"][head, query].max())

    def firing(at: str, position: int) -> list[float]:
        hidden = tensors[f"{at}.hidden_projection"][position]
        return [float((hidden > 0).sum()), float(len(hidden)), float(hidden.argmax()) + 1]

    config = trace.model.config
    probability = tensors["output"].softmax(-1)[step, trace.written[step]]
    (eye, most), (other, second) = turned(f"{E}.0.self_attention", source), turned(f"{E}.1.self_attention", source)
    return {
        1: [trace.source[source], config.d_model],
        2: [source, 0],
        3: [config.heads, eye],
        4: [most],
        8: firing(f"{E}.0.feed_forward", source),
        9: [1],
        10: [other, second],
        13: [step],
        17: [1, float(cross[0][:, step, source].max())],
        19: firing(f"{D}.0.feed_forward", step),
        20: [float(cross[1][:, step, source].max())],
        21: [
            *([] if (certain := int((cross[2][:, step, source] > 0.5).sum())) == config.heads else [certain]),
            config.heads,
            float(cross[2][:, step, source].argmax()) + 1,
            float(cross[2][:, step, source].max()),
        ],
        24: [config.target_vocab, float(probability)],
    }


def numerals(sentence: str) -> list[float]:
    text = re.sub(r" Chapter \d+.*", "", re.sub(r"“[^”]*”", "", sentence))
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.shadowRoot?.activeElement?.textContent ?? ''")


def test_the_walk_by_keyboard_alone_from_end_to_end_and_back(
    context: BrowserContext, url: str, traces: dict[str, Trace], capsys: pytest.CaptureFixture[str]
) -> None:
    page, trace = context.new_page(), traces[REAL]
    opened(page, url, REAL)
    exact = trace.tensors()
    rounded, plain = Shown(trace, followed(trace)), Shown(trace, exact)
    expected = numbers_of_the_walk(trace, exact)
    step_of_katze = [trace.translator.tokenizer.decode([id]).strip() for id in trace.written].index("Katze")
    for _ in range(80):
        if focused(page) == "Follow a token →":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    forth, lines = [], []
    assert STOPS == len(WALK) == 25
    for stop, (at, step, chapter) in enumerate(WALK, start=1):
        if step == "projections":
            matrix_there(page)
        found = see(page)
        assert found["counter"] == f"{stop} of 25"
        assert found["title"] == page.evaluate("at => titleOf(at)", at)
        assert found["block"] == [found["title"]]
        reads = "the encoder reads" if at.startswith(("source", "encoder")) else "the decoder reads what it has written"
        (token,) = found["tokens"][reads]
        others = {side: lit for side, lit in found["tokens"].items() if side != reads}
        assert others == {side: [token] if "decoder" in side and "decoder" in reads else [] for side in others}
        assert token == (1 if "encoder" in reads else step_of_katze + (stop == STOPS))
        if step:
            assert LABELS[found["step"]] == step
        assert found["hidden"] == (step is None)
        assert f"Chapter {chapter}:" in found["said"]
        assert f"/book/{chapter:02}_" in found["links"][0]
        arguments = (at, step or "scores", token, found["head"], 0)
        assert off(found["numbers"], rounded(*arguments), stop) < CLOSE
        far = off(found["numbers"], plain(*arguments), stop)
        said = numerals(found["said"])
        assert len(said) == len(expected.get(stop, [])), (stop, found["said"])
        for mine, theirs in zip(said, expected.get(stop, []), strict=True):
            assert mine == pytest.approx(theirs, abs=0.0 if float(theirs).is_integer() and theirs > 1 else 1.5e-3), stop
        forth.append(found)
        lines.append(f"{stop:2} | {at} | {step or ''} | {token} | {found['head']} | {found['said']} | {far:.1e}")
        assert re.search("[←→]", focused(page)), stop  # the keyboard does not lose its place
        page.keyboard.press("ArrowRight")
    assert see(page)["counter"] == "25 of 25"
    for stop in range(24, 0, -1):
        page.keyboard.press("ArrowLeft")
        if WALK[stop - 1][1] == "projections":
            matrix_there(page)
        assert see(page) == forth[stop - 1], stop
    page.keyboard.press("ArrowLeft")
    assert see(page)["counter"] == "1 of 25"
    page.keyboard.press("ArrowRight")
    assert see(page)["counter"] == "2 of 25"
    with capsys.disabled():
        print("", *lines, sep="\n")
    page.close()


DRAWN = """async () => {
  const next = document.querySelector("bbb-inside").shadowRoot.querySelector(".tour .next")
  const times = []
  for (let stop = 0; stop < 25; stop++) {
    const began = performance.now()
    next.click()
    document.body.offsetHeight
    times.push(performance.now() - began)
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)))
  }
  return times
}"""


@pytest.mark.parametrize("rate", [1, 4])
def test_how_long_a_step_of_the_walk_takes(
    context: BrowserContext, url: str, rate: int, capsys: pytest.CaptureFixture[str]
) -> None:
    page = context.new_page()
    opened(page, url, REAL)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
    times = page.evaluate(DRAWN)
    assert len(times) == 25
    with capsys.disabled():
        middle = sorted(times)[12]
        print(f"\nstep of the walk, slowed {rate} times: median {middle:.0f} ms, longest {max(times):.0f} ms", end=" ")
    page.close()


def test_nothing_is_drawn_or_fetched_of_a_place_that_is_half_set(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    opened(page, url)
    page.evaluate("choose", ["source_embedding", "scores", 0, 0, 0])
    counted = """() => {
      const root = document.querySelector("bbb-inside").shadowRoot
      window.drawings = 0
      const body = root.querySelector(".opened .body")
      new MutationObserver(all => (window.drawings += all.filter(each => each.addedNodes.length).length))
        .observe(body, { childList: true })
      const next = root.querySelector(".tour .next")
      for (let stop = 0; stop < 20; stop++) next.click()
    }"""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate(counted)
    matrix_there(page)
    assert page.evaluate("drawings") <= 20
    assert len(asked) <= 2 * 3  # weights, scales and biases of the two stops that show a matrix
    page.close()


def at_stop(page: Page, stop: int) -> dict[str, Any]:
    for _ in range(stop):
        page.locator("bbb-inside .tour .next").click()
    found = see(page)
    assert found["counter"] == f"{stop} of 25"
    return found


@pytest.mark.parametrize(
    "leave",
    [
        "choose(['output', 'scores', 0, 0, 0])",
        "[...document.querySelector('bbb-inside').shadowRoot.querySelectorAll('.flow .token')].at(-1).click()",
        "document.querySelector('bbb-inside').shadowRoot.querySelector('.opened fieldset input').click()",
        """() => {
          const select = document.querySelector('bbb-inside').shadowRoot.querySelector('select')
          select.value = (Number(select.value) + 1) % 4
          select.dispatchEvent(new Event('change'))
        }""",
    ],
    ids=["block", "token", "step", "head"],
)
def test_who_leaves_the_walk_is_told_and_comes_back_to_the_stop(context: BrowserContext, url: str, leave: str) -> None:
    page = context.new_page()
    figure = opened(page, url)
    before = at_stop(page, 4)
    page.evaluate(leave)
    left = see(page)
    assert left["said"] == "You have left the walk at stop 4 of 25: something else is open."
    assert (left["counter"], len(left["links"])) == ("", 1)  # the block's chapter, not the stop's
    expect(figure.get_by_role("button", name="Back")).to_be_disabled()
    expect(figure.locator(".unseen[role=status]")).not_to_contain_text("of 25")
    figure.get_by_role("button", name="Return to stop 4").press("ArrowRight")  # with the arrow keys, too
    assert see(page) == before
    page.keyboard.press("ArrowRight")
    assert see(page)["counter"] == "5 of 25"
    page.close()


def test_a_feature_is_read_without_leaving_the_walk(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    figure = opened(page, url)
    at_stop(page, 4)
    figure.get_by_role("slider", name="Feature").press("ArrowRight")
    assert see(page)["counter"] == "4 of 25"
    page.close()


def test_a_new_sentence_leaves_who_has_left_the_walk_where_they_are(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    figure = opened(page, url)
    at_stop(page, 3)
    page.evaluate("choose(['output', 'scores', 0, 0, 0])")
    figure.get_by_role("textbox").fill(LESSONS[1][0])
    figure.get_by_role("button", name="Load the model").click()
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
    assert see(page)["title"] == "Linear and softmax"
    figure.get_by_role("button", name="Return to stop 3").click()
    assert see(page)["counter"] == "3 of 25"
    page.close()


def test_a_walk_key_that_an_input_method_takes_moves_nothing(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    figure = opened(page, url)
    at_stop(page, 2)
    for init in ("isComposing: true", "keyCode: 229"):
        figure.locator(".tour .next").evaluate(
            f"node => node.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowRight', bubbles: true, {init} }}))"
        )
    assert see(page)["counter"] == "2 of 25"
    page.close()


# Choosing -------------------------------------------------------------------------------------------------------------


def test_blocks_and_tokens_are_chosen_by_keyboard(stored: Callable[[str], Page], traces: dict[str, Trace]) -> None:
    page = stored(TINY)
    figure = page.locator("bbb-inside")
    figure.get_by_role("button", name="Decoder, layer 2: feed-forward", exact=True).focus()
    page.keyboard.press("Enter")
    assert see(page)["title"] == "Decoder, layer 2: feed-forward"
    chips = figure.locator(".flow .token")
    assert chips.count() == len(traces[TINY].source) + 2 * len(traces[TINY].read)
    figure.get_by_role("button", name="<start>").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert see(page)["tokens"] == {
        "the encoder reads": [],
        "the decoder reads what it has written": [1],
        "the decoder writes": [1],
    }
    assert see(page)["title"] == "Decoder, layer 2: feed-forward"
    slider = figure.get_by_role("slider", name="Feature")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(figure.locator(".slider .shown")).to_have_text("2 of 36")
    figure.get_by_role("button", name="Encoder, layer 1: self-attention", exact=True).press("Enter")
    figure.get_by_label("q, k, v").focus()
    page.keyboard.press("ArrowRight")
    assert LABELS[see(page)["step"]] == "scores"
    expect(figure.locator(".sheet caption").last).to_contain_text("The keys")


def test_a_change_is_announced_in_one_sentence(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    figure = opened(page, url)
    page.evaluate("choose", ["source_positions", "scores", 0, 0, 0])
    status = figure.locator(".unseen[role=status]")
    expect(status).to_contain_text("Positional encoding of the input. The pattern")
    status.evaluate("""node => {
      window.heard = []
      new MutationObserver(() => heard.push(node.textContent)).observe(node, { childList: true, characterData: true })
    }""")
    figure.locator(".tour .next").click()
    expect(status).to_contain_text("1 of 25.")
    for _ in range(3):
        figure.locator(".tour .next").press("ArrowRight")
    expect(status).to_contain_text("4 of 25.")
    page.wait_for_timeout(500)
    heard = page.evaluate("heard")
    assert heard[0].startswith("1 of 25. ")
    assert heard[-1].startswith("4 of 25. ")
    assert len(heard) <= 4
    figure.get_by_role("button", name="Linear and softmax").press("Enter")
    expect(status).to_contain_text("Linear and softmax. ")
    page.close()


NAMES = """() => [...document.querySelector("bbb-inside").shadowRoot.querySelectorAll("button, input, select, [role]")]
  .filter(node => node.checkVisibility() && !["status", "alert", "img"].includes(node.role))
  .map(node => node.ariaLabel ?? node.labels?.[0]?.textContent ?? node.textContent)"""


@pytest.mark.parametrize("at", ["decoder.layers.2.cross_attention", "output"])
def test_no_two_controls_have_one_name(stored: Callable[[str], Page], at: str) -> None:
    page = stored(REAL)  # with “the” twice in the source, and what is written and read below and above
    page.evaluate("choose", [at, "scores", 1, 0, 0])
    names = page.evaluate(NAMES)
    assert len(names) > 40
    assert [each for each in set(names) if names.count(each) > 1] == []
    shown = page.evaluate("""() => [...document.querySelector("bbb-inside").shadowRoot.querySelectorAll("[aria-label]")]
      .filter(node => node.matches("button") && node.textContent)
      .filter(node => !node.ariaLabel.toLowerCase().includes(node.textContent.toLowerCase()))
      .map(node => node.textContent)""")
    assert shown == []  # who speaks to a computer says what is to be read


def test_where_no_hidden_unit_fires_the_picture_is_even_and_said(
    stored: Callable[[str], Page], traces: dict[str, Trace]
) -> None:
    page = stored(TINY)
    found = page.evaluate(
        """async trace => {
      const { storedPassage } = await import("./source/passage.mjs")
      const { opened } = await import("./source/opened.mjs")
      const { walkThrough } = await import("./source/walk.mjs")
      const passage = storedPassage(await (await fetch(`models/${trace}.safetensors`)).arrayBuffer())
      const at = "encoder.layers.0.feed_forward"
      for (const each of passage.tensors[`${at}.hidden_projection`]) each.fill(-1)
      const painted = []
      const paint = (canvas, numbers, scale) => painted.push(...Array.from(numbers, number => number / scale))
      const view = opened(passage, { at, step: "scores", token: 1, head: 0 }, paint)
      view.read(0)
      return [painted.every(Number.isFinite), view.nodes.map(node => node.textContent).join(" "),
        walkThrough(passage).stops[7].sentence]
    }""",
        page.evaluate("JSON.parse(document.querySelector('bbb-inside script').textContent).trace"),
    )
    even, text, sentence = found
    width = traces[TINY].model.config.d_ff
    assert even
    assert f"None of the {width:,} units fires" in text
    assert "NaN" not in text
    assert "strongest units add" not in text
    assert f"none of its {width:,} hidden units fires" in sentence


# A sentence of one's own ----------------------------------------------------------------------------------------------

ODD = [
    "<b>bold</b> <script>document.title = 'run'</script> &amp;",
    "👩‍👩‍👧 🇩🇪",
    "שלום עולם",
    "\x01\x7f\u202e odd \x00",
    "<end> <start>",
    "pneumono" * 5,
    "cat",
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_an_own_sentence_is_text_whatever_it_holds(
    loaded: Page, traces: dict[str, Trace], text: str, record_property: Callable[[str, object], None]
) -> None:
    trace = Trace(traces[TINY].translator, text)
    figure = loaded.locator("bbb-inside")
    stays = ("source_positions", "scores", 0, 0, 0)
    loaded.evaluate("choose", list(stays))
    translated(loaded, trace)
    assert off(see(loaded)["numbers"], Shown(trace, trace.tensors())(*stays), text) < CLOSE
    expect(figure.locator(".typed [role=status]")).to_contain_text(trace.translation)
    expect(figure.get_by_role("alert")).to_be_empty()
    pieces = trace.translator.tokenizer.pieces
    chips = figure.locator(".flow .tokens").evaluate_all(
        "all => all.map(each => [...each.children].map(n => n.textContent))"
    )
    expected = [[visible(piece) for piece in pieces(ids)] for ids in (trace.source, trace.read, trace.written)]
    assert sorted(chips) == sorted(expected)
    shown, largest = Shown(trace, trace.tensors()), 0.0
    for at, step in [
        ("decoder.layers.2.cross_attention", "scores"),
        ("encoder.layers.1.feed_forward", "scores"),
        ("output", "sum"),
    ]:
        token = len(shown.ids(at)) - 1
        loaded.evaluate("choose", [at, step, token, 3, 4])
        far = off(see(loaded)["numbers"], shown(at, step, token, 3, 4), at)
        assert far < CLOSE
        largest = max(largest, far)
    record_property("parity", ("inside, an own sentence in the page", "float32", largest))
    loaded.evaluate("choose", ["encoder.layers.1.self_attention", "projections", 0, 1, 2])
    matrix_there(loaded)
    found = see(loaded)["numbers"]
    assert off(found, shown("encoder.layers.1.self_attention", "projections", 0, 1, 2), text) < CLOSE
    if figure.locator(".tour .next").inner_text().startswith("Return"):
        figure.locator(".tour .next").click()
    while figure.get_by_role("button", name="Back").is_enabled():
        figure.get_by_role("button", name="Back").click()
    while figure.locator(".tour .next").is_enabled():
        figure.locator(".tour .next").click()
    assert see(loaded)["counter"] == "25 of 25"
    assert "NaN" not in figure.inner_text()
    assert "undefined" not in figure.inner_text()
    assert loaded.title() == "Translator"
    assert loaded.locator("bbb-inside b, bbb-inside script").count() == 1  # the values beside the figure
    assert overflow(loaded) == 0


def test_a_token_is_shown_in_the_page_as_python_shows_it(stored: Callable[[str], Page]) -> None:
    codes = [
        *range(0x250),
        *range(0x600, 0x620),
        *range(0x1800, 0x1810),
        *range(0x2000, 0x2070),
        *range(0xFE00, 0xFE20),
    ]
    pieces = [f"{end}{chr(code)}b" for code in [*codes, 0x3164, 0xFEFF, 0xFFA0, 0xE0041, 0x1F469] for end in ("a", "")]
    shown = "async pieces => pieces.map((await import('./source/figure.mjs')).visible)"
    assert stored(TINY).evaluate(shown, pieces) == [visible(piece) for piece in pieces]


def overflow(page: Page) -> int:
    return page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")


def test_what_cannot_be_translated_leaves_the_old_sentence(loaded: Page, traces: dict[str, Trace]) -> None:
    figure = loaded.locator("bbb-inside")
    translated(loaded, traces[TINY])
    before = figure.locator(".flow .tokens").all_inner_texts()
    long = "a " * 299 + "a"
    length = len(traces[TINY].translator.tokenizer.encode(long)) + 1
    for text, words in [
        (long, f"The sentence has {length} tokens with <end>, over the model's limit of 60"),
        ("", "Type"),
        ("  \t", "Type"),
    ]:
        ask(loaded, text)
        expect(figure.get_by_role("alert")).to_contain_text(words)
        assert figure.locator(".flow .tokens").all_inner_texts() == before
        expect(figure.locator(".typed strong")).to_have_text(traces[TINY].translation)
    ask(loaded, TEXT)
    expect(figure.get_by_role("alert")).to_be_empty()


def test_enter_while_composing_asks_for_nothing(loaded: Page) -> None:
    figure = loaded.locator("bbb-inside")
    ask(loaded, LESSONS[1][0])
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
    field = figure.get_by_role("textbox")
    field.fill(LESSONS[2][0])
    for init in ("{ key: 'Enter', bubbles: true, isComposing: true }", "{ key: 'Enter', bubbles: true, keyCode: 229 }"):
        field.evaluate(f"node => node.dispatchEvent(new KeyboardEvent('keydown', {init}))")
    loaded.wait_for_timeout(300)
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
    field.press("Enter")
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[2][1])


def test_the_token_that_is_chosen_is_one_of_the_new_sentence(loaded: Page) -> None:
    figure = loaded.locator("bbb-inside")
    ask(loaded, LESSONS[3][0])
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[3][1])
    loaded.evaluate("choose", ["source_embedding", "scores", 9, 0, 0])
    ask(loaded, "a")
    expect(figure.locator(".flow .token").first).to_be_attached()
    loaded.wait_for_function(
        "see().tokens['the encoder reads'].length === 1 && see().tokens['the encoder reads'][0] < 3"
    )


# What is loaded, and when ---------------------------------------------------------------------------------------------


def test_each_thing_is_loaded_when_it_is_needed(context: BrowserContext, url: str, folder: Path) -> None:
    page, asked = context.new_page(), []
    page.on(
        "request",
        lambda each: (
            "/models/" in each.url and asked.append((each.url.split("/models/")[1], each.headers.get("range")))
        ),
    )
    page.route("**/inside-tiny.html", lambda route: route.fulfill(body=padded(folder), content_type="text/html"))
    page.goto(f"{url}inside-tiny.html")
    page.wait_for_function("document.querySelector('bbb-inside').shadowRoot")
    page.wait_for_timeout(400)
    assert asked == []
    figure = page.locator("bbb-inside")
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    assert [name.endswith(".safetensors") for name, _ in asked] == [True]
    page.evaluate(HELPERS)
    for step in ("scores", "sum", "concat"):
        page.evaluate("choose", ["encoder.layers.1.self_attention", step, 2, 2, 0])
    page.evaluate("choose", ["output", "concat", 1, 0, 0])
    page.evaluate("choose", ["encoder.layers.1.feed_forward", "concat", 1, 0, 0])
    page.wait_for_timeout(200)
    assert len(asked) == 1
    page.evaluate("choose", ["encoder.layers.1.self_attention", "projections", 2, 2, 0])
    matrix_there(page)
    parts = [re.fullmatch(r"bytes=(\d+)-(\d+)", wanted or "") for _, wanted in asked[1:]]
    assert all(parts)
    sizes = [int(each[2]) - int(each[1]) + 1 for each in parts if each]
    assert set(sizes) == {9 * 36, 9 * 4}  # a head's nine rows of whole numbers, their scales and biases
    page.close()


def padded(folder: Path) -> str:
    text = (folder / "inside-tiny.html").read_text(encoding="utf-8")
    return text.replace("<h1>", '<div style="height: 4000px"></div><h1>')


def test_a_server_without_parts_serves_the_same(
    context: BrowserContext, folder: Path, traces: dict[str, Trace]
) -> None:
    shown = Shown(traces[REAL], followed(traces[REAL]))
    chosen = ("encoder.layers.1.self_attention", "projections", 2, 5, 3)
    with serving.serve(folder, "/", parts=False) as url:
        page = context.new_page()
        opened(page, url, REAL)
        page.evaluate("choose", list(chosen))
        matrix_there(page)
        assert off(see(page)["numbers"], shown(*chosen), chosen) < CLOSE
        page.close()


# Failures -------------------------------------------------------------------------------------------------------------


def stored_still_works(page: Page, traces: dict[str, Trace]) -> None:
    chosen = ("encoder.layers.0.self_attention", "scores", 1, 1, 1)
    page.evaluate("choose", list(chosen))
    shown = Shown(traces[TINY], followed(traces[TINY]))
    assert off(see(page)["numbers"], shown(*chosen), chosen) < CLOSE


@pytest.mark.parametrize(
    "failure, words",
    [
        ("404", "The model did not come: 404 Not Found."),
        ("offline", "The model did not come: the server does not answer."),
        ("half", "cut short"),
    ],
)
def test_a_model_that_does_not_come_is_told_and_may_be_asked_for_again(
    browser: Browser, url: str, folder: Path, traces: dict[str, Trace], failure: str, words: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        figure = opened(page, url)
        content = (folder / "models" / "tiny.safetensors").read_bytes()
        answers: dict[str, Callable[[Route], None]] = {
            "404": lambda route: route.fulfill(status=404),
            "offline": lambda route: route.abort("internetdisconnected"),
            "half": lambda route: route.fulfill(body=content[: len(content) // 2]),
        }
        context.route("**/models/tiny.safetensors*", answers[failure])
        button = figure.get_by_role("button", name="Load the model")
        button.click()
        expect(figure.get_by_role("alert")).to_contain_text(words)
        stored_still_works(page, traces)
        page.evaluate("choose", ["encoder.layers.0.self_attention", "projections", 1, 1, 1])
        if failure != "half":
            expect(figure.locator(".body")).to_contain_text("This part of W_Q did not come. ")
            expect(figure.locator(".body")).to_contain_text(words.removeprefix("The model did not come: ")[-8:])
        context.unroute("**/models/tiny.safetensors*")
        if failure != "half":
            figure.get_by_role("button", name="Ask again").click()
            expect(figure.locator(".body")).to_contain_text("rows of W_Q")
        figure.get_by_role("textbox").fill(LESSONS[1][0])
        button.click()
        expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
        expect(figure.get_by_role("alert")).to_be_empty()


STORED = re.compile(r"/models/\w{12}\.safetensors")


@pytest.mark.parametrize(
    "answer, words",
    [
        (lambda route: route.fulfill(status=404), "404 Not Found."),
        (lambda route: route.abort("internetdisconnected"), "The server does not answer."),
        (lambda route: route.fulfill(body=b"\xff\x00\x00\x00\x00\x00\x00\x00{"), "The file is cut short"),
    ],
    ids=["404", "offline", "half"],
)
def test_a_stored_sentence_that_does_not_come_is_told_and_the_model_still_works(
    browser: Browser, url: str, answer: Callable[[Route], None], words: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        context.route(STORED, answer)
        page.goto(f"{url}inside-tiny.html")
        figure = page.locator("bbb-inside")
        expect(figure.get_by_role("alert")).to_contain_text(f"The stored sentence did not come. {words}")
        expect(figure.get_by_role("alert")).to_contain_text("Reload the page to ask once more, or load the model")
        figure.get_by_role("button", name="Load the model").click()
        expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
        expect(figure.locator(".typed strong")).to_have_text(LESSONS[0][1])
        expect(figure.get_by_role("alert")).to_be_empty()
        page.evaluate(HELPERS)
        page.evaluate("choose", ["encoder.layers.0.self_attention", "projections", 1, 1, 1])
        expect(figure.locator(".body")).to_contain_text("rows of W_Q")


@pytest.fixture
def held(browser: Browser, url: str) -> Iterator[tuple[Locator, list[Route]]]:
    """A figure whose stored sentence is on its way, and the requests to let go on."""
    with browser.new_context() as context:
        page = context.new_page()
        routes: list[Route] = []
        context.route(STORED, lambda route: routes.append(route))
        page.clock.install()
        page.goto(f"{url}inside-tiny.html")
        page.clock.run_for(1000)
        page.wait_for_function("document.querySelector('bbb-inside').shadowRoot")
        while not routes:
            page.wait_for_timeout(50)
        yield page.locator("bbb-inside"), routes


def test_a_stored_sentence_that_does_not_come_for_long_is_said(held: tuple[Locator, list[Route]]) -> None:
    figure, routes = held
    figure.page.clock.fast_forward(30_000)
    expect(figure.get_by_role("alert")).to_contain_text("Nothing more of the sentence has come for a while")
    for route in routes:
        route.continue_()
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    expect(figure.get_by_role("alert")).to_be_empty()


def test_a_stored_sentence_that_comes_late_does_not_take_the_place_of_ones_own(
    held: tuple[Locator, list[Route]],
) -> None:
    figure, routes = held
    figure.get_by_role("textbox").fill(LESSONS[1][0])
    figure.get_by_role("button", name="Load the model").click()
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
    for route in routes:
        route.continue_()
    figure.page.wait_for_timeout(500)
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])


def test_a_sentence_that_comes_does_not_take_the_place_of_what_is_being_typed(
    held: tuple[Locator, list[Route]],
) -> None:
    figure, routes = held
    figure.get_by_role("textbox").fill("half a sent")
    for route in routes:
        route.continue_()
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    expect(figure.get_by_role("textbox")).to_have_value("half a sent")
    figure.get_by_role("textbox").fill(LESSONS[1][0])
    figure.get_by_role("button", name="Load the model").click()
    expect(figure.locator(".typed strong")).to_have_text(LESSONS[1][1])
    expect(figure.get_by_role("textbox")).to_have_value(LESSONS[1][0])


# Everybody ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_and_layout_of_each_kind_of_block(browser: Browser, url: str, width: int, scheme: str) -> None:
    with browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce") as context:
        page, problems = context.new_page(), []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        opened(page, url, REAL)
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
        kinds = [
            ("source_embedding", "scores"),
            ("target_positions", "scores"),
            *(("decoder.layers.2.cross_attention", step) for step in LABELS.values()),
            ("decoder.layers.0.self_attention", "scores"),
            ("encoder.layers.0.self_attention_add_norm", "scores"),
            ("encoder.layers.0.feed_forward", "scores"),
            ("output", "scores"),
        ]
        for at, step in kinds:
            page.evaluate("choose", [at, step, 2, 6, 3])
            matrix_there(page)
            options = {"resultTypes": ["violations"], "preload": False}
            result = Axe().run(page, context="bbb-inside", options=options).response
            found = [(each["id"], node["html"][:160]) for each in result["violations"] for node in each["nodes"]]
            assert found == [], (at, step)
            assert overflow(page) == 0, (at, step)
            assert page.evaluate(CUT) == [], (at, step)
        assert problems == []


# What reaches beyond the figure, and is not in a part that scrolls.
CUT = """() => {
  const host = document.querySelector("bbb-inside")
  const box = host.getBoundingClientRect()
  const own = node => /(auto|scroll)/.test(getComputedStyle(node).overflowX)
  const scrolls = node => node && (own(node) || scrolls(node.parentElement))
  return [...host.shadowRoot.querySelectorAll("*:not(.unseen)")].filter(node => {
    const { left, right, width } = node.getBoundingClientRect()
    const beyond = width && (right > box.right + 1 || left < box.left - 8)
    return beyond && !scrolls(node.parentElement) && !node.closest("svg")
  }).map(node => node.outerHTML.slice(0, 120))
}"""


def test_a_window_that_changes_its_size_while_a_block_is_open(stored: Callable[[str], Page]) -> None:
    page = stored(REAL)
    page.evaluate("choose", ["decoder.layers.2.cross_attention", "scores", 2, 6, 3])
    before = see(page)
    for width in (1280, 375, 700, 375, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert overflow(page) == 0, width
        assert page.evaluate(CUT) == [], width
        assert see(page) == before


def test_on_a_phone_the_block_is_one_touch_away_and_so_is_the_map(browser: Browser, url: str) -> None:
    with browser.new_context(viewport={"width": 375, "height": 700}, has_touch=True) as context:
        page = context.new_page()
        figure = opened(page, url)
        title = figure.locator(".opened .title")
        expect(title).not_to_be_in_viewport()
        figure.get_by_role("button", name="Encoder, layer 2: feed-forward", exact=True).tap()
        expect(title).to_be_in_viewport()
        expect(title).to_have_text("Encoder, layer 2: feed-forward")
        covered = "([a, b]) => a.getBoundingClientRect().bottom > b.getBoundingClientRect().top + 1"
        bar = figure.locator(".tour").element_handle()
        assert not page.evaluate(covered, [bar, title.element_handle()])
        figure.get_by_role("button", name="Map").tap()
        expect(figure.get_by_role("button", name="Linear and softmax")).to_be_in_viewport()
        figure.get_by_role("button", name="Block").tap()
        expect(title).to_be_in_viewport()

        page.set_viewport_size({"width": 1280, "height": 900})
        expect(figure.locator(".apart")).to_be_hidden()


def test_the_chosen_head_and_the_token_that_it_looks_at_most_stand_out(
    stored: Callable[[str], Page], traces: dict[str, Trace]
) -> None:
    page, trace = stored(REAL), traces[REAL]
    figure = page.locator("bbb-inside")
    page.evaluate("choose", ["encoder.layers.0.self_attention", "concat", 1, 3, 0])
    styles = "nodes => nodes.map(node => getComputedStyle(node).outlineStyle)"
    assert figure.locator(".piece").evaluate_all(styles) == ["none"] * 3 + ["solid"] + ["none"] * 4
    page.evaluate("choose", ["encoder.layers.0.self_attention", "scores", 1, 3, 0])
    bold = "nodes => nodes.flatMap((n, place) => Number(getComputedStyle(n).fontWeight) > 600 ? [n.textContent] : [])"
    most = trace.source[int(trace.tensors()["encoder.layers.0.self_attention.weights"][3, 1].argmax())]
    assert figure.locator(".sheet tbody th").evaluate_all(bold) == [
        visible(trace.translator.tokenizer.pieces([most])[0])
    ]


def test_what_is_written_is_drawn_to_where_it_is_read(stored: Callable[[str], Page]) -> None:
    ends = stored(REAL).evaluate("""() => {
      const root = document.querySelector("bbb-inside").shadowRoot
      const box = selector => root.querySelector(selector).getBoundingClientRect()
      const [scene, loop] = [box(".towers"), box(".wire.loop")]
      const line = name => getComputedStyle(root.querySelector(name), "::after")
      return [loop.top - scene.top, loop.bottom - scene.bottom, box(".end.written").bottom - scene.top,
        box(".end.decoder").top - scene.bottom, line(".end.written").bottom, line(".end.decoder").top,
        box(".end.written").right - loop.right]
    }""")
    *gaps, above, below, beside = ends
    assert max(map(abs, gaps)) < 1  # one line, in three parts
    assert (above, below) == ("0px", "0px")
    assert abs(beside) < 3


# Where the chapters and the cover open the figure: place, step, token, head.
OPENINGS = [
    ("source_embedding", "scores", 1, 0),
    ("source_positions", "scores", 1, 0),
    ("encoder.layers.0.self_attention", "projections", 1, 3),
    ("encoder.layers.0.self_attention", "sum", 1, 3),
    ("encoder.layers.0.self_attention", "concat", 1, 3),
    ("encoder.layers.0.self_attention_add_norm", "scores", 1, 0),
    ("encoder.layers.0.feed_forward", "scores", 1, 0),
    ("decoder.layers.2.cross_attention", "scores", 1, 2),
    ("decoder.layers.2.feed_forward_add_norm", "scores", 1, 0),
    ("output", "scores", 1, 0),
]


@pytest.mark.parametrize("width, column, side", [(1280, 736, 0), (375, 343, 1)])
def test_the_room_that_is_kept_is_the_height_of_the_figure(
    browser: Browser, url: str, width: int, column: int, side: int
) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        opened(page, url, REAL)
        page.add_style_tag(content=f"main {{ width: {column}px }}")  # that of a page of the book
        for at, step, token, head in OPENINGS:
            page.evaluate("choose", [at, step, token, head, 0])
            matrix_there(page)
            bottom = page.evaluate("""() => {
              const host = document.querySelector("bbb-inside")
              const parts = [...host.shadowRoot.children].filter(node => !node.matches("style, .unseen"))
              const bottoms = parts.map(node => node.getBoundingClientRect().bottom)
              return Math.max(...bottoms) - host.getBoundingClientRect().top
            }""")
            room = InsideFigure(at=at, step=step).room[side]
            assert bottom <= room < bottom + 36, (at, step)  # two lines, which the words of one token may need


def test_nothing_moves_for_readers_who_asked_for_no_motion(browser: Browser, url: str) -> None:
    with browser.new_context(reduced_motion="reduce") as context:
        page = context.new_page()
        opened(page, url)
        page.locator("bbb-inside").locator(".tour .next").click()
        assert page.evaluate("document.getAnimations().length") == 0
        moving = """[...document.querySelector("bbb-inside").shadowRoot.querySelectorAll("*")].filter(node => {
          const { transitionDuration, animationName } = getComputedStyle(node)
          return animationName !== "none" || /[1-9]/.test(transitionDuration)
        }).length"""
        assert page.evaluate(moving) == 0


@pytest.mark.parametrize("kind", ["no scripts", "file"])
def test_without_scripts_and_as_a_file_the_still_version_stands(
    browser: Browser, url: str, folder: Path, kind: str
) -> None:
    with browser.new_context(java_script_enabled=kind == "file") as context:
        page = context.new_page()
        page.goto(f"{url}inside-{REAL}.html" if kind == "no scripts" else (folder / f"inside-{REAL}.html").as_uri())
        figure = page.locator("bbb-inside")
        expect(figure.locator("svg").first).to_be_visible()
        expect(figure.get_by_text("“The cat sat on the chair.” becomes “Die Katze saß auf dem Stuhl.”")).to_be_visible()
        expect(figure.get_by_role("cell", name="Katze 0.9")).to_be_visible()
        expect(figure.locator("code", has_text="make serve")).to_be_visible()
