"""A real delegate, built by the test, in a child: it may do what it likes, every frame has its answer."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType

import numpy as np
import pytest
from moody_delegate import MoodyDelegate

from edgecam.inference import child_process, keeper
from edgecam.inference.child_process import Order
from edgecam.inference.delegates import use_of
from edgecam.inference.isolated import Change, IsolatedEngine, Ran
from edgecam.inference.litert import LiteRtEngine
from edgecam.inference.patience import RestartBudget
from edgecam.inference.wire import REPLY

WAIT_S = 60
NONSENSE = b"\x00" * 5
PICTURE = np.random.default_rng(3).normal(size=(1, 8, 8, 3)).astype(np.float32)

Open = Callable[..., tuple[IsolatedEngine, "queue.Queue[Change]"]]


@pytest.fixture
def moody(tmp_path: Path) -> MoodyDelegate:
    """The delegate's library."""
    return MoodyDelegate(tmp_path)


@pytest.fixture
def start(tiny: ModuleType, tmp_path: Path, moody: MoodyDelegate) -> Iterator[Open]:
    """Opens the engine; its changes are in the queue."""
    opened: list[IsolatedEngine] = []

    def open_it(
        library: Path = moody.library,
        dtype: str = "float32",
        budget: RestartBudget | None = None,
        options: dict[str, str] | None = None,
        *,
        is_seen: bool = True,
    ) -> tuple[IsolatedEngine, queue.Queue[Change]]:
        path = tmp_path / "net.tflite"
        path.write_bytes(tiny.make(tiny.Tiny(dtype=dtype)))
        cpu = LiteRtEngine(path, threads=1)
        use = use_of(str(library), options or {"control": str(moody.control)})
        changes: queue.Queue[Change] = queue.Queue()
        engine = IsolatedEngine(
            cpu,
            Order(path, sha256_of(path), cpu.info.runtime, use, 1, cpu.input, cpu.output),
            known=PICTURE if dtype == "float32" else np.arange(192, dtype=dtype).reshape(cpu.input.shape),
            told=changes.put,
            signs=library.exists,
            is_seen=lambda: is_seen,
            budget=budget or RestartBudget(most=1000, first_pause_s=0.01),
        )
        opened.append(engine)
        return engine, changes

    yield open_it
    for engine in opened:
        engine.close()


def sha256_of(path: Path) -> str:
    """As a card has it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def child_of(engine: IsolatedEngine) -> child_process.ChildProcess:
    """The one that serves."""
    child = engine._keeper.serving
    assert child is not None
    return child


def served(changes: queue.Queue[Change]) -> Change:
    """The next change to the delegate."""
    while (change := changes.get(timeout=WAIT_S)).why:
        pass
    return change


def failed(changes: queue.Queue[Change]) -> str:
    """Why the next change is one to the CPU."""
    while not (change := changes.get(timeout=WAIT_S)).why:
        pass
    assert change.info.delegate == "cpu"
    return change.why


def test_the_child_serves_and_the_interpreter_says_what_runs_on_the_delegate(start: Open) -> None:
    """Not hope: one of two operators is the delegate's, and the answer is the CPU's."""
    engine, changes = start()
    on_cpu = engine.invoke(PICTURE)
    change = served(changes)
    assert (change.info.delegate, change.delegated, change.operators) == ("external", 1, 2)
    assert engine.info == change.info
    assert engine.ran.info.delegate == "cpu"
    assert np.allclose(engine.invoke(PICTURE), on_cpu, atol=1e-6)
    assert engine.ran == Ran(change.info, is_here=False)


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("abort", "process"),
        ("hang", "no answer to inference within"),
        ("slow", "no answer to inference within"),
        ("vanish", "failed"),
    ],
)
def test_what_fails_in_mid_stream_costs_no_frame_and_is_taken_back(
    start: Open, moody: MoodyDelegate, mood: str, said: str
) -> None:
    """The very frame on which it failed is answered by the CPU; when it works again, it serves again."""
    engine, changes = start()
    served(changes)
    right = engine.invoke(PICTURE)
    moody.tell(mood)
    assert np.allclose(engine.invoke(PICTURE), right, atol=1e-6)
    assert engine.info.delegate == "cpu"
    assert engine.ran == Ran(engine.info, is_here=False, is_second=True)
    assert said in failed(changes)
    moody.tell("work")
    served(changes)
    assert engine.info.delegate == "external"
    assert np.allclose(engine.invoke(PICTURE), right, atol=1e-6)


def test_a_delegate_that_is_slow_from_the_start_serves_and_one_that_became_slow_does_not(
    start: Open, moody: MoodyDelegate, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody knew better of the one; the other is measured by what it took before, also in a new process."""
    moody.tell("slow")
    slow, slow_changes = start()
    served(slow_changes)
    slow.invoke(PICTURE)
    assert slow.ran.info.delegate == "external"
    (told,) = [record for record in caplog.records if "is slower than the CPU" in record.message]
    assert re.search(r"delegate=external took_ms=[5-9]\d\d ", told.message) or "e+03" in told.message
    slow.close()
    moody.tell("work")
    engine, changes = start()
    served(changes)
    moody.tell("slow")
    os.kill(child_of(engine)._process.pid, signal.SIGKILL)
    assert "ended by itself" in failed(changes)
    assert "no answer to inference within" in failed(changes)
    moody.tell("work")
    served(changes)


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("refuse", "no device found"),
        ("mute", "refuses: Couldn't open kernel device; see that its device is there"),
        ("wrong", "computes wrong results"),
    ],
)
def test_what_refuses_or_lies_at_the_start_never_serves(
    start: Open, moody: MoodyDelegate, mood: str, said: str
) -> None:
    """The CPU serves at once, and the reason is told with what to do."""
    moody.tell(mood)
    engine, changes = start()
    assert engine.invoke(PICTURE).shape == (4,)
    why = failed(changes)
    assert said in why
    assert "; " in why
    moody.tell("work")
    assert served(changes).delegated == 1


