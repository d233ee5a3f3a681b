"""What a check answers: text first, and the same text as a little HTML."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby


class Verdict(StrEnum):
    """How an answer was judged."""

    RIGHT = "right"
    UNFILLED = "unfilled"
    MISTAKE = "mistake"
    WRONG = "wrong"
    ERROR = "error"


_OPENINGS = {Verdict.RIGHT: "Right.", Verdict.UNFILLED: "Not filled in yet."}
_BLOCK = "    "  # lines that start so are set as they are
_STYLE = "white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.3em 0"  # a long line must not widen a phone's page


@dataclass(frozen=True, repr=False)
class Result:
    """The answer to an answer.

    Args:
        exercise: the name of the exercise.
        verdict: how the answer was judged.
        detail: what follows the opening words; lines indented by four spaces are set as they are.
        mistakes: the names of the well-known wrong answers that were recognised.
    """

    exercise: str
    verdict: Verdict
    detail: str = ""
    mistakes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.verdict is Verdict.RIGHT

    @property
    def message(self) -> str:
        """What the reader is told, as text."""
        return f"{self._opening} {self.detail}".rstrip()

    def require(self) -> Result:
        """Return this result if the answer is right: the strict form, for the cell of a solution.

        Raises:
            AssertionError: the answer is not right; the message is the one that the reader would get.
        """
        if not self.passed:
            raise AssertionError(f"{self.exercise}: {self.message}")
        return self

    @property
    def _opening(self) -> str:
        return _OPENINGS.get(self.verdict, "Not yet.")

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        body = [f"<strong>{self._opening}</strong>"]
        for is_block, lines in groupby(self.detail.splitlines(), key=lambda line: line.startswith(_BLOCK)):
            if is_block:
                block = "\n".join(line.removeprefix(_BLOCK) for line in lines)
                body.append(f'<pre style="{_STYLE}">{html.escape(block)}</pre>')
            else:
                prose = html.escape("\n".join(lines), quote=False).replace("\n", "<br>")
                body.append(re.sub(r"`([^`]*)`", r"<code>\1</code>", prose))
        # role="status": a screen reader reads the result out when it appears, without moving there.
        return f'<div role="status" class="bbb-check" data-verdict="{self.verdict}">{" ".join(body)}</div>'
