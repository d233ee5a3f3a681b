"""Deliberate faults, a list for each part of the package; `make faults` plants them one by one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in `module`; `test` must fail."""

    name: str
    module: str
    old: str
    new: str
    test: str
