"""`edgecam watch`: subscribes, and shows what comes: a live table, plain lines, or JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.live import Live

from edgecam.client import AvailabilityMessage, Message, Subscriber
from edgecam.commands.watch_view import Board
from edgecam.errors import EdgecamError, UsageError
from edgecam.tls import NO_FILES, TlsFiles

_PATIENCE_S = 10.0
"""How long nothing is said of a broker that does not answer."""
_DEFAULT_URL = "mqtt://127.0.0.1:1883"
_TICK_S = 0.25
_FRAME_S = 0.125


def watch(
    url: str | None = None,
    *,
    base: str = "edgecam",
    device: str = "+",
    camera: str = "+",
    username: str | None = None,
    password: str | None = None,
    tls: TlsFiles = NO_FILES,
    seconds: float | None = None,
    as_json: bool = False,
    plain: bool = False,
) -> None:
    """Show what is published under `base`, for `seconds` or until Ctrl-C.

    stdout gets the table when it is a terminal and neither `as_json` nor `plain` is asked for. Without a
    `url` it is the broker of this machine, at the usual port.

    Raises:
        UsageError: the URL is none, or a file of `tls` cannot serve.
        EdgecamError: the time is over, and no broker has answered.
    """
    console = Console()
    # Who named a broker knows how.
    remedy = "; --url names a broker elsewhere, as mqtt.url of the device" if url is None else ""
    url = url or _DEFAULT_URL
    board = Board(url)
    subscriber = Subscriber(
        url, base=base, device=device, camera=camera, username=username, password=password, tls=tls
    )
    try:
        with subscriber:
            if as_json:
                _follow(subscriber, _print_json, url=url, seconds=seconds, remedy=remedy)
            elif plain or not console.is_terminal:
                _follow(
                    subscriber,
                    lambda message: _print_line(board, message),
                    url=url,
                    seconds=seconds,
                    remedy=remedy,
                )
            else:
                with Live(console=console, auto_refresh=False) as live:
                    _follow(
                        subscriber,
                        _Screen(live, board, subscriber).show,
                        url=url,
                        seconds=seconds,
                        remedy=remedy,
                    )
    except BrokenPipeError:
        # Whoever read our output has had enough (`| head`): let Python not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_password_file(path: Path) -> str:
    """The password alone, without the line's end.

    Raises:
        UsageError: the file cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file: {path} cannot be read: {error}") from error


def tls_files(*, ca: Path | None, cert: Path | None, key: Path | None) -> TlsFiles:
    """The files of an encrypted connection.

    Raises:
        UsageError: `cert` without `key`, or the other way round.
    """
    if (cert is None) != (key is None):
        raise UsageError("expected --cert and --key together, or neither")
    return TlsFiles(ca, cert, key)


class _Screen:
    """Draws the board a few times a second, however much comes."""

    def __init__(self, live: Live, board: Board, subscriber: Subscriber) -> None:
        self._live = live
        self._board = board
        self._subscriber = subscriber
        self._due_s = 0.0

    def show(self, message: Message | None) -> None:
        if message is not None:
            self._board.take(message)
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + _FRAME_S
            self._live.update(self._board.table(connected=self._subscriber.connected), refresh=True)


def _follow(
    subscriber: Subscriber,
    show: Callable[[Message | None], None],
    *,
    url: str,
    seconds: float | None,
    remedy: str,
) -> None:
    """Give each message to `show`, and None now and then when there is none."""
    began_s = time.monotonic()
    ends_s = None if seconds is None else began_s + seconds
    ever_connected = told = False
    while ends_s is None or (left_s := ends_s - time.monotonic()) > 0:
        show(subscriber.get(_TICK_S if ends_s is None else min(_TICK_S, left_s)))
        ever_connected = ever_connected or subscriber.connected
        if not ever_connected and not told and time.monotonic() - began_s >= _PATIENCE_S:
            told = True
            text = f"no answer from {url} yet, trying on; is the broker running there?{remedy}"
            print(text, file=sys.stderr)
    if not ever_connected:
        why = f" ({reason})" if (reason := subscriber.status.reason) else ""
        raise EdgecamError(
            f"no answer from {url} within {seconds:g} s{why}; is the broker running there, "
            f"and is it the mqtt.url of the device?{remedy}"
        )


def _print_json(message: Message | None) -> None:
    if message is None:
        return
    payload: object = message.body
    if isinstance(message, AvailabilityMessage):
        payload = "online" if message.online else "offline"
    line = {"topic": message.topic, "retained": message.retained, "payload": payload}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def _print_line(board: Board, message: Message | None) -> None:
    line = board.take(message) if message is not None else None
    if line is not None:
        print(line, flush=True)
