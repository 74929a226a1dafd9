"""Engines by name: edgecam's own, and one that an installed package brings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tiny_engine import install

from edgecam.commands.inspect import inspect_model
from edgecam.commands.models import show_models
from edgecam.config.loader import load_config
from edgecam.errors import ConfigError, EngineError, ModelError
from edgecam.inference.engine import open_engine
from edgecam.inference.engines import EngineRequest, engine_names, load_engine
from edgecam.model.bare import bare_model
from edgecam.model.store import list_models, load_model
from edgecam.pipeline.assembly import assemble
from edgecam.pipeline.build import open_model

Package = Callable[..., Path]
MUTE = "Mute = type('Mute', (Exception,), {'__str__': None}); raise Mute"
"""Raises what cannot say why."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Installs the package with engines into a folder that Python looks into; see `install`."""

    def write(**spec: str) -> Path:
        folder = tmp_path / "site"
        install(folder, **spec)
        monkeypatch.syspath_prepend(str(folder))
        return folder

    return write


@pytest.fixture
def folder(tiny: ModuleType, tmp_path: Path) -> Path:
    """A model directory."""
    made: Path = tiny.write_folder(tmp_path / "models" / "net", tiny.Tiny())
    return made


def test_an_installed_packages_engine_runs_a_configured_model(
    folder: Path, tmp_path: Path, package: Package
) -> None:
    """`engine: abacus` is all it takes: found by its entry point, checked like others, told by its name."""
    package()
    config = tmp_path / "config.yaml"
    config.write_text(f"models: {{default: {{path: {folder}, engine: abacus}}}}\n", encoding="utf-8")
    loaded = load_config(config, environ={})
    with open_model(loaded, assemble(loaded), "default") as engine:
        assert engine.info.name == "abacus/cpu"
        assert engine.invoke(np.zeros((1, 8, 8, 3), np.uint8)).shape == (4,)


def test_a_file_that_only_its_engine_can_read_is_taken_with_its_card(folder: Path, package: Package) -> None:
    """What a vendor's compiler made has no graph to look into: the card counts, then what the engine says."""
    package()
    data = b"HEF\x01 whatever"
    (folder / "model.tflite").rename(folder / "model.hab")
    (folder / "model.hab").write_bytes(data)
    card = folder / "card.yaml"
    text = re.sub(
        "sha256: .*", f"sha256: {hashlib.sha256(data).hexdigest()}\nfile: model.hab", card.read_text()
    )
    card.write_text(text, encoding="utf-8")
    model = load_model(folder)
    with open_engine(model, engine="abacus", threads=1) as engine:
        assert engine.info.runtime == "abacus"
    with pytest.raises(
        EngineError, match=r"model.hab: no engine of edgecam's is for such files; name the one"
    ):
        open_engine(model, threads=1)
    (folder / "labels.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (folder / "groups.yaml").unlink()
    with pytest.raises(EngineError, match="the engine has 4 outputs, but there are 3 labels"):
        open_engine(load_model(folder), engine="abacus", threads=1)
    (listing,) = list_models([folder.parent])
    assert (listing.fault, listing.graph) == (None, None)
    show_models(folder.parents[1])
    with pytest.raises(ModelError, match="only its engine can look inside"):
        inspect_model(str(folder))


def test_a_packages_engine_that_computes_something_else_is_refused(folder: Path, package: Package) -> None:
    """A plug-in is believed no more than edgecam's own engines: scores that are all the same end it."""
    package(answer="np.full(4, 7, np.uint8)")
    with pytest.raises(EngineError, match="the engine abacus/cpu computes wrong results"):
        open_engine(load_model(folder), engine="abacus", threads=1)


def test_an_unknown_engine_is_told_with_its_place(folder: Path, tmp_path: Path, package: Package) -> None:
    """File, line and column of the name, and what is installed: own engines, then those of packages."""
    package()
    config = tmp_path / "config.yaml"
    config.write_text(f"models:\n  default:\n    path: {folder}\n    engine: abacuss\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        assemble(load_config(config, environ={}))
    said = str(caught.value)
    assert "config.yaml:4:5: models.default.engine: expected auto or an installed engine (litert, " in said
    assert ', abacus), got "abacuss"; did you mean "abacus"?' in said


@pytest.mark.parametrize(
    ("file", "engine", "said"),
    [
        ("model.tflite", "onnx", r'engine: expected an engine that runs model.tflite \(litert, tfl.*"onnx"'),
        ("model.tflite", "hailo", r'engine: expected an engine that runs model.tflite .*, got "hailo"'),
        ("model.hab", "auto", r"engine: expected the name of the engine that runs model.hab: no own one"),
        ("model.hab", "litert", r"engine: expected .* \(the one of an installed package\), got"),
    ],
)
def test_an_engine_for_other_files_is_refused_with_its_place(
    folder: Path, tmp_path: Path, file: str, engine: str, said: str
) -> None:
    """Found when the configuration is checked, not when the first frame comes."""
    (folder / "model.tflite").rename(folder / file)
    data = (folder / file).read_bytes() if file == "model.tflite" else b"HEF whatever"
    (folder / file).write_bytes(data)
    card = folder / "card.yaml"
    digest = hashlib.sha256(data).hexdigest()
    card.write_text(re.sub("sha256: .*", f"sha256: {digest}\nfile: {file}", card.read_text()), "utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(f"models:\n  default:\n    engine: {engine}\n    path: {folder}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"config.yaml:3:5: models.default.{said}"):
        assemble(load_config(config, environ={}))


def test_no_package_takes_the_place_of_an_own_engine(package: Package) -> None:
    """`litert` is edgecam's, whatever a package calls its own."""
    package(name="litert")
    assert engine_names().count("litert") == 1
    # With LiteRT installed, and without.
    with pytest.raises(EngineError, match=r"refuses the model|is not installed"):
        load_engine("litert", EngineRequest(Path("/nowhere.tflite"), threads=1))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"opener": "raise OSError('no device')"}, "the engine abacus refuses the model: OSError: no device"),
        ({"opener": "raise SystemExit(3)"}, "the engine abacus refuses the model: SystemExit: 3"),
        ({"opener": "raise BaseException('panic')"}, "abacus refuses the model: BaseException: panic"),
        ({"top": "raise SystemExit(3)"}, r"the engine abacus cannot be imported .*SystemExit: 3"),
        ({"top": "raise GeneratorExit"}, r"the engine abacus cannot be imported .*GeneratorExit"),
        ({"top": MUTE}, r"the engine abacus cannot be imported \(abacus:open_abacus\): Mute;"),
        ({"top": "import no_such_library"}, r"the engine abacus cannot be imported \(abacus:open_abacus\)"),
    ],
)
def test_a_packages_own_exceptions_become_engine_errors(
    folder: Path, package: Package, spec: dict[str, str], said: str
) -> None:
    """Whatever a stranger's module raises while it is imported or opened, the run survives it."""
    package(**spec)
    with pytest.raises(EngineError, match=said):
        open_engine(load_model(folder), engine="abacus", threads=1)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("1 / 0", "the engine abacus failed: ZeroDivisionError: division by zero"),
        ("sys.exit(3)", "the engine abacus failed: SystemExit: 3"),
        ("exec('raise BaseException(1)')", "the engine abacus failed: BaseException: 1"),
        (f"exec({MUTE!r})", "the engine abacus failed: Mute$"),
        ("[200, 40, 10, 6]", r"the engine abacus gives list None None, not an array \(4,\) uint8"),
        ("np.zeros((1, 4), np.uint8)", r"gives ndarray \(1, 4\) uint8, not an array \(4,\) uint8"),
        ("np.zeros(4, np.float32)", r"gives ndarray \(4,\) float32, not an array \(4,\) uint8"),
    ],
)
def test_a_packages_engine_is_held_to_the_contract(
    folder: Path, package: Package, answer: str, said: str
) -> None:
    """The engine worker survives EngineError alone: whatever else a stranger's code does becomes one."""
    package(answer=answer)
    with pytest.raises(EngineError, match=said):
        open_engine(load_model(folder), engine="abacus", threads=1)


