"""What may lie in a store, or be named to it: pipes, devices, endless texts, strange names, strange disks."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgecam.commands.models_add import add_model
from edgecam.errors import ModelError, UsageError
from edgecam.model import pull as pulling
from edgecam.model.add import Told
from edgecam.model.card import read_card
from edgecam.model.labels import MOST_BYTES, parse_labels, read_labels
from edgecam.model.replacement import recover_all
from edgecam.model.staging import check_name, copy_file, discard, locked, publish, staged, withdraw
from edgecam.model.store import list_models, load_model
from edgecam.model.text_file import read_text_file

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def models(tiny: ModuleType, tmp_path: Path) -> Path:
    """A folder with one model, `pets`."""
    tiny.write_folder(tmp_path / "models" / "pets", tiny.Tiny())
    return tmp_path / "models"


def _pipe(path: Path) -> Path:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path


def _longer(path: Path, length_bytes: int) -> Path:
    with path.open("wb") as file:
        file.truncate(length_bytes)
    return path


def test_a_pipe_or_a_device_is_not_read(tmp_path: Path) -> None:
    """The one would wait for a writer, the other has no end."""
    for path in (_pipe(tmp_path / "labels.txt"), Path("/dev/zero")):
        with pytest.raises(ModelError, match="cannot be read: it is no file"):
            read_labels(path)
        with pytest.raises(ModelError, match="cannot be read: it is no file"):
            read_card(path)
        with pytest.raises(ModelError, match="cannot be copied: it is no file"):
            copy_file(path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_text_may_be_as_long_as_it_may_be_and_no_longer(tmp_path: Path) -> None:
    """Of a list that never ends there would be no memory left."""
    assert len(read_text_file(_longer(tmp_path / "a", 10), most_bytes=10)) == 10
    with pytest.raises(ModelError, match=f"has more than {MOST_BYTES} bytes"):
        read_labels(_longer(tmp_path / "labels.txt", MOST_BYTES + 1))
    with pytest.raises(ModelError, match="has more than 1000000 bytes"):
        read_card(_longer(tmp_path / "card.yaml", 1_000_001))


def test_groups_that_are_a_pipe_are_a_fault_of_that_model_alone(models: Path) -> None:
    """All others are listed."""
    _pipe(models / "pets" / "groups.yaml")
    (listing,) = list_models([models])
    assert "groups.yaml: cannot be read: it is no file" in str(listing.fault)


@pytest.mark.parametrize("name", ["..", "../pets/model.tflite", "/etc/passwd", "."])
@pytest.mark.parametrize("key", ["file: {}", "twins: {{coral: {{file: {}, sha256: {digest}}}}}"])
def test_a_card_names_no_file_outside_its_folder(models: Path, key: str, name: str) -> None:
    """Whichever of its files."""
    card = models / "pets" / "card.yaml"
    words = [line for line in card.read_text(encoding="utf-8").splitlines() if not line.startswith("file:")]
    card.write_text("\n".join([*words, key.format(name, digest="a" * 64), ""]), encoding="utf-8")
    with pytest.raises(ModelError, match="expected a file name inside the model directory"):
        load_model(models / "pets")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "a\\e[31mred", "name: expected text without control characters"),
        ("name", "a\\nb", "name: expected one line"),
        ("file", "a\\0b", "file: expected text without control characters"),
        ("licence", "a\\x9b31mred", "licence: expected text without control characters"),
    ],
)
def test_a_card_does_not_command_the_terminal(models: Path, key: str, value: str, said: str) -> None:
    """Its words go into tables, messages, logs and MQTT."""
    card = models / "pets" / "card.yaml"
    words = [line for line in card.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{key}:")]
    card.write_text("\n".join([*words, f'{key}: "{value}"', ""]), encoding="utf-8")
    with pytest.raises(ModelError, match=said):
        load_model(models / "pets")


def test_a_label_does_not_command_the_terminal_either() -> None:
    """Any other character may be in one."""
    with pytest.raises(ModelError, match=r"list:2: has a control character, '\\x1b'"):
        parse_labels(b"cat\nd\x1b[31mog\n", name="list")
    assert parse_labels("Käfer, 猫\u00a0\u200e\tx\n".encode(), name="list") == ("Käfer, 猫\u00a0\u200e\tx",)


def test_a_store_that_cannot_be_looked_into_hides_no_other(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that came with edgecam are listed all the same."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as closed:
        closed.setattr(Path, "glob", refuse)
        assert recover_all(models) == []


def test_a_name_leaves_room_for_what_lies_beside_it(tmp_path: Path) -> None:
    """A model of the longest name can be replaced and removed."""
    name = "a" * 200
    place = tmp_path / name
    for _ in range(2):
        with staged(tmp_path, name) as folder:
            (folder / "card.yaml").write_text("", encoding="utf-8")
            publish(folder, place)
    withdraw(place)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="no more than 200"):
        check_name(f"{name}a")


def test_a_file_whose_name_is_none_for_a_model_asks_for_another(tiny: ModuleType, tmp_path: Path) -> None:
    """`ä` is a letter, but not in every file system's opinion the same one."""
    file = tmp_path / "vögel.tflite"
    file.write_bytes(tiny.make(tiny.Tiny(labels=("cat", "dog", "cup", "rocket"))))
    with pytest.raises(UsageError, match=r"'vögel' is no name for a model.*give one with --name"):
        add_model(file, Told(licence="a", source="b"), folder=tmp_path)


