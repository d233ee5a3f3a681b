"""Every page of the built book, as a browser sees it: wide and narrow, in light and in dark."""

from collections.abc import Callable

import pytest
from building import PAGES, WITHOUT_SOURCE
from visiting import AUDITED_WHOLE, Visit

HEAVIEST = 1_200_000  # compressed bytes of the first load
LARGEST_SHIFT = 0.1  # what web.dev calls good

Visiting = Callable[[str], Visit]
every_page = pytest.mark.parametrize("name", [*PAGES, *WITHOUT_SOURCE])


@every_page
def test_no_error_or_warning_on_the_console(visit: Visiting, name: str) -> None:
    assert visit(name).console == []


@every_page
def test_no_request_fails(visit: Visiting, name: str) -> None:
    assert visit(name).failed == []


@every_page
def test_no_request_to_another_host(visit: Visiting, name: str) -> None:
    assert visit(name).foreign == []


@every_page
def test_first_load_is_light(visit: Visiting, name: str) -> None:
    seen = visit(name)
    largest = sorted(seen.sizes.items(), key=lambda item: -item[1])[:5]
    assert len(seen.sizes) > 5, "the sizes of the responses were not gathered"
    assert seen.weight <= HEAVIEST, largest


@every_page
def test_text_does_not_jump(visit: Visiting, name: str) -> None:
    assert max(visit(name).shift.values()) <= LARGEST_SHIFT


@every_page
def test_page_never_scrolls_sideways(visit: Visiting, name: str) -> None:
    assert set(visit(name).overflow.values()) == {0}, visit(name).overflow


@every_page
def test_accessibility_audit_finds_nothing(visit: Visiting, name: str) -> None:
    violations = visit(name).violations
    assert len(violations) == (4 if name in AUDITED_WHOLE else 1)
    assert {where: found for where, found in violations.items() if found} == {}


@every_page
def test_page_follows_light_and_dark(visit: Visiting, name: str) -> None:
    themes = visit(name).themes
    assert themes["light, wide"] == themes["light, narrow"] != themes["dark, wide"] == themes["dark, narrow"]
