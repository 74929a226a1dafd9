"""Reads the configuration anew when it is asked to, lets the run go by it, and tells what became of it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from threading import Event

from edgecam.appliance.systemd import Notifier
from edgecam.config.changes import Change, Effect, changes
from edgecam.config.file_watch import FileWatch
from edgecam.config.last_good import kept_since
from edgecam.errors import ConfigError, EdgecamError, ModelError, Problem, WedgedError
from edgecam.inference.memory import give_back_memory
from edgecam.pipeline.orders import OrderBook, Orders
from edgecam.pipeline.runner import Runner
from edgecam.pipeline.waiting import StoppingError
from edgecam.publish.commands import Reply
from edgecam.reports import Notice, NoticeKind, NoticeLevel

log = logging.getLogger(__name__)

# A broker takes no message of any length, and nobody reads more.
_MOST_TOLD = 20


class Reloader:
    """One run's; `ask` is for any thread and for signal handlers, all else for the main loop."""

    def __init__(
        self,
        book: OrderBook,
        orders: Orders,
        *,
        notifier: Notifier,
        set_up: Callable[[Orders], None],
        fault: EdgecamError | None = None,
    ) -> None:
        """Build a reloader.

        Args:
            book: where the orders are read.
            orders: those that the run starts with.
            notifier: is told, beside the log and subscribers.
            set_up: what else goes by the orders: the log.
            fault: why these are not the orders of the file, but the last good ones; None: they are.
        """
        self._book = book
        self._notifier = notifier
        self._set_up = set_up
        self.begin(orders, fault)
        self._asked = Event()
        self._replies: deque[Reply] = deque()
        """Of who asked since the last reload began."""
        self._watch = None if book.path is None else FileWatch(book.path)

    def begin(self, orders: Orders, fault: EdgecamError | None) -> None:
        """A run begins.

        Args:
            orders: those that it starts with.
            fault: why these are not the orders of the file; None: they are.
        """
        self._orders = orders
        self._fault = fault
        self.remark: str | None = None
        """For people: why the file is not what runs; None: it is."""
        self._is_kept = False

    def begin_again(self, orders: Orders, fault: EdgecamError) -> None:
        """Another run begins, as the file's orders turned out unusable; `ask` before it was about those.

        Args:
            orders: those that it starts with.
            fault: what is wrong with the file's.
        """
        refused = self._orders.loaded.text
        self._replies.clear()
        self._asked.clear()
        if self._book.text() not in {refused, None}:
            # It was mended meanwhile.
            self.ask()
        self.begin(orders, fault)

    def ask(self, reply: Reply | None = None) -> None:
        """Let the configuration be read anew soon; `reply` is answered."""
        if reply is not None:
            self._replies.append(reply)
        self._asked.set()

    def tend(self, runner: Runner) -> None:
        """Do what there is to do; to be called now and then."""
        if self._fault is not None:
            fault, self._fault = self._fault, None
            self._refuse(runner, fault, "the last one that worked runs instead")
            if (kept := self._book.kept) is not None:
                log.warning(
                    "running the last good configuration instead path=%s kept=%s", kept, kept_since(kept)
                )
        if not self._is_kept and runner.is_settled:
            self._is_kept = True
            self._book.keep(self._orders)
        wants = self._orders.loaded.config.watch_file
        if self._watch is not None and self._watch.has_changed(time.monotonic()) and wants:
            log.info("configuration file has changed path=%s", self._book.path)
            self.ask()
        if self._asked.is_set():
            self._asked.clear()
            self._reload(runner)

    def _reload(self, runner: Runner) -> None:
        # Whoever asks from here on may have changed the file meanwhile: the next one is theirs.
        replies = [self._replies.popleft() for _ in range(len(self._replies))]
        # Not before the start is over: `ready` ends that, too.
        is_up = runner.is_up
        if is_up:
            self._notifier.reloading("reading the configuration")
        if self._watch is not None:
            self._watch.forget()
        try:
            orders = self._book.read()
            found = changes(self._orders.loaded.config, orders.loaded.config)
            runner.apply(
                orders.loaded,
                orders.plan,
                device=orders.device,
                password=orders.password,
                found=found,
                applied=lambda: _answer(runner, replies, ok=True, text=summary(found), data=by_effect(found)),
            )
        except WedgedError:
            raise
        except StoppingError as stopping:
            _answer(runner, replies, ok=False, text=str(stopping), data={})
            return
        except EdgecamError as fault:
            self._refuse(runner, fault, "nothing was changed", replies)
            log.warning("going on with the configuration of before, nothing was changed")
        else:
            # To be kept, too, but not before it has run.
            self.begin(orders, None)
            self._set_up(orders)
            log.info("configuration applied changes=%s", summary(found))
            is_all = all(change.effect is not Effect.RESTART for change in found)
            level = NoticeLevel.INFO if is_all else NoticeLevel.WARNING
            data: dict[str, str | int | float | bool | None] = {"count": len(found), **by_effect(found)}
            runner.publisher.notice(Notice(NoticeKind.CONFIG_APPLIED, level, summary(found), data))
        # The models' files were read whole, whatever came of it.
        give_back_memory()
        if is_up:
            self._notifier.ready(self.remark or "configuration applied")

    def _refuse(
        self, runner: Runner, fault: EdgecamError, instead: str, replies: Sequence[Reply] = ()
    ) -> None:
        problems = problems_of(fault)
        text = f"the configuration is refused, {instead}: {told(problems)}"
        self.remark = f"configuration refused: {told(problems)}"
        for problem in problems_of(fault, whole_paths=True):
            log.error("configuration refused problem=%s", problem)
        first = problems[0]
        data = {"where": first.where, "path": first.path, "text": first.text}
        runner.publisher.notice(
            Notice(
                NoticeKind.CONFIG_REFUSED,
                NoticeLevel.ERROR,
                text,
                {"count": len(problems), **data, "problems": "\n".join(map(str, problems[:_MOST_TOLD]))},
            )
        )
        _answer(runner, replies, ok=False, text=text, data=data)
        self._notifier.status(self.remark)


