"""Downloads against servers that drop, lie, hang and send rubbish: the whole right file, or none."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import certificates
import model_server
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import Shelf

from edgecam.errors import ModelError
from edgecam.model import download as module
from edgecam.model.download import Patience, download

BODY = np.random.default_rng(5).bytes(300_000)
DIGEST = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(silence_s=0.3, pause_s=0.0)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A server with one file; no proxy is between."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with model_server.model_server(m__tflite=BODY) as served:
        yield served


def _fetch(shelf: Shelf, folder: Path, *, sha256: str = DIGEST, length: int | None = len(BODY)) -> None:
    download(f"{shelf.url}/m.tflite", folder / "m.tflite", sha256=sha256, length=length, patience=QUICK)


def _refusal(shelf: Shelf, folder: Path, *, sha256: str = DIGEST, length: int | None = len(BODY)) -> str:
    with pytest.raises(ModelError) as caught:
        _fetch(shelf, folder, sha256=sha256, length=length)
    assert not (folder / "m.tflite").exists()
    return str(caught.value)


def _came(folder: Path) -> None:
    assert (folder / "m.tflite").read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["m.tflite"]


def test_a_file_comes_whole_with_its_progress(shelf: Shelf, tmp_path: Path) -> None:
    """Nothing but the file is left, and the last that is told is all of it."""
    told: list[tuple[int, int | None]] = []
    download(
        f"{shelf.url}/m.tflite",
        tmp_path / "m.tflite",
        sha256=DIGEST[:16],
        progress=lambda have, total: told.append((have, total)),
        patience=QUICK,
    )
    _came(tmp_path)
    assert told[0] == (0, len(BODY))
    assert told[-1] == (len(BODY), len(BODY))


@pytest.mark.parametrize("length", [len(BODY), None])
def test_a_dropped_connection_is_resumed_where_it_broke(
    shelf: Shelf, tmp_path: Path, length: int | None
) -> None:
    """No byte is paid for twice, and the server is asked whether the file is still the same."""
    shelf.plan = [model_server.drop_after(100_000), model_server.drop_after(50_000)]
    _fetch(shelf, tmp_path, length=length)
    _came(tmp_path)
    ranges = [(headers.get("Range"), headers.get("If-Range")) for _, headers in shelf.asked]
    assert ranges == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"')]


def test_a_later_pull_goes_on_from_what_an_earlier_one_left(shelf: Shelf, tmp_path: Path) -> None:
    """A slow line needs more than one evening."""
    shelf.plan = [model_server.drop_after(200_000), *[model_server.status(503)] * 5]
    said = _refusal(shelf, tmp_path)
    assert "the server answers 503" in said
    assert "200000 bytes are kept, and pulling again goes on from there" in said
    _fetch(shelf, tmp_path)
    assert shelf.asked[-1][1].get("Range") == "bytes=200000-"
    _came(tmp_path)


def test_a_file_that_changed_in_between_is_fetched_anew(shelf: Shelf, tmp_path: Path) -> None:
    """Halves of two files would be neither."""
    shelf.files["m.tflite"] = bytes(len(BODY))
    shelf.plan = [model_server.drop_after(200_000), *[model_server.status(503)] * 5]
    _refusal(shelf, tmp_path)
    shelf.files["m.tflite"], shelf.tag = BODY, '"two"'
    _fetch(shelf, tmp_path)
    _came(tmp_path)


def test_halves_of_two_files_are_found_out(shelf: Shelf, tmp_path: Path) -> None:
    """A server that gives another file the same tag costs one more try, not the file."""
    shelf.files["m.tflite"] = bytes(len(BODY))
    shelf.plan = [model_server.drop_after(200_000), *[model_server.status(503)] * 5]
    _refusal(shelf, tmp_path)
    shelf.files["m.tflite"] = BODY
    _fetch(shelf, tmp_path)
    _came(tmp_path)


@pytest.mark.parametrize(
    "deed", [model_server.without_parts, model_server.wrong_place, model_server.status(416)]
)
def test_a_server_that_cannot_do_parts_sends_it_all_again(
    shelf: Shelf, tmp_path: Path, deed: model_server.Deed
) -> None:
    """A part in the wrong place is as bad as none."""
    shelf.plan = [model_server.drop_after(100_000), deed]
    _fetch(shelf, tmp_path)
    _came(tmp_path)


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_nothing_is_resumed(shelf: Shelf, tmp_path: Path, tag: str) -> None:
    """Nothing says then that the rest belongs to what is here."""
    shelf.tag = tag
    shelf.plan = [model_server.drop_after(100_000)]
    _fetch(shelf, tmp_path)
    _came(tmp_path)
    assert shelf.asked[1][1].get("Range") is None


def test_a_line_that_breaks_often_and_brings_something_is_not_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """Ten breaks in one file are a bad evening, and each went on from the last."""
    shelf.files["m.tflite"] = body = BODY * 3
    shelf.plan = [model_server.drop_after(80_000)] * 10
    download(
        f"{shelf.url}/m.tflite",
        tmp_path / "m.tflite",
        sha256=hashlib.sha256(body).hexdigest(),
        patience=QUICK,
    )
    assert (tmp_path / "m.tflite").read_bytes() == body
    assert len(shelf.asked) == 11


def test_a_server_that_makes_it_begin_anew_each_time_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """Much comes each time, and nothing is gained."""

    def changed(handler: model_server.Handler, body: bytes) -> None:
        handler.shelf.tag = f'"{len(handler.shelf.asked)}"'
        model_server.drop_after(200_000)(handler, body)

    shelf.plan = [changed] * 100
    assert "the connection ended at 200000 of 300000 bytes, 6 times" in _refusal(shelf, tmp_path)
    assert len(shelf.asked) == 6


def test_a_server_that_always_drops_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """It ends, however little comes each time."""
    shelf.plan = [model_server.drop_after(10)] * 100
    assert "the connection ended at 60 of 300000 bytes, 6 times" in _refusal(shelf, tmp_path)
    assert len(shelf.asked) == 6


@pytest.mark.parametrize("length", [len(BODY) - 1, len(BODY) + 1])
def test_a_length_that_is_not_the_known_one_is_refused_at_once(
    shelf: Shelf, tmp_path: Path, length: int
) -> None:
    """It is another file, and nothing of it is fetched."""
    shelf.plan = [model_server.says_length(length)]
    assert f"it has {length} bytes, but 300000 were expected" in _refusal(shelf, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_lie_about_a_length_that_is_not_known_is_found_by_the_hash(shelf: Shelf, tmp_path: Path) -> None:
    """A file that is too short looks whole to everybody else."""
    shelf.plan = [model_server.says_length(1000)]
    said = _refusal(shelf, tmp_path, length=None)
    assert f"expected sha256 {DIGEST[:12]}…" in said
    assert not list(tmp_path.iterdir())


def test_a_length_beyond_the_end_is_a_broken_connection(shelf: Shelf, tmp_path: Path) -> None:
    """The file that came is not believed to be whole."""
    shelf.plan = [model_server.says_length(400_000)] * 6
    assert "the connection ended at 300000 of 400000 bytes" in _refusal(shelf, tmp_path, length=None)


@pytest.mark.parametrize("known", [True, False])
def test_what_never_ends_is_cut_off(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    """The disk of a small board is soon full."""
    monkeypatch.setattr(module, "MOST_BYTES", 400_000)
    shelf.plan = [model_server.endless]
    said = _refusal(shelf, tmp_path, length=len(BODY) if known else None)
    assert f"sends more than the {300_000 if known else 400_000} bytes that were expected" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bytes(len(BODY)), "is not the file that was expected"),
        (b"<!DOCTYPE html><title>Log in</title>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "it is a pointer of Git LFS"),
    ],
)
def test_rubbish_is_refused_by_what_it_seems_to_be(
    shelf: Shelf, tmp_path: Path, body: bytes, said: str
) -> None:
    """A captive portal answers everything with 200."""
    shelf.plan = [model_server.sends(body)]
    assert said in _refusal(shelf, tmp_path, length=None)
    assert not list(tmp_path.iterdir())


def test_a_silent_server_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """Whoever waits for a model wants to hear that none comes."""
    shelf.plan = [model_server.hang] * 6
    assert "the server was silent for 0.3 s, 6 times" in _refusal(shelf, tmp_path)


def test_a_dripping_server_is_given_up(shelf: Shelf, tmp_path: Path) -> None:
    """It is never silent, and would take a week."""
    shelf.plan = [model_server.drip] * 6
    said = _refusal(shelf, tmp_path)
    assert "no more than" in said
    assert "bytes in 0.3 s, 6 times" in said


def test_what_speaks_no_http_is_told_as_such(shelf: Shelf, tmp_path: Path) -> None:
    """A wrong port is a common mistake."""
    shelf.plan = [model_server.no_http] * 6
    assert "the connection broke (BadStatusLine" in _refusal(shelf, tmp_path)


def test_nobody_there_is_told(tmp_path: Path, shelf: Shelf) -> None:
    """With what to do instead."""
    with pytest.raises(ModelError, match=r"cannot be reached \(.*refused.*--mirror or --file"):
        download("http://127.0.0.1:9/m.tflite", tmp_path / "m.tflite", patience=QUICK)
    assert not shelf.asked


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (404, "is not there any more"),
        (410, "is not there"),
        (403, "may not be had from here"),
        (400, "with status 400"),
    ],
)
def test_a_final_answer_is_not_asked_for_again(shelf: Shelf, tmp_path: Path, code: int, said: str) -> None:
    """The next try would hear the same."""
    shelf.plan = [model_server.status(code)] * 6
    assert said in _refusal(shelf, tmp_path)
    assert len(shelf.asked) == 1


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_a_passing_fault_is_tried_again(shelf: Shelf, tmp_path: Path, code: int) -> None:
    """A server that restarts costs a second."""
    shelf.plan = [model_server.status(code)]
    _fetch(shelf, tmp_path)
    _came(tmp_path)


def test_a_redirection_is_followed_also_for_the_rest(shelf: Shelf, tmp_path: Path) -> None:
    """Published files live behind redirections."""
    shelf.files["elsewhere"] = BODY
    away = model_server.redirect(f"{shelf.url}/elsewhere")
    shelf.plan = [away, model_server.drop_after(1000), away]
    _fetch(shelf, tmp_path)
    _came(tmp_path)
    path, headers = shelf.asked[-1]
    assert (path, headers.get("Range")) == ("/elsewhere", "bytes=1000-")


def test_redirections_in_a_circle_end(shelf: Shelf, tmp_path: Path) -> None:
    """A server must not keep anybody busy."""
    shelf.plan = [model_server.redirect(f"{shelf.url}/m.tflite")] * 100
    assert "status 302" in _refusal(shelf, tmp_path)
    assert len(shelf.asked) < 10


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/m.tflite", "http://"])
def test_a_redirection_to_what_is_no_web_address_is_refused(shelf: Shelf, tmp_path: Path, place: str) -> None:
    """A server cannot make this device read its own files."""
    shelf.plan = [model_server.redirect(place)] * 6
    said = _refusal(shelf, tmp_path)
    assert "is no address to download from" in said or "status 302" in said


@pytest.mark.parametrize(
    "url", ["ftp://host/m.tflite", "m.tflite", "file:///m.tflite", "http://me:secret@host/m"]
)
def test_what_is_no_web_address_is_refused_without_its_password(tmp_path: Path, url: str) -> None:
    """Nothing is asked of anybody."""
    with pytest.raises(ModelError) as caught:
        download(url, tmp_path / "m.tflite", patience=QUICK)
    assert "secret" not in str(caught.value)


def test_a_full_disk_is_not_taken_for_the_network(shelf: Shelf, tmp_path: Path) -> None:
    """Another try would be of no use."""
    (tmp_path / "m.tflite.part").mkdir()
    with pytest.raises(ModelError, match=r"m\.tflite: cannot be written"):
        _fetch(shelf, tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deeds=st.lists(
        st.one_of(
            st.integers(0, len(BODY)).map(model_server.drop_after),
            st.sampled_from([
                model_server.without_parts, model_server.wrong_place, model_server.no_http,
                model_server.status(503), model_server.status(416), model_server.status(404),
                model_server.sends(b"rubbish"), model_server.says_length(5), model_server.endless,
            ]),
        ),
        max_size=8,
    ),
    known=st.booleans(),
)  # fmt: skip
def test_whatever_a_server_does_the_file_is_right_or_absent(
    shelf: Shelf, tmp_path: Path, deeds: list[model_server.Deed], *, known: bool
) -> None:
    """The one rule of a download, also for the next one that goes on from what is left."""
    (tmp_path / "m.tflite").unlink(missing_ok=True)
    module_limit, module.MOST_BYTES = module.MOST_BYTES, 400_000
    shelf.plan = list(deeds)
    try:
        _fetch(shelf, tmp_path, length=len(BODY) if known else None)
    except ModelError:
        assert not (tmp_path / "m.tflite").exists()
    else:
        _came(tmp_path)
    finally:
        module.MOST_BYTES = module_limit


@pytest.fixture
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """The server's side of https, and the CA that signed for it."""
    ca = certificates.Ca(tmp_path_factory.mktemp("tls") / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.pair("127.0.0.1"))
    return context, ca.path


def test_https_is_believed_by_its_certificate_alone(
    tls: tuple[ssl.SSLContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger in between can send what he likes; trying again would not make him another."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with model_server.model_server(tls=tls[0], m__tflite=BODY) as served:
        with pytest.raises(ModelError, match=r"certificate is not to be trusted .* clock right"):
            _fetch(served, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
        _fetch(served, tmp_path)
        _came(tmp_path)


def test_https_does_not_lead_to_plain_http(
    tls: tuple[ssl.SSLContext, Path], shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What began encrypted stays so."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))
    with model_server.model_server(tls=tls[0], m__tflite=BODY) as served:
        served.plan = [model_server.redirect(f"{shelf.url}/m.tflite")]
        assert "which is not encrypted" in _refusal(served, tmp_path)
    assert not shelf.asked
