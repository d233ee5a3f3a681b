"""Collects each parity test's largest difference and prints the table at the end, also from parallel workers."""

import pytest


@pytest.fixture
def report(record_property):
    """Hand over what was compared, in which precision, and the largest difference."""

    def record(peer: str, dtype: object, largest: float) -> None:
        record_property("parity", f"{peer:50} {str(dtype).removeprefix('torch.'):8} {largest:.1e}")

    return record


def pytest_terminal_summary(terminalreporter):
    rows = {
        value
        for outcome in ("passed", "failed")
        for test in terminalreporter.stats.get(outcome, [])
        for key, value in getattr(test, "user_properties", [])
        if key == "parity"
    }
    if rows:
        terminalreporter.section("largest difference to the peer (float64: absolute; float32: relative to the largest)")
        for row in sorted(rows):
            terminalreporter.write_line(row)
