"""Ctrl-C in commands whose work can be resumed."""

import os
import signal
from collections.abc import Callable
from types import FrameType


def leave_at_once(begun: Callable[[], bool]) -> None:
    """Make Ctrl-C end the program immediately from now on, since libraries that write files may swallow a KeyboardInterrupt.

    Args:
        begun: whether there is something to resume.
    """

    def leave(signal_number: int, frame: FrameType | None) -> None:
        if os.isatty(2):
            os.write(2, b"\r\x1b[K\x1b[?25h")  # clears the progress bar and shows the cursor that it hides
        kept = ": finished work is kept, and --resume continues from there" if begun() else ""
        os.write(2, f"crossfeed: interrupted{kept}\n".encode())
        os._exit(130)

    signal.signal(signal.SIGINT, leave)
