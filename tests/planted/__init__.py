"""Deliberate faults, a list for each part of the package; `make faults` plants them one by one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old` becomes `new` in `module`, which is a module of Python unless it has another ending; `test` must fail."""

    name: str
    module: str
    old: str
    new: str
    test: str

    @property
    def file(self) -> str:
        """The file of the module, below the package."""
        return self.module if "." in self.module else f"{self.module}.py"
