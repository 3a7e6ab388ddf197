"""Ctrl-C for commands whose work can be resumed."""

import os
import signal
from collections.abc import Callable
from types import FrameType


def leave_at_once(begun: Callable[[], bool]) -> None:
    """Let Ctrl-C end the program from now on as a kill would: the libraries that write files may swallow a KeyboardInterrupt.

    Args:
        begun: whether there is something to resume.
    """

    def leave(signal_number: int, frame: FrameType | None) -> None:
        if os.isatty(2):
            os.write(2, b"\r\x1b[K\x1b[?25h")  # a progress bar hides the cursor
        kept = ": what is finished is kept, and --resume goes on from there" if begun() else ""
        os.write(2, f"crossfeed: interrupted{kept}\n".encode())
        os._exit(130)

    signal.signal(signal.SIGINT, leave)
