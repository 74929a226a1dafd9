"""The way out for a process in which something hangs for good."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import NoReturn

from edgecam.errors import WedgedError

# For the last words; whatever they wait for may hang, too.
_FAREWELL_S = 4.0


def leave_wedged(say_goodbye: Callable[[], None]) -> NoReturn:
    """End the process with the code of `WedgedError`; at once, but for the last words.

    Not by way of the interpreter's own end: that runs the destructors of libraries in which a thread hangs.
    """
    code = WedgedError.exit_code
    alarm = threading.Timer(_FAREWELL_S, os._exit, (code,))
    alarm.daemon = True
    alarm.start()
    with contextlib.suppress(Exception):
        say_goodbye()
    logging.shutdown()
    os._exit(code)
