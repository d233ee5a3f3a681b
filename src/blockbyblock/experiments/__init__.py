"""Experiments that are too long for a notebook, and what they found.

`python -m blockbyblock.experiments.NAME` runs one and writes its rows to `NAME.json`; `recorded("NAME")` reads them.
They are part of the package, so that a notebook finds them wherever it lies.
"""

from .record import recorded

__all__ = ["recorded"]
