"""Finding the figures that move on the built pages, and reading the numbers that they show."""

import json
from typing import Any

import torch
import visiting
from playwright.sync_api import Locator, Page, expect
from torch import Tensor

PAGES = {
    "bbb-attention": "book/02_scaled_dot_product_attention",
    "bbb-classifying": "book/index",
    "bbb-heads": "book/00_translate_first",
    "bbb-masks": "book/09_masking",
    "bbb-next-token": "book/12_linear_and_softmax",
    "bbb-positions": "book/05_positional_encoding",
    "bbb-split-concat": "book/03_multi_head_attention",
    "bbb-translator": "book/00_translate_first",
    "bbb-writing": "book/index",
}
# Sums of up to 64 products and their exponentials, both in double precision, in another order: a few roundings of 1e-16
# on numbers of up to 30.
TOLERANCE = 1e-12
PATIENCE = 60_000  # ms: a busy machine may take long to load a page of formulas, and no test here is about time


def opened(page: Page, address: str, tag: str) -> Locator:
    """Go to the page of a figure and wait until its module has drawn it, and the formulas above it are there."""
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.emulate_media(reduced_motion="reduce")  # the theme scrolls smoothly: a place that is read would be on its way
    page.goto(f"{address}{PAGES[tag]}.html")
    page.evaluate(visiting.SETTLED)
    page.wait_for_function("tag => document.querySelector(tag).shadowRoot", arg=tag)
    return page.locator(tag)


def stored(figure: Locator) -> dict[str, Any]:
    """The values that stand beside the figure on its page."""
    return json.loads(figure.locator("script[type='application/json']").text_content() or "")


def numbers(figure: Locator, part: str = "") -> Tensor:
    """Every number that the figure, or a part of it, shows: the whole one behind each rounded one."""
    values = figure.locator(f"{part} data").evaluate_all("nodes => nodes.map(node => node.value)")
    return torch.tensor([float(value) for value in values], dtype=torch.float64)


def difference(shown: Tensor, expected: Tensor) -> float:
    """The largest difference between what the browser and what PyTorch computed; both may be NaN at the same places."""
    assert shown.shape == expected.shape
    assert torch.equal(shown.isnan(), expected.isnan())
    return max((shown - expected).nan_to_num().abs().tolist(), default=0.0)