def test_a_library_that_is_not_there_is_waited_for_and_not_tried_for(start: Open, tmp_path: Path) -> None:
    """As when its package is missing: one word, no child a minute, and it serves once it is there."""
    absent, budget = tmp_path / "libabsent.so", RestartBudget()
    engine, changes = start(library=absent, budget=budget)
    assert engine.invoke(PICTURE).shape == (4,)
    assert "has no library" in failed(changes)
    assert budget.wait_s(time.monotonic()) > 500
    absent.symlink_to(tmp_path / "libmoody.so")
    served(changes)
    assert changes.empty()


def test_a_device_that_is_not_seen_is_waited_for_and_not_tried_for(start: Open, moody: MoodyDelegate) -> None:
    """Its library says so, too, but a process a minute would say it for ever."""
    moody.tell("refuse")
    budget = RestartBudget()
    _engine, changes = start(budget=budget, is_seen=False)
    assert "no device found" in failed(changes)
    assert budget.wait_s(time.monotonic()) > 500


def test_a_delegate_that_takes_nothing_over_is_no_accelerator(start: Open) -> None:
    """It would be the CPU with a detour, under a false name."""
    _engine, changes = start(dtype="uint8")
    assert "takes over none of the 2 operators" in failed(changes)


def test_a_child_that_hangs_while_nobody_asks_is_replaced(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alive is not enough: it has to answer; and SIGTERM does not reach one that is stopped."""
    monkeypatch.setattr(keeper, "_IDLE_S", 0.0)
    monkeypatch.setattr(keeper, "_IDLE_DEADLINE_S", 0.2)
    engine, changes = start()
    served(changes)
    os.kill(child_of(engine)._process.pid, signal.SIGSTOP)
    assert "no answer to inference within" in failed(changes)
    served(changes)


def test_a_frame_does_not_wait_for_a_child_that_is_being_looked_after(start: Open) -> None:
    """The CPU has it."""
    engine, changes = start()
    served(changes)
    with child_of(engine).in_use:
        engine.invoke(PICTURE)
    assert engine.ran.info.delegate == "cpu"
    engine.invoke(PICTURE)
    assert engine.ran.info.delegate == "external"


@pytest.mark.parametrize(
    "answer", [NONSENSE, b"5", b"{}", b'{"fault": 1}', b'{"info": []}', b"\xff\xff", b'["fault"]', b""]
)
def test_nonsense_from_a_child_that_opens_is_a_fault(
    start: Open, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """The thread that would start the next one lives on."""
    with monkeypatch.context() as patched:
        patched.setattr(child_process.ChildProcess, "_ask", lambda *_: answer)
        engine, changes = start()
        assert "talks nonsense" in failed(changes)
        assert engine.invoke(PICTURE).shape == (4,)
    served(changes)


@pytest.mark.parametrize("answer", [NONSENSE, REPLY.pack(77, 0)])
def test_nonsense_from_a_child_that_serves_costs_no_frame(
    start: Open, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """Nor does the answer to another question."""
    engine, changes = start()
    served(changes)
    with monkeypatch.context() as patched:
        patched.setattr(child_process.ChildProcess, "_ask", lambda *_: answer)
        assert engine.invoke(PICTURE).shape == (4,)
        assert failed(changes)
    served(changes)


def test_whatever_the_keeper_meets_it_starts_the_next_child(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one surprise would end the accelerator until the next restart."""

    def surprise(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(child_process.ChildProcess, "open", surprise)
        _engine, changes = start()
        assert "MemoryError" in failed(changes)
    served(changes)


def test_a_child_cannot_cut_the_shared_memory(start: Open) -> None:
    """Reading what is no more there would end this process."""
    engine, changes = start()
    served(changes)
    fds = Path(f"/proc/{child_of(engine)._process.pid}/fd")
    memory = next(fd for fd in fds.iterdir() if "edgecam-tensors" in str(fd.readlink()))
    with pytest.raises(PermissionError):
        os.truncate(memory, 0)


def test_another_file_than_the_cards_is_not_run(start: Open, tmp_path: Path) -> None:
    """A twin that was left behind by a newer model would say something else."""
    engine, changes = start()
    served(changes)
    with (tmp_path / "net.tflite").open("ab") as file:
        file.write(b"more")
    os.kill(child_of(engine)._process.pid, signal.SIGKILL)
    assert "ended by itself" in failed(changes)
    assert "is not the file that the card names" in failed(changes)


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (os.mkfifo, "net.tflite: cannot be read: it is no file; put back what the card names"),
        (lambda path: path.symlink_to(path), "net.tflite: cannot be read: Too many levels of symbolic links"),
    ],
)
def test_what_is_no_file_is_told_and_not_waited_for(
    start: Open, tmp_path: Path, put: Callable[[Path], None], why: str
) -> None:
    """A pipe would keep the child for a minute, again and again."""
    engine, changes = start()
    served(changes)
    (tmp_path / "net.tflite").unlink()
    put(tmp_path / "net.tflite")
    os.kill(child_of(engine)._process.pid, signal.SIGKILL)
    assert "ended by itself" in failed(changes)
    assert why in failed(changes)


