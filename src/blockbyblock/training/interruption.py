"""Ctrl-C and SIGTERM as a wish to stop, which training heeds at the end of a step."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether somebody has asked for a stop; set by the handler in `stop_on_signals`."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def stop_on_signals(*, insist: bool = True) -> Iterator[StopRequest]:
    """While this context lasts, SIGINT (Ctrl-C) and SIGTERM set a flag instead of ending the process.

    Outside the main thread Python lets nobody handle signals: there the flag stays unset.

    Args:
        insist: whether a second Ctrl-C raises KeyboardInterrupt at once, for those who will not wait for the step.
            Several processes must not: the terminal and torchrun send the same Ctrl-C twice.

    Yields:
        The flag.
    """
    request = StopRequest()

    def stop(number: int, frame: FrameType | None) -> None:
        if insist and request.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            # None: installed by other code than Python's, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
