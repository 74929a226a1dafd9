"""The last door: runs the command line, and turns every failure into one readable line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from edgecam.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, ConfigError, EdgecamError

# What the place that stdout goes to may say: full, over quota, broken.
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO}
# Python has no exception of its own for that.
_NO_THREAD = "can't start new thread"


def main() -> None:
    """The entry point."""
    _prepare_streams()
    code = _show_help() if sys.argv[1:] == ["--help"] else _run()
    # Flushed here, where a failure can still be told; at the interpreter's end it would only be noise.
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _discard_stdout()
            code = code or _explain(error)
    raise SystemExit(code)


def _show_help() -> int:
    """What the parser would print, which takes a second to load on a small board: it was asked before."""
    try:
        print(Path(__file__).with_name("help.txt").read_text(encoding="utf-8"), end="")
    except OSError as error:
        return _explain(error)
    return EXIT_OK


def _run() -> int:
    try:
        from edgecam.cli import app

        return app(standalone_mode=False) or EXIT_OK
    except EdgecamError as error:
        _say(str(error))
        if isinstance(error, ConfigError):
            _say(_summary(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except SystemExit as leaving:
        # The parser turns a closed pipe into an exit of its own.
        if isinstance(leaving.__context__, OSError) and leaving.__context__.errno == errno.EPIPE:
            return _explain(leaving.__context__)
        raise
    except Exception as error:  # noqa: BLE001 - the last door
        return _explain(error)


def _explain(error: Exception) -> int:
    """Exit code of an exception that no command foresaw."""
    if isinstance(error, BrokenPipeError):
        # `edgecam … | head`: the reader has seen enough.
        _discard_stdout()
        return EXIT_OK
    if isinstance(error, OSError) and error.filename is not None:
        _say(f"{error.filename}: cannot be used: {error.strerror}")
        return EdgecamError.exit_code
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        _say(f"the result cannot be written: {error.strerror}")
        return EdgecamError.exit_code
    if _lacks_threads(error):
        _say(
            "no thread can be started: end other programs of this user, or let it have more: TasksMax in the "
            "service's unit, pids.max of a container, else ulimit -u"
        )
        # It may be over in a moment: after this one systemd starts again.
        return EdgecamError.exit_code
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if callable(show) and isinstance(code, int):
        # The parser's own usage errors.
        with contextlib.suppress(OSError):
            show()
        return code
    import traceback

    with contextlib.suppress(OSError):
        traceback.print_exception(error)
    _say("this is a bug in edgecam; please report it with the lines above")
    return EXIT_BUG


def _lacks_threads(error: BaseException) -> bool:
    """Whether that is how it began: who cleans up may stumble over what was never there."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, RuntimeError) and str(cause) == _NO_THREAD):
        cause = cause.__context__
    return cause is not None


def _prepare_streams() -> None:
    """Let nothing that is printed fail for its characters, nor for a stream that is closed."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is this one; left free, a socket would get it, and our words with it.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    """To stderr, if it takes it: the exit code counts more than the words."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _summary(error: ConfigError) -> str:
    count = len(error.problems)
    return f"{count} problem{'s' if count > 1 else ''}. Reference: {error.reference}"


if __name__ == "__main__":
    main()
