"""Two stages side by side, faults one after the other on each; see scripts/soak."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from soaking import report
from soaking.faults import ENDURED, RESTARTED, Fault, NotAsPromisedError
from soaking.report import Memory, Outcome, Report
from soaking.stage import Stage, build_shim

_PATIENCE_S = 30.0
_START_S = 60.0
_SETTLE_S = 5.0
# Between two faults, by chance: they are to meet edgecam also before it is quite itself again.
_CALM_S = (0.2, 1.5)


class Soak:
    """One stage and the faults that it gets."""

    def __init__(self, stage: Stage, faults: Sequence[Fault], *, rng: random.Random, until_s: float) -> None:
        self.stage = stage
        self.faults = [fault for fault in faults if fault.is_possible(stage)]
        self.outcomes: list[Outcome] = []
        self.samples_bytes: list[int] = []
        """Resident memory after each round of all kinds."""
        self._rng = rng
        self._until_s = until_s
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        if self.stage.listener.fresh_since(time.monotonic(), timeout_s=_START_S) is None:
            self._note("start", None, "no result after the start")
            return
        while True:
            for fault in spread(self.faults, self._rng):
                if time.monotonic() > self._until_s or self.stage.manager.dead:
                    return
                self._inject(fault)
                time.sleep(self._rng.uniform(*_CALM_S))
            self._sample()

    def _sample(self) -> None:
        """Memory depends on what is configured and seen: like is measured with like, after each round."""
        self.stage.settle()
        time.sleep(_SETTLE_S)
        size_bytes = self.stage.manager.memory_bytes
        if size_bytes is not None:
            self.samples_bytes.append(size_bytes)

    def _inject(self, fault: Fault) -> None:
        begun_s, pid = time.monotonic(), self.stage.manager.pid
        try:
            if fault.needs_restart:
                self._await_ready()
            fault.do(self.stage)
            gone_s = time.monotonic()
            if fault.needs_restart:
                self._await_restart(pid)
            fresh_s = self._await_results(gone_s)
            if not fault.needs_restart:
                self._see_no_restart(pid)
            if fault.verify is not None:
                fault.verify(self.stage, begun_s)
        except NotAsPromisedError as failure:
            self._note(fault.name, None, str(failure))
        else:
            self._note(fault.name, fresh_s - gone_s, None)

    def _await_results(self, since_s: float) -> float:
        fresh_s = self.stage.listener.fresh_since(since_s, timeout_s=_PATIENCE_S)
        if fresh_s is None:
            raise NotAsPromisedError(f"no result on time within {_PATIENCE_S:g} s")
        return fresh_s

    def _see_no_restart(self, pid: int | None) -> None:
        if self.stage.manager.pid != pid:
            raise NotAsPromisedError(f"the process was started again: {self.stage.manager.ends[-1:]}")

    def _await_ready(self) -> None:
        """Before that, systemd is patient for minutes, with a board that is slow to start."""
        ends_s = time.monotonic() + _START_S
        while not self.stage.manager.is_ready:
            if time.monotonic() > ends_s:
                raise NotAsPromisedError(f"not ready within {_START_S:g} s")
            time.sleep(0.05)

    def _await_restart(self, pid: int | None) -> None:
        """What the old process still sends is no recovery."""
        ends_s = time.monotonic() + _PATIENCE_S
        while self.stage.manager.pid == pid:
            if time.monotonic() > ends_s:
                raise NotAsPromisedError(f"the process did not end within {_PATIENCE_S:g} s")
            time.sleep(0.05)

    def _note(self, kind: str, recovery_s: float | None, complaint: str | None) -> None:
        place = f"{time.strftime('%H:%M:%S')} {kind}"
        self.outcomes.append(Outcome(kind, recovery_s, complaint and f"{place}: {complaint}"))
        if complaint:
            print(f"{place}: {complaint}", file=sys.stderr, flush=True)


def spread(faults: Sequence[Fault], rng: random.Random) -> list[Fault]:
    """Each once, by chance, but those on one part as far from each other as can be."""
    parts: dict[str, list[Fault]] = {}
    for fault in rng.sample(faults, len(faults)):
        parts.setdefault(fault.part, []).append(fault)
    places = {
        fault.name: (number + rng.random()) / len(own)
        for own in parts.values()
        for number, fault in enumerate(own)
    }
    return sorted(faults, key=lambda fault: places[fault.name])


def soak(folder: Path, *, minutes: float, seed: int) -> Report:
    """Play it."""
    shim, until_s = build_shim(folder), time.monotonic() + minutes * 60
    soaks: list[Soak] = []
    try:
        for name, faults in (("endured", ENDURED), ("restarted", RESTARTED)):
            rng = random.Random(f"{seed} {name}")  # noqa: S311 - a game of chance
            stage = Stage(folder / name, device=name, rng=rng, shim=shim)
            soaks.append(Soak(stage, faults, rng=rng, until_s=until_s))
        for one in soaks:
            one.thread.join()
        return _report(soaks, minutes=minutes, seed=seed)
    finally:
        for one in soaks:
            one.stage.close()


def _report(soaks: Sequence[Soak], *, minutes: float, seed: int) -> Report:
    outcomes = [outcome for one in soaks for outcome in one.outcomes]
    kinds = [fault.name for one in soaks for fault in one.faults]
    listeners = [one.stage.listener for one in soaks]
    noticed_s = [time_s for one in soaks for time_s in one.stage.noticed_s]
    shares = report.percentile(noticed_s, 50), report.percentile(noticed_s, 99)
    dead = [f"not started again: exit {one.stage.manager.dead}" for one in soaks if one.stage.manager.dead]
    return Report(
        seed=seed,
        minutes=minutes,
        rows=report.rows_of(outcomes, kinds),
        left_out=[fault.name for fault in (*ENDURED, *RESTARTED) if fault.name not in kinds],
        p99_s=report.percentile(report.recoveries_s(outcomes), 99),
        half_open_s=None if shares[0] is None or shares[1] is None else (shares[0], shares[1]),
        memory=Memory(soaks[0].samples_bytes),
        results=sum(listener.results for listener in listeners),
        late=sum(listener.late for listener in listeners),
        unmarked=[text for listener in listeners for text in listener.unmarked],
        complaints=[outcome.complaint for outcome in outcomes if outcome.complaint] + dead,
    )


def main() -> int:
    """Play it and print; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    wishes = parser.parse_args()
    # Whoever ends it early must not leave brokers and edgecams behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"seed {wishes.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="edgecam-soak-"))
    found = soak(folder, minutes=wishes.minutes, seed=wishes.seed)
    print(found)
    if wishes.json:
        wishes.json.write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
    if found.missed:
        print(f"the logs: {folder}/*/edgecam.log")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