def test_where_memory_runs_out_the_child_is_ended_and_not_the_service(start: Open) -> None:
    """The CPU serves without it; the kernel would take the larger of the two."""
    engine, changes = start()
    served(changes)
    said = Path(f"/proc/{child_of(engine)._process.pid}/oom_score_adj").read_text(encoding="ascii")
    assert int(said) == 1000


def test_a_child_that_ends_while_nobody_asks_is_replaced(start: Open) -> None:
    """Else the next frame, which may be the one that matters, would find out."""
    engine, changes = start()
    served(changes)
    os.kill(child_of(engine)._process.pid, signal.SIGKILL)
    assert "has ended by itself" in failed(changes)
    served(changes)


def test_a_process_that_the_library_started_ends_with_the_child(start: Open, moody: MoodyDelegate) -> None:
    """What a library leaves running would hold the accelerator, and outlive edgecam."""
    moody.tell("fork")
    engine, changes = start()
    served(changes)
    left = int(moody.control.with_name("mood.child").read_text(encoding="ascii"))
    os.kill(left, 0)
    engine.close()
    assert wait_gone(left)


def wait_gone(pid: int) -> bool:
    """Whether a process ends; one that nobody has reaped has ended."""
    for _ in range(WAIT_S * 10):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_reason_that_is_no_text_is_told_as_such(start: Open, moody: MoodyDelegate) -> None:
    """The user reads why, and not what Python thinks of the library's bytes."""
    moody.tell("garble")
    _, changes = start()
    fault = failed(changes)
    assert "refuses: it says why in bytes that are no UTF-8 text; " in fault
    assert "Exception" not in fault


def test_options_that_are_too_long_are_told_by_their_key(start: Open, moody: MoodyDelegate) -> None:
    """A message that no channel takes is not sent: the user reads which key to shorten."""
    _, changes = start(options={"control": str(moody.control), "long": "x" * 70_000})
    assert "shorten models.<name>.delegate_options" in failed(changes)


def test_without_shared_memory_the_cpu_serves(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without it, or with none left, costs speed and not the service."""

    def refuse(*_: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse)
    engine, changes = start()
    assert "no process for it can be started: Function not implemented" in failed(changes)
    assert engine.invoke(PICTURE).shape == (4,)


def test_where_no_more_threads_are_allowed_the_cpu_serves(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container or a unit may have a limit: a delegate is no reason to end."""

    def refuse(_thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    engine, changes = start()
    assert "no thread for it: can't start new thread; let edgecam have more" in failed(changes)
    engine.invoke(PICTURE)
    assert engine.ran.info.delegate == "cpu"
    engine.close()


def test_closing_ends_the_child_even_if_it_hangs(start: Open, moody: MoodyDelegate) -> None:
    """No orphan keeps the accelerator."""
    engine, changes = start()
    served(changes)
    child = child_of(engine)
    moody.tell("hang")
    engine.invoke(PICTURE)
    engine.close()
    engine.close()
    assert not child.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(child._process.pid, 0)
