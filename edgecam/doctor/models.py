"""Is each model what its card says, and does its engine compute what the card says?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgecam.config.state_folder import threads_path
from edgecam.doctor.finding import Area, Finding, Verdict, told
from edgecam.doctor.probing import probe
from edgecam.doctor.processes import running_edgecams
from edgecam.doctor.service import out_of_sight
from edgecam.doctor.subject import Subject
from edgecam.errors import ModelError
from edgecam.inference.choice import AUTO, CPU
from edgecam.inference.engines import AUTO as ANY_ENGINE
from edgecam.inference.engines import TFLITE
from edgecam.model.card import read_card
from edgecam.model.graph import is_tflite
from edgecam.model.store import CARD_FILE, find_model, model_file
from edgecam.pipeline.delegation import wish_of

RUN_S = 60.0
"""A large model on a small board, with the loading of all libraries."""
DEADLINE_S = RUN_S + 5.0


def look(subject: Subject, name: str) -> Iterator[Finding]:
    """Look at one model: its hash, card and labels; and run it if a camera uses it."""
    loaded = subject.config
    model = loaded.config.models[name]
    users = [camera for camera, config in loaded.config.cameras.items() if name in config.model]
    severity = Verdict.ERROR if users else Verdict.WARNING
    unused = "" if users else " (no camera uses it)"
    try:
        path = find_model(model.path, folder=loaded.folder)
    except ModelError as error:
        yield told(Area.MODELS, f"{name}{unused}", str(error), severity)
        return
    hidden = out_of_sight(subject, path, area=Area.MODELS, name=name) if users else None
    if hidden is not None:
        yield hidden
        return
    threads = None if model.threads == "auto" else model.threads
    how = {"engine": model.engine, "threads": threads, "providers": model.providers}
    others = running_edgecams(subject.root)
    wish = wish_of(model, loaded.folder)
    request = {
        "path": str(path),
        "run": bool(users),
        "open": how,
        "measured_threads": str(threads_path(subject.service_environ)),
        # Many accelerators serve one process only.
        "delegate": None if others else wish.delegate,
        "delegate_options": wish.options,
        "timeout_ms": model.timeout_ms,
        "patience_s": RUN_S / 2,
    }
    answer = probe("model", request, deadline_s=RUN_S)
    if answer.crashed:
        remedy = "convert the model again with a current converter, update the runtime, or use another model"
        text = f"{path}: running it is fatal: {answer.fault}"
        yield Finding(Area.MODELS, name, severity, text, remedy)
    elif answer.hangs:
        remedy = "see that its device works, update the engine's library or package, or name another engine"
        text = f"{path}: {answer.fault}: a library of its engine hangs"
        yield Finding(Area.MODELS, name, severity, text, remedy)
    elif answer.fault:
        yield told(Area.MODELS, f"{name}{unused}", answer.fault, severity)
    else:
        values = answer.values
        text = f"{values['name']}, {values['labels']} labels, as its card says"
        if users:
            text += f"; {values['engine']} computes the test picture right, in {values['took_ms']:g} ms"
            text += f" (threads: {values['threads']})"
        else:
            text += "; no camera uses it, so it was not run"
        yield Finding(Area.MODELS, name, Verdict.OK, text)
        if users and others and wish.delegate not in {AUTO, CPU}:
            text = f"left alone, since {others[0]} may use it; its info says what serves"
            yield Finding(Area.MODELS, f"{name} on {model.delegate}", Verdict.SKIPPED, text)
        elif (accelerator := values.get("accelerator")) is not None:
            yield _judge(name, accelerator)
        for delegate, why in values.get("unused", ()):
            yield told(Area.MODELS, f"{name} on {delegate}", f"it is not used: {why}", Verdict.WARNING)


def runs_on_tflite(subject: Subject, name: str) -> bool:
    """Whether a model needs a TFLite runtime; True where that cannot be told."""
    loaded = subject.config
    model = loaded.config.models[name]
    if model.engine != ANY_ENGINE:
        return model.engine in TFLITE
    try:
        path = find_model(model.path, folder=loaded.folder)
        return is_tflite(model_file(path, read_card(path / CARD_FILE)))
    except ModelError:
        return True


def _judge(name: str, accelerator: dict[str, Any]) -> Finding:
    """What became of its delegate; never an error, since the CPU runs the model."""
    if accelerator["why"]:
        return told(Area.MODELS, f"{name} on its delegate", accelerator["why"], Verdict.WARNING)
    share = f"{accelerator['delegated']} of {accelerator['operators']} operators"
    text = f"it runs {share}, and says of the test picture what the CPU says"
    return Finding(Area.MODELS, f"{name} on {accelerator['delegate']}", Verdict.OK, text)