def test_a_copy_that_broke_off_takes_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full, and would stay so."""
    (tmp_path / "big").write_bytes(b"big")

    def break_off(_: Path, target: Path) -> None:
        target.write_bytes(b"b")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfile", break_off)
    with pytest.raises(ModelError, match="No space left on device"):
        copy_file(tmp_path / "big", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_folders_that_another_command_left_are_not_in_a_pull_s_way(tmp_path: Path) -> None:
    """A step of compression was killed under the same name, which leaves its network."""
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "weights").write_bytes(b"")
    (tmp_path / "model.tflite").mkdir()
    pulling._drop_others(tmp_path, {"card.yaml"})
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_moved_out_of_a_layer_below_is_told(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's file system does not rename folders of its image; nothing is left over of the try."""

    def refuse(*_: Path) -> Path:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match="as a container's image is; change it there, or use another name"):
        withdraw(models / "pets")
    assert [path.name for path in models.iterdir()] == ["pets"]


def test_what_an_ended_try_left_is_not_called_gone_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may only be read."""
    (tmp_path / ".incoming" / "pets").mkdir(parents=True)

    def refuse(*_: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(ModelError, match="Read-only file system"):
        discard(tmp_path, "pets")


def test_what_a_link_leads_to_is_not_emptied(tmp_path: Path) -> None:
    """Somebody put one where a model would be put together."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "child.jpg").write_bytes(b"")
    (tmp_path / ".incoming").mkdir()
    (tmp_path / ".incoming" / "pets").symlink_to(tmp_path / "photos")
    with staged(tmp_path, "pets") as folder:
        publish(folder, tmp_path / "pets")
    assert (tmp_path / "photos" / "child.jpg").exists()
    assert not (tmp_path / "pets").is_symlink()


def test_where_folders_have_no_locks_models_come_and_go_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS locks only what is open for writing, and a folder never is."""

    def refuse(*_: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with staged(tmp_path, "pets") as folder:
        publish(folder, tmp_path / "pets")
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_a_folder_that_has_just_become_a_model_is_not_worked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking it, whoever was at work in it put it in its place."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def late(*_: int) -> None:
        folder.rename(tmp_path / "place")
        folder.mkdir()

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(ModelError, match="another edgecam is at work in it"), locked(folder):
        pass


REMOVES = """
import subprocess, sys
from pathlib import Path
from edgecam.commands.models_remove import remove_model
from edgecam.errors import UsageError

folder = Path(sys.argv[1])
(folder / "models" / "Pets").mkdir()
mounted = subprocess.run(["mount", "--bind", folder / "models" / "pets", folder / "models" / "Pets"])
if mounted.returncode:
    sys.exit(77)
try:
    remove_model("pets", folder=folder, yes=True)
except UsageError as error:
    sys.exit(0 if "names it" in str(error) else str(error))
sys.exit("it was removed")
"""


def test_a_model_that_the_configuration_names_by_another_name_stays(models: Path) -> None:
    """Where case does not count, `Pets` is `pets`; here one is mounted on the other."""
    (models.parent / "config.yaml").write_text("models: {default: {path: models/Pets}}\n", encoding="utf-8")
    words = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        sys.executable,
        "-c",
        REMOVES,
        str(models.parent),
    ]
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    except OSError as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
