"""The door to the configuration: a file, the environment and flags → a checked `Config`, or every problem.

Precedence: `--set` > `EDGECAM_…` > file > default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgecam.config.document import read_yaml
from edgecam.config.explain import faults_of
from edgecam.config.overrides import CONFIG_VARIABLE, apply_environment, apply_sets
from edgecam.config.schema import Config
from edgecam.config.service_file import SERVICE_FILE, remedy_of_closed
from edgecam.config.tree import Fault, Place, Tree, dotted, look_up
from edgecam.config.tree import Path as Keys
from edgecam.errors import ConfigError, Problem, UsageError

# Where a configuration is looked for when none is named.
SEARCHED = (Path("config.yaml"), SERVICE_FILE)
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, and where it came from."""

    config: Config
    path: Path | None
    """The file; None when there is none and the defaults hold."""
    folder: Path
    """What relative paths in the configuration refer to: the file's folder, else the working directory."""
    origins: Mapping[str, str]
    """Dotted key → `config.yaml:12`, `EDGECAM_MQTT__URL`, `--set` or `default`, for every value."""
    text: str = field(default="", repr=False)
    """Of the file."""
    tree: Tree = field(default_factory=Tree, repr=False)
    """The places of all that was written."""

    def problem(self, keys: Keys, text: str) -> Problem:
        """A fault that only showed later, at the place where its key, or what holds it, was written."""
        return Fault(self.tree.place_of(keys), keys, text).as_problem()

    def placed(self, error: ConfigError) -> ConfigError:
        """Faults of a file that the configuration names, at the places where it is named."""
        return ConfigError(
            [
                self.problem(tuple(problem.path.split(".")), f"{problem.where}: {problem.text}")
                if problem.path
                else problem
                for problem in error.problems
            ]
        )


def load_config(
    path: Path | None,
    *,
    sets: Sequence[str] = (),
    environ: Mapping[str, str],
    stand_in: Path | None = None,
) -> LoadedConfig:
    """The configuration.

    Args:
        path: the file; None: `$EDGECAM_CONFIG`, else `./config.yaml`, else `/etc/edgecam/config.yaml`, else
            none, and the defaults hold. In /etc/edgecam, one that this user may not look at counts as there.
        sets: `key=value` texts of `--set`.
        environ: the environment variables.
        stand_in: read in the place of the file, in whose folder relative paths still are.

    Raises:
        ConfigError: every problem found.
        UsageError: one of `sets` is not `key=value`, or there is no file and no folder to be in.
    """
    path = find_config(path, environ=environ)
    read = stand_in or path
    text = "" if read is None else read_text(read)
    tree = Tree() if read is None else read_yaml(text, name=str(read))
    # Without a single key read, more problems would only repeat that the text is no YAML.
    if not tree.data and tree.faults:
        raise error_of(tree.faults)
    _seed_cameras(tree)
    apply_environment(tree, environ)
    apply_sets(tree, sets)
    _seed_models(tree)
    config = _checked(tree)
    folder = _here() if path is None else path.absolute().parent
    return LoadedConfig(
        config=config, path=path, folder=folder, origins=_origins(config, tree), text=text, tree=tree
    )


def find_config(path: Path | None, *, environ: Mapping[str, str]) -> Path | None:
    """The file that `load_config` reads; None: the defaults hold."""
    if path is not None:
        return path
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return next((candidate for candidate in SEARCHED if _is_found(candidate)), None)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError(
            "the folder you are in has been deleted: change to one that is there, or name a file by --config"
        ) from error


def _is_found(path: Path) -> bool:
    """Where we may not look: no in a working directory of somebody else's, yes in the system's folder.

    The service's folder is closed to others; to take the defaults for its configuration would mislead them.
    """
    try:
        return path.is_file()
    except PermissionError:
        return path.is_absolute()
    except OSError:
        return False


def read_text(path: Path, *, remedy: str = "name it with --config, or write one with edgecam init") -> str:
    """A file's text, UTF-8 with or without a byte order mark.

    Args:
        path: the file.
        remedy: what to do if there is none.

    Raises:
        ConfigError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, "expected a file, got a folder or device; name the file itself")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(path, f"no such file; {remedy}") from None
    except PermissionError as error:
        text = f"cannot be read: {error.strerror}; {remedy_of_closed(path)}"
        raise _unreadable(path, text) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unreadable(path, f"cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        place = _place_after(content[:MAX_BYTES], path)
        raise error_of([Fault(place, (), f"expected at most {MAX_BYTES} bytes; is this the right file?")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place_after(error.object[: error.start], path)
        raise error_of([Fault(place, (), "this byte is not UTF-8; save the file as UTF-8")]) from None


def _place_after(content: bytes, path: Path) -> Place:
    before = content.decode("utf-8", "replace")
    return Place(str(path), before.count("\n") + 1, len(before) - before.rfind("\n"))


def _seed_cameras(tree: Tree) -> None:
    """Add the camera `main` unless the file has cameras of its own."""
    if tree.data.get("cameras") is None:
        tree.data["cameras"] = {"main": {"source": Config().cameras["main"].source}}


def _seed_models(tree: Tree) -> None:
    """Add the models that are always there, or their paths, unless some layer gives them."""
    models = tree.data["models"] = {} if tree.data.get("models") is None else tree.data["models"]
    if not isinstance(models, dict):
        return
    for name, shipped in Config().models.items():
        model = models[name] = {} if models.get(name) is None else models[name]
        if isinstance(model, dict) and model.get("path") is None:
            model["path"] = shipped.path


def _checked(tree: Tree) -> Config:
    faults = list(tree.faults)
    try:
        config = Config.model_validate(tree.data)
    except ValidationError as error:
        faults += faults_of(error, tree)
    if faults:
        raise error_of(faults)
    return config


def _origins(config: Config, tree: Tree) -> dict[str, str]:
    return {
        dotted(keys): _origin(keys, value, tree) for keys, value in leaves(config.model_dump(mode="json"))
    }


def _origin(keys: Keys, value: Any, tree: Tree) -> str:
    """A key that was left empty keeps its default, so that is where the value is from."""
    place = tree.places.get(keys)
    kept = place is None or (value is not None and look_up(tree.data, keys) is None)
    return "default" if place is None or kept else place.origin


def leaves(value: Any, path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every single value of nested maps with its path; a list or an empty map counts as one value."""
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, part in value.items():
        yield from leaves(part, (*path, key))


def _unreadable(path: Path, text: str) -> ConfigError:
    return ConfigError([Problem(where=str(path), path="", text=text)])


def error_of(faults: list[Fault]) -> ConfigError:
    """Every problem once, a file's in the order of its lines."""
    ordered = sorted(faults, key=lambda fault: (fault.place.line or 0, fault.place.column or 0))
    return ConfigError(list(dict.fromkeys(fault.as_problem() for fault in ordered)))
