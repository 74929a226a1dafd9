"""Pulling a model: its directory is there when all of it is right and runs, and before that nothing is."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import model_server
import pytest
from model_server import Shelf

from edgecam.commands.proving import prove
from edgecam.errors import EdgecamError, EngineError, ModelError, UsageError
from edgecam.model import replacement
from edgecam.model.card import read_card
from edgecam.model.catalogue import ENTRIES, Entry, Part, find_entry
from edgecam.model.digests import LEAST_DIGITS
from edgecam.model.download import Patience
from edgecam.model.pull import Origin, Prove, Pulled, Watch, pull
from edgecam.model.staging import discard, staged
from edgecam.model.store import list_models, load_model

QUICK = Patience(silence_s=0.3, pause_s=0.0)


@pytest.fixture
def entry(tiny: ModuleType) -> Entry:
    """A model of four classes with labels and a twin."""
    return Entry(
        "pets",
        "A made model",
        _part("pets.tflite", tiny.make(tiny.Tiny())),
        "made by the test",
        labels=_part("pets.txt", b"cat\ndog\ncup\nrocket\n"),
        twins={"coral": _part("pets_edgetpu.tflite", _twin(tiny))},
    )


@pytest.fixture
def shelf(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A mirror that has its files."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with model_server.model_server() as served:
        served.files = {
            "pets.tflite": tiny.make(tiny.Tiny()),
            "pets.txt": b"cat\ndog\ncup\nrocket\n",
            "pets_edgetpu.tflite": _twin(tiny),
        }
        yield served


def _twin(tiny: ModuleType) -> bytes:
    data: bytes = tiny.make(tiny.Tiny(custom_op="edgetpu-custom-op"))
    return data


def _part(name: str, data: bytes) -> Part:
    return Part(name, f"http://127.0.0.1:9/{name}", len(data), hashlib.sha256(data).hexdigest())


def _pull(
    entry: Entry, models: Path, shelf: Shelf | None = None, *, force: bool = False, file: Path | None = None,
    sha256s: Sequence[str] = (), proof: Prove = prove, watch: Watch = lambda _: lambda _have, _total: None,
) -> Pulled:  # fmt: skip
    origin = Origin(shelf.url if shelf else "", file, sha256s, QUICK)
    return pull(
        entry,
        models,
        origin,
        name=entry.name,
        force=force,
        prove=proof,
        watch=watch,
    )


def _nothing_is_listed(models: Path) -> None:
    assert list_models([models]) == []
    assert [path.name for path in models.glob("*") if not path.name.startswith(".")] == []


def test_a_model_comes_with_labels_twin_and_a_card_that_says_where_from(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """The card has what the file says and what the catalogue adds; its self-test binds other engines."""
    pulled = _pull(entry, tmp_path, shelf)
    assert pulled == Pulled(tmp_path / "pets", ())
    model = load_model(pulled.place)
    card = model.card
    assert (model.name, model.labels) == ("pets", ("cat", "dog", "cup", "rocket"))
    assert (card.licence, card.description) == ("Apache-2.0", "A made model")
    assert card.source == "made by the test: http://127.0.0.1:9/pets.tflite"
    assert card.sha256 == entry.model.sha256
    assert card.twins["coral"].sha256 == entry.twins["coral"].sha256
    assert card.self_test is not None
    assert sorted(card.self_test.top5) == [0, 1, 2, 3]
    assert sorted(path.name for path in pulled.place.iterdir()) == [
        "card.yaml", "labels.txt", "model.tflite", "pets_edgetpu.tflite",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_the_classes_of_imagenet_have_the_labels_and_groups_of_the_default(
    tiny: ModuleType, shelf: Shelf, tmp_path: Path
) -> None:
    """So a ladder may go from one to the other, and `watch` stays as it is."""
    data = tiny.make(tiny.Tiny(classes=1001))
    shelf.files["i.tflite"] = data
    pulled = _pull(Entry("i", "", _part("i.tflite", data), "made", background_offset=1), tmp_path, shelf)
    model = load_model(pulled.place)
    assert (len(model.labels), model.labels[:2]) == (1001, ("background", "tench"))
    assert "cat" in model.groups


HOSTILE = {
    "drops": [model_server.drop_after(2)] * 6,
    "lies, too short": [model_server.says_length(7)],
    "lies, too long": [model_server.says_length(9_999_999)],
    "garbage": [model_server.sends(b"<html>")] * 6,
    "never ends": [model_server.endless],
    "hangs": [model_server.hang] * 6,
    "redirects in a circle": [model_server.redirect("/pets.tflite")] * 50,
    "is gone": [model_server.status(404)],
    "is ill": [model_server.status(500)] * 6,
    "speaks no HTTP": [model_server.no_http] * 6,
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("plan", HOSTILE.values(), ids=HOSTILE)
def test_with_a_hostile_server_nothing_is_ever_listed(
    entry: Entry, shelf: Shelf, tmp_path: Path, plan: list[model_server.Deed], place: int
) -> None:
    """Whichever of its files goes wrong: no model, and a second pull from an honest server has it whole."""
    shelf.plan = [model_server.well] * place + plan
    with pytest.raises(ModelError):
        _pull(entry, tmp_path, shelf, proof=lambda _: (0,))
    _nothing_is_listed(tmp_path)
    shelf.plan = []
    _pull(entry, tmp_path, shelf, proof=lambda _: (0,))
    assert [listing.fault for listing in list_models([tmp_path])] == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_while_it_comes_nothing_is_listed_either(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """At each piece of each file, and while it is tried."""
    looks = 0

    def look(*_: object) -> None:
        nonlocal looks
        looks += 1
        _nothing_is_listed(tmp_path)

    def proof(place: Path) -> tuple[int, ...]:
        assert load_model(place).name == "pets"
        look()
        return (0,)

    _pull(entry, tmp_path, shelf, proof=proof, watch=lambda _: look)
    assert looks > 3
    assert len(list_models([tmp_path])) == 1


def let_renaming_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was made of the entry, at the end."""
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.parent.name == ".incoming" and path.name == "pets":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)