def _answer(
    runner: Runner, replies: Sequence[Reply], *, ok: bool, text: str, data: Mapping[str, str]
) -> None:
    for reply in replies:
        runner.publisher.response(reply, ok=ok, message=text, data=data)


def summary(found: Sequence[Change]) -> str:
    """What was applied, in one line."""
    if not found:
        return "the configuration says what it said before"
    parts = [f"{_EFFECT_WORDS[effect]}: {paths}" for effect, paths in by_effect(found).items()]
    return "; ".join(parts)


_EFFECT_WORDS = {
    Effect.LIVE.value: "applied",
    Effect.CAMERA.value: "camera opened, reopened or closed",
    Effect.MODEL.value: "engine opened anew",
    Effect.LINK.value: "session with the broker made anew",
    Effect.RESTART.value: "counts when edgecam is started again",
}


def by_effect(found: Sequence[Change]) -> dict[str, str]:
    """The changed keys of each effect, with commas between."""
    paths = {effect.value: [c.path for c in found if c.effect is effect] for effect in Effect}
    return {effect: ", ".join(keys[:_MOST_TOLD]) for effect, keys in paths.items() if keys}


def told(problems: Sequence[Problem]) -> str:
    """The first problem, and how many more there are."""
    more = len(problems) - 1
    return f"{problems[0]}{f' (and {more} more)' if more else ''}"


def problems_of(fault: EdgecamError, *, whole_paths: bool = False) -> list[Problem]:
    """What is wrong; without the folders of files, unless asked for: a broker's readers need none."""
    found = fault.problems if isinstance(fault, ConfigError | ModelError) else []
    found = found or [Problem("", "", str(fault))]
    if whole_paths:
        return found
    return [Problem(PurePath(problem.where).name, problem.path, problem.text) for problem in found]
