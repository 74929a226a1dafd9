"""What the pipeline is measured on: a pattern and a broker of our own, or the user's configuration."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecam.appliance.board import device_id
from edgecam.config.loader import LoadedConfig, load_config
from edgecam.config.password import read_password
from edgecam.pipeline.assembly import Plan, assemble
from edgecam.publish.broker import EmbeddedBroker

_MOST_DEVICE_CHARS = 64
_SUFFIX = "-bench"


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that a run of the pipeline needs."""

    loaded: LoadedConfig
    plan: Plan
    device: str
    """In topics: not that of `edgecam run`, whose messages and connection it would take over."""
    password: str | None
    of_user: bool
    """True: the user's configuration; False: the pattern and a broker of our own."""


@contextlib.contextmanager
def pattern_setting(
    model: Path, *, sets: Sequence[str] = (), size_px: tuple[int, int] = (640, 480), fps: float = 30.0
) -> Iterator[Setting]:
    """The pattern, this model, every prediction published, and a broker on a free loopback port.

    Neither a configuration file nor the environment is read: the same everywhere.

    Args:
        model: a model directory or a `.tflite` file.
        sets: `key=value` texts on top of it.
        size_px: (width, height) of the pattern.
        fps: its pace.

    Raises:
        ConfigError, UsageError: by `sets`.
        ModelError: the model cannot be used.
        BrokerError: the broker cannot be started.
    """
    with EmbeddedBroker(port=0) as broker, tempfile.TemporaryDirectory(prefix="edgecam-bench-") as folder:
        config = {
            "cameras": {"main": {"source": "pattern:", "size": list(size_px), "fps": fps}},
            "models": {"default": {"path": str(model.absolute())}},
            "mqtt": {
                "url": f"mqtt://{broker.host}:{broker.port}",
                # Ours speaks nothing else: no need to find that out.
                "protocol": "3.1.1",
                "predictions": {"enabled": True, "max_hz": 1000},
            },
        }
        path = Path(folder) / "bench.yaml"
        # JSON is YAML.
        path.write_text(json.dumps(config), encoding="utf-8")
        loaded = replace(load_config(path, sets=sets, environ={}), folder=Path.cwd())
        yield Setting(loaded, assemble(loaded), device="bench", password=None, of_user=False)


@contextlib.contextmanager
def user_setting(
    path: Path,
    *,
    environ: Mapping[str, str],
    sets: Sequence[str] = (),
    size_px: tuple[int, int] | None = None,
    fps: float | None = None,
) -> Iterator[Setting]:
    """The user's cameras, models and broker.

    Args:
        path: the configuration.
        environ: the environment variables.
        sets: `key=value` texts.
        size_px: (width, height) of every camera instead of its own.
        fps: likewise.

    Raises:
        ConfigError, UsageError, ModelError: as `load_config` and `assemble`.
    """
    loaded = load_config(path, sets=sets, environ=environ)
    for_all = [f"size=[{size_px[0]}, {size_px[1]}]"] if size_px else []
    for_all += [f"fps={fps:g}"] if fps else []
    more = [f"cameras.{camera}.{text}" for camera in loaded.config.cameras for text in for_all]
    if more:
        loaded = load_config(path, sets=[*sets, *more], environ=environ)
    config = loaded.config
    device = device_id() if config.device == "auto" else config.device
    yield Setting(
        loaded,
        assemble(loaded),
        device=device[: _MOST_DEVICE_CHARS - len(_SUFFIX)] + _SUFFIX,
        password=read_password(config.mqtt, loaded.folder, environ),
        of_user=True,
    )