def test_a_replacement_that_fails_leaves_what_was_there(
    entry: Entry, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the very last step, where two folders cannot change places at once."""
    place = _pull(entry, tmp_path, shelf).place
    (place / "README.md").write_text("mine", encoding="utf-8")
    let_renaming_fail(monkeypatch)
    with monkeypatch.context() as without:
        without.setattr(replacement, "_exchange", lambda *_: False)
        with pytest.raises(ModelError, match="pets: cannot be written: Input/output error"):
            _pull(entry, tmp_path, shelf, force=True, proof=lambda _: (0,))
    assert (place / "README.md").exists()
    assert [listing.fault for listing in list_models([tmp_path])] == [None]


def test_a_replacement_is_done_once_the_folders_have_changed_places(
    entry: Entry, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there cannot be cleared away: that is no failure of the model that is there now."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    if not replacement._exchange(one, other):
        pytest.skip("this file system does not let two folders change places")
    one.rmdir()
    other.rmdir()
    place = _pull(entry, tmp_path, shelf).place
    (place / "README.md").write_text("mine", encoding="utf-8")
    let_renaming_fail(monkeypatch)
    _pull(entry, tmp_path, shelf, force=True, proof=lambda _: (0,))
    assert not (place / "README.md").exists()
    assert [listing.fault for listing in list_models([tmp_path])] == [None]
    monkeypatch.undo()
    _pull(entry, tmp_path, shelf, force=True, proof=lambda _: (0,))
    assert [listing.fault for listing in list_models([tmp_path])] == [None]


def test_what_was_whole_is_not_fetched_again(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """The model's file is megabytes, on a line that breaks."""
    shelf.plan = [model_server.well, *[model_server.status(500)] * 6]
    with pytest.raises(ModelError):
        _pull(entry, tmp_path, shelf)
    shelf.asked.clear()
    _pull(entry, tmp_path, shelf)
    assert [path for path, _ in shelf.asked] == ["/pets_edgetpu.tflite", "/pets.txt"]


def test_what_was_left_and_damaged_is_fetched_again(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """An SD card forgets."""
    shelf.plan = [model_server.well, *[model_server.status(500)] * 6]
    with pytest.raises(ModelError):
        _pull(entry, tmp_path, shelf)
    (tmp_path / ".incoming" / "pets" / "model.tflite").write_bytes(b"rot")
    _pull(entry, tmp_path, shelf)
    assert len(list_models([tmp_path])) == 1


def test_a_model_that_does_not_run_does_not_appear(tiny: ModuleType, shelf: Shelf, tmp_path: Path) -> None:
    """Its hash is right, its labels fit, and it says the same of everything."""
    data = tiny.make(tiny.Tiny(dead=True))
    shelf.files["pets.tflite"] = data
    dead = Entry(
        "dead", "", _part("pets.tflite", data), "made", labels=_part("pets.txt", shelf.files["pets.txt"])
    )
    with pytest.raises((ModelError, EngineError), match="all 4 scores are"):
        _pull(dead, tmp_path, shelf)
    _nothing_is_listed(tmp_path)


def test_labels_of_which_no_hash_is_known_are_held_to_their_number(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """And the user is told; a wrong list that an earlier try left is not kept."""
    free = replace(entry, labels=Part("pets.txt", "http://127.0.0.1:9/pets.txt"))
    shelf.files["pets.txt"] = b"cat\ndog\n"
    with pytest.raises(ModelError, match="has 2 labels, but the model has 4 outputs"):
        _pull(free, tmp_path, shelf)
    _nothing_is_listed(tmp_path)
    shelf.files["pets.txt"] = b"cat\ndog\ncup\nrocket\n"
    (notice,) = _pull(free, tmp_path, shelf).notices
    assert "pets.txt was taken as it came" in notice
    assert hashlib.sha256(shelf.files["pets.txt"]).hexdigest() in notice


def test_what_nobody_vouches_for_is_refused_before_a_byte_is_asked_for(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """A model can be anything; with a hash that the user brings it is the user's choice."""
    unknown = replace(entry, model=replace(entry.model, sha256=""), twins={})
    with pytest.raises(UsageError, match=r"knows no sha256 of it.*--sha256"):
        _pull(unknown, tmp_path, shelf)
    assert not shelf.asked
    with pytest.raises(ModelError, match="is not the file that was expected"):
        _pull(unknown, tmp_path, shelf, sha256s=("0" * 64,))
    _nothing_is_listed(tmp_path)
    _pull(unknown, tmp_path, shelf, sha256s=(entry.model.sha256,))
    assert len(list_models([tmp_path])) == 1


def test_a_twin_that_nobody_vouches_for_is_left_out_and_told(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """The CPU's model is of use without it."""
    coral = replace(entry.twins["coral"], sha256="")
    pulled = _pull(replace(entry, twins={"coral": coral}), tmp_path, shelf)
    assert pulled.notices == (
        "without its twin for coral (pets_edgetpu.tflite): no sha256 of it is known; give --sha256",
    )
    assert not load_model(pulled.place).card.twins


def test_the_first_digits_of_a_hash_tell_files_apart(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """Where no more is known."""
    part = replace(entry.model, sha256=entry.model.sha256[:LEAST_DIGITS])
    shelf.plan = [model_server.sends(bytes(part.bytes or 0))]
    with pytest.raises(ModelError, match="is not the file that was expected"):
        _pull(replace(entry, model=part), tmp_path, shelf)
    _pull(replace(entry, model=part), tmp_path, shelf)
    assert load_model(tmp_path / "pets").sha256 == entry.model.sha256


def test_a_file_that_is_here_already_is_taken_with_those_beside_it(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """A device without a network gets its models on a stick."""
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "anything.tflite").write_bytes(shelf.files["pets.tflite"])
    with pytest.raises(ModelError, match=r"pets\.txt: no such file; the labels have to lie beside"):
        _pull(entry, tmp_path / "models", file=stick / "anything.tflite")
    (stick / "pets.txt").write_bytes(shelf.files["pets.txt"])
    pulled = _pull(entry, tmp_path / "models", file=stick / "anything.tflite")
    assert "it does not lie beside" in pulled.notices[0]
    (stick / "pets_edgetpu.tflite").write_bytes(shelf.files["pets_edgetpu.tflite"])
    assert _pull(entry, tmp_path / "models", file=stick / "anything.tflite", force=True).notices == ()
    (stick / "pets_edgetpu.tflite").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"pets_edgetpu\.tflite: is not the file"):
        _pull(entry, tmp_path / "models", file=stick / "anything.tflite", force=True)
    assert load_model(tmp_path / "models" / "pets").card.twins
    assert not shelf.asked


def test_a_model_is_not_overwritten_unless_it_is_asked_for(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """It may be one's own work under the same name."""
    place = _pull(entry, tmp_path, shelf).place
    (place / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists and is left as it is"):
        _pull(entry, tmp_path, shelf)
    shelf.plan = [model_server.status(404)]
    with pytest.raises(ModelError):
        _pull(entry, tmp_path, shelf, force=True)
    assert (place / "README.md").exists()
    _pull(entry, tmp_path, shelf, force=True)
    assert not (place / "README.md").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["pets"]


def test_what_is_no_model_directory_is_never_overwritten(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """Whatever is forced."""
    (tmp_path / "pets").mkdir()
    with pytest.raises(UsageError, match="is no model directory"):
        _pull(entry, tmp_path, shelf, force=True)
    assert not shelf.asked


def test_two_at_once_do_not_mix(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """A cron job and a person."""
    with (
        staged(tmp_path, "pets", keep=True),
        pytest.raises(ModelError, match="another edgecam is at work in it"),
    ):
        _pull(entry, tmp_path, shelf)
    with staged(tmp_path, "pets", keep=True), pytest.raises(ModelError, match="another edgecam"):
        discard(tmp_path, "pets")


def test_a_pull_that_is_killed_leaves_nothing_listed_and_is_gone_on_with(
    entry: Entry, shelf: Shelf, tmp_path: Path
) -> None:
    """SIGKILL in the middle of the file: as a power cut looks to the next one."""
    code = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from edgecam.model.catalogue import Entry, Part\n"
        "from edgecam.model.pull import Origin, pull\n"
        "words = json.loads(sys.argv[1])\n"
        "entry = Entry('pets', '', Part(*words['model']), 'made', labels=Part(*words['labels']))\n"
        "pull(entry, Path(sys.argv[2]), Origin(mirror=sys.argv[3]), name='pets', force=False,\n"
        "     prove=lambda place: (0,), watch=lambda name: lambda have, total: None)\n"
    )
    assert entry.labels is not None
    words = {
        name: [part.name, part.url, part.bytes, part.sha256]
        for name, part in (("model", entry.model), ("labels", entry.labels))
    }

    def half_then_wait(handler: model_server.Handler, body: bytes) -> None:
        handler.begin(200, len(body))
        handler.wfile.write(body[:100])
        handler.wfile.flush()
        handler.shelf.closing.wait(30)

    shelf.plan = [half_then_wait]
    child = subprocess.Popen([sys.executable, "-c", code, json.dumps(words), str(tmp_path), shelf.url])
    part = tmp_path / ".incoming" / "pets" / "model.tflite.part.json"
    ends = time.monotonic() + 30
    while not part.exists() and time.monotonic() < ends:
        assert child.poll() is None
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    _nothing_is_listed(tmp_path)
    _pull(entry, tmp_path, shelf)
    assert [listing.fault for listing in list_models([tmp_path])] == [None]


def test_a_folder_that_cannot_be_written_is_told(entry: Entry, shelf: Shelf, tmp_path: Path) -> None:
    """Before anything is fetched."""
    (tmp_path / "models").write_text("a file", encoding="utf-8")
    with pytest.raises(EdgecamError, match="cannot be written"):
        _pull(entry, tmp_path / "models", shelf)
    assert not shelf.asked


def test_the_catalogue_holds_together() -> None:
    """Hashes are whole, begun or empty, lengths go with begun ones, accuracies have a source."""
    names = [entry.name for entry in ENTRIES]
    assert len(set(names)) == len(names) >= 10
    for entry in ENTRIES:
        assert find_entry(entry.name) is entry
        parts = [entry.model, *entry.twins.values(), *([entry.labels] if entry.labels else [])]
        for part in parts:
            assert len(part.sha256) in {0, LEAST_DIGITS, 64}
            assert not part.sha256.strip("0123456789abcdef")
            assert part.bytes or len(part.sha256) != LEAST_DIGITS
            assert part.url.startswith("https://")
            assert part.url.endswith(part.name) or "tfhub" in part.url
        assert entry.accuracy is None or entry.accuracy.source.startswith("https://")
        assert all("_edgetpu" in part.name for part in entry.twins.values())


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    """A typing error costs nothing."""
    with pytest.raises(UsageError, match="did you mean 'mobilenet_v2'"):
        find_entry("mobilnet_v2")


@pytest.mark.shared_data
def test_the_published_mobilenet_v2_is_pulled_over_a_line_that_breaks(
    shared_data: Path, shelf: Shelf, tmp_path: Path
) -> None:
    """The real file, by its real entry, from a mirror: whole, and right about the test picture."""
    entry = find_entry("mobilenet_v2")
    shelf.files = {entry.model.name: (shared_data / "models" / entry.model.name).read_bytes()}
    shelf.plan = [
        model_server.drop_after(1_000_000),
        model_server.status(503),
        model_server.drop_after(2_000_000),
    ]
    pulled = _pull(entry, tmp_path, shelf)
    assert [headers.get("Range") for _, headers in shelf.asked] == [
        None, "bytes=1000000-", "bytes=1000000-", "bytes=3000000-",
    ]  # fmt: skip
    model = load_model(pulled.place)
    assert (model.sha256, model.labels[89]) == (entry.model.sha256, "macaw")
    assert model.card.self_test == read_card(pulled.place / "card.yaml").self_test
    assert model.card.self_test is not None
    assert model.card.self_test.top5[0] == 912


@pytest.mark.shared_data
def test_the_published_twin_comes_with_its_model(shared_data: Path, tmp_path: Path) -> None:
    """From files at hand, as from a stick."""
    entry = find_entry("mobilenet_v1_025_128")
    pulled = _pull(entry, tmp_path, file=shared_data / "models" / entry.model.name)
    assert pulled.notices == ()
    assert load_model(pulled.place).card.twins["coral"].sha256 == entry.twins["coral"].sha256
