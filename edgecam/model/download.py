"""One file by HTTP: resumed where it broke, bounded, and there only when it is the right one.

What has come so far lies beside its place as `NAME.part`, also after the program has ended. A part is
gone on with only if the server says that the file is still the same (If-Range); what is whole is believed
by its length and hash alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from edgecam.errors import ModelError
from edgecam.model.digests import check_file
from edgecam.model.web import answer_to, final_fault

MOST_BYTES = 200_000_000
"""More is no model for the edge; what has no known length ends here."""
_TRIES = 6
"""In a row that bring nothing worth having."""
_WORTH_BYTES = 1 << 16
_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0
_CHUNK_BYTES = 1 << 16
# A server that drips would hold a connection for days without ever being silent.
_LEAST_BYTES = 1000
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416

Progress = Callable[[int, int | None], None]
"""Told how many bytes there are, and of how many, if that is known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for."""

    silence_s: float = 30.0
    """Without a word; and for the least that has to come in a while."""
    pause_s: float = _PAUSE_S
    """Before the second try; each further pause is twice as long."""


class _Broken(Exception):
    """This try came to nothing."""


@dataclass(slots=True)
class _Download:
    url: str
    target: Path
    sha256: str
    bytes: int | None
    patience: Patience
    progress: Progress
    resumed: bool = False

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    @property
    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    @property
    def resumable(self) -> bool:
        return self.have > 0 and self.note.exists()


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    length: int | None = None,
    progress: Progress = lambda _have, _total: None,
    patience: Patience | None = None,
) -> None:
    """Fetch a file to `target`, which appears only when it is whole and right.

    Args:
        url: http or https.
        target: where to; its folder is there.
        sha256: all its digits, or the first ones; empty: taken as it comes.
        length: in bytes, if it is known.
        progress: is told now and then.
        patience: with a slow server; None: the usual.

    Raises:
        ModelError: it cannot be had, or what came is something else; says what to do.
    """
    job = _Download(url, target, sha256, length, patience or Patience(), progress)
    vain, most = 0, 0
    while True:
        try:
            _try(job)
            break
        except _Broken as broken:
            # By the most there ever was, so that a server which makes it begin anew is given up, too.
            vain = vain + 1 if job.have < most + _WORTH_BYTES else 1
            most = max(most, job.have)
            if vain == _TRIES:
                kept = f"; {job.have} bytes are kept, and pulling again goes on from there" * job.resumable
                raise ModelError(
                    f"{url}: {broken}, {_TRIES} times{kept}; else try --mirror or --file"
                ) from broken
        time.sleep(min(job.patience.pause_s * 2 ** (vain - 1), _LONGEST_PAUSE_S))
    with _writing(job):
        job.part.replace(target)
        job.note.unlink(missing_ok=True)


def _try(job: _Download) -> None:
    have, headers = _resumable(job)
    if job.bytes is None or have < job.bytes:
        _receive(job, have, headers)
    try:
        check_file(job.part, shown=job.url, sha256=job.sha256, length=job.bytes)
    except ModelError:
        _forget(job)
        if job.resumed:
            job.resumed = False
            raise _Broken("what was kept and what came now do not fit together") from None
        raise


def _resumable(job: _Download) -> tuple[int, dict[str, str]]:
    """What there is of it, and the request's headers that ask for the rest."""
    note: Any = None
    with contextlib.suppress(OSError, ValueError):
        note = json.loads(job.note.read_text(encoding="utf-8"))
    have = job.have
    same = isinstance(note, dict) and note.get("url") == job.url and isinstance(note.get("validator"), str)
    if not have or not same or have > (job.bytes or MOST_BYTES):
        _forget(job)
        return 0, {}
    job.resumed = True
    return have, {"Range": f"bytes={have}-", "If-Range": note["validator"]}


def _receive(job: _Download, have: int, headers: dict[str, str]) -> None:
    try:
        with answer_to(job.url, headers, timeout_s=job.patience.silence_s) as answer:
            have, total = _agree(job, answer, have)
            _copy(job, answer, have, total)
    except HTTPError as error:
        error.close()
        if error.code == _UNSATISFIABLE:
            _forget(job)
        elif (final := final_fault(error.code)) is not None:
            raise ModelError(f"{job.url}: {final}") from error
        raise _Broken(f"the server answers {error.code} {error.reason}") from error
    except URLError as error:
        raise _Broken(f"the server cannot be reached ({error.reason})") from error
    except TimeoutError as error:
        raise _Broken(f"the server was silent for {job.patience.silence_s:g} s") from error
    except (HTTPException, OSError) as error:
        raise _Broken(f"the connection broke ({type(error).__name__}: {error})") from error


def _agree(job: _Download, answer: HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where the body begins, and how long the file is; refuses what is another file by its length."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise ModelError(
            f"{job.url}: comes compressed, though it was not asked for so; try --mirror or --file"
        )
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    if answer.status == _PARTIAL:
        first, total = _content_range(answer.headers.get("Content-Range", ""))
        if first != have:
            _forget(job)
            raise _Broken(f"the server sends from byte {first}, not from {have}")
    elif answer.status == _OK:
        # The file has changed, or the server cannot do parts.
        _forget(job)
        have, job.resumed = 0, False
    else:
        raise _Broken(f"the server answers {answer.status}")
    if total is not None and job.bytes is not None and total != job.bytes:
        _forget(job)
        raise ModelError(
            f"{job.url}: the server says that it has {total} bytes, but {job.bytes} were expected: it is "
            "another file; look at that address, or try --mirror or --file"
        )
    _remember(job, answer)
    return have, job.bytes if job.bytes is not None else total


def _content_range(text: str) -> tuple[int, int | None]:
    """`bytes 100-199/200` → 100, 200; a first byte of -1 if it is not understood."""
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdecimal():
        return -1, None
    return int(first), int(total) if total.isdecimal() else None


def _remember(job: _Download, answer: HTTPResponse) -> None:
    """How to ask whether the file is still the same; a weak tag does not say that of its bytes."""
    tag = answer.headers.get("ETag", "")
    validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    if validator:
        with _writing(job):
            job.note.write_text(json.dumps({"url": job.url, "validator": validator}), encoding="utf-8")


def _copy(job: _Download, answer: HTTPResponse, have: int, total: int | None) -> None:
    limit = MOST_BYTES if total is None else total
    window_ends_s, window_from = time.monotonic() + job.patience.silence_s, have
    with _writing(job):
        out = job.part.open("ab")
    with out:
        job.progress(have, total)
        while chunk := answer.read1(_CHUNK_BYTES):
            have += len(chunk)
            if have > limit:
                _forget(job)
                raise ModelError(
                    f"{job.url}: sends more than the {limit} bytes that were expected: it is another file; "
                    "look at that address, or try --mirror or --file"
                )
            with _writing(job):
                out.write(chunk)
            job.progress(have, total)
            if time.monotonic() >= window_ends_s:
                if have - window_from < _LEAST_BYTES:
                    raise _Broken(f"no more than {have - window_from} bytes in {job.patience.silence_s:g} s")
                window_ends_s, window_from = time.monotonic() + job.patience.silence_s, have
        with _writing(job):
            out.flush()
            os.fsync(out.fileno())
    if total is not None and have < total:
        raise _Broken(f"the connection ended at {have} of {total} bytes")


def _forget(job: _Download) -> None:
    with _writing(job):
        job.part.unlink(missing_ok=True)
        job.note.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(job: _Download) -> Iterator[None]:
    """A disk's fault is none of the network's: another try is of no use."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{job.target}: cannot be written: {error.strerror}") from error
