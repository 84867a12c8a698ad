"""Ctrl-C and SIGTERM ask for a stop; the loop answers between two steps."""

import os
import signal
import threading
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):
    """Training stopped on request, after a checkpoint; the message says how to go on."""


class StopRequest:
    """Context in which the first SIGINT or SIGTERM only sets `requested`; a second one interrupts.

    Signals that were ignored (a job started in the background) stay ignored. Outside the main
    thread Python allows no handlers, and the context does nothing.
    """

    requested = False

    def __enter__(self) -> "StopRequest":
        self._former = {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._former[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        os.write(2, b"\nstopping after this step, with a checkpoint; once more: stop at once\n")