@pytest.mark.parametrize(
    "body",
    [
        "input = None",
        "input = TensorSpec('picture', (1, 8, 8, 3), 'uint8', 'much', 128)",
        "input = TensorSpec('picture', (1, 8, 8, 3), 'uint8', 0.5, 'z')",
        "output = TensorSpec('scores', 4, 'uint8', 1 / 256, 0)",
        "output = TensorSpec('scores', (1, 4), 'picture', 1 / 256, 0)",
        "info = None",
        "info = property(lambda self: sys.exit(4))",
        "delegated = 'all'",
    ],
)
def test_an_engine_that_describes_itself_wrongly_is_refused(
    folder: Path, package: Package, body: str
) -> None:
    """What a stranger's engine says of itself is looked at before anybody counts on it."""
    package(body=body)
    with pytest.raises(EngineError, match=r"the engine abacus does not say what it is: .*; tell who made it"):
        open_engine(load_model(folder), engine="abacus", threads=1)


def test_what_an_engine_says_of_itself_is_made_plain(folder: Path, package: Package) -> None:
    """`info` goes into JSON: numpy's numbers and bytes would end a run there."""
    package(body="info = EngineInfo(b'abacus', 1.5, 'cpu', np.int64(1)); operators = np.int64(3)")
    with open_engine(load_model(folder), engine="abacus", threads=1) as engine:
        assert json.dumps(asdict(engine.info))
        assert type(engine.info.threads) is int
        assert type(vars(engine)["operators"]) is int


def test_an_engine_that_ceases_to_say_what_it_is_goes_on(folder: Path, package: Package) -> None:
    """A fault in what is only told costs no result."""
    package(body="asked = iter([info] * 2); info = property(lambda self: next(self.asked))")
    with open_engine(load_model(folder), engine="abacus", threads=1) as engine:
        assert [engine.info.name for _ in range(5)] == ["abacus/cpu"] * 5


def test_an_engine_that_is_none_is_refused(folder: Path, package: Package) -> None:
    """An opener that returns something else is told as such."""
    package(opener="return object()")
    with pytest.raises(EngineError, match="the engine abacus does not say what it is: AttributeError"):
        open_engine(load_model(folder), engine="abacus", threads=1)


def test_a_runtime_that_was_named_is_not_replaced(tiny: ModuleType, tmp_path: Path) -> None:
    """`engine: tflite-runtime` on a machine without it says so, and does not run LiteRT instead."""
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny.make(tiny.Tiny()))
    try:
        with open_engine(bare_model(path), engine="tflite-runtime", threads=1) as engine:
            assert engine.info.runtime == "tflite-runtime"
    except EngineError as error:
        assert "tflite-runtime is not installed: `pip install" in str(error)  # noqa: PT017 - either is right
