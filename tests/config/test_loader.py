"""File, environment and flags → a configuration with origins, or every problem at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgecam.config import loader
from edgecam.config.loader import MAX_BYTES, load_config
from edgecam.config.schema import Config
from edgecam.errors import ConfigError, UsageError

Write = Callable[[str | bytes], Path]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes `config.yaml` into an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> Path:
        path = Path("config.yaml")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def problems(path: Path | None, *, sets: tuple[str, ...] = (), **environ: str) -> list[str]:
    """The problems of a configuration that must have some, as they are shown."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, sets=sets, environ=environ)
    assert caught.value.exit_code == 78
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_is_the_default_configuration(config: Write, tmp_path: Path) -> None:
    """Nothing has to be written; relative paths refer to the file's folder."""
    loaded = load_config(config("# nothing\n"), environ={})
    assert loaded.config == Config()
    assert loaded.folder == tmp_path
    assert set(loaded.origins.values()) == {"default"}


def test_the_cameras_of_a_file_stand_alone_and_the_default_model_stays(config: Write) -> None:
    """Naming a camera removes `main`; naming a model keeps `default` for the cameras that use it."""
    loaded = load_config(
        config("cameras:\n  porch: {source: file:a.mp4}\nmodels:\n  birds: {path: birds}\n"), environ={}
    )
    assert list(loaded.config.cameras) == ["porch"]
    assert set(loaded.config.models) == {"default", "light", "birds"}


def test_part_of_the_default_model_can_be_changed_alone(config: Write) -> None:
    """`models.default.threads` needs no path beside it."""
    model = load_config(config("models: {default: {threads: 2}}\n"), environ={}).config.models["default"]
    assert (model.threads, model.path) == (2, "models/efficientnet_lite0_int8")


def test_a_key_without_a_value_keeps_its_default_and_says_so(config: Write) -> None:
    """Commenting out a block's last key must not break the file."""
    loaded = load_config(config("mqtt:\nbudget_ms:\nlog: {level: null}\nstarve_s: 3\n"), environ={})
    assert loaded.config == Config(starve_s=3.0)
    assert loaded.origins["budget_ms"] == loaded.origins["log.level"] == "default"
    assert loaded.origins["starve_s"] == "config.yaml:4"


def test_a_watched_label_without_a_value_has_the_default_thresholds(config: Write) -> None:
    """`watch: {cat: , dog: }` is the short way to name labels."""
    loaded = load_config(
        config('cameras:\n  a:\n    source: "pattern:"\n    watch:\n      cat:\n      dog: {enter: 0.9}\n'),
        environ={},
    )
    watch = loaded.config.cameras["a"].watch
    assert (watch["cat"].enter, watch["dog"].enter) == (0.6, 0.9)
    assert loaded.origins["cameras.a.watch.dog.enter"] == "config.yaml:6"


def test_flags_go_before_the_environment_before_the_file(config: Write) -> None:
    """Precedence, and an origin for each value."""
    path = config("budget_ms: 1\nstarve_s: 1\nmqtt:\n  base: one\n  heartbeat_s: 1\n  url: mqtt://one\n")
    loaded = load_config(
        path,
        sets=["mqtt.base=three", "mqtt.url=mqtt://three"],
        environ={"EDGECAM_BUDGET_MS": "2", "EDGECAM_MQTT__URL": "mqtt://two", "edgecam_mqtt__base": "two"},
    )
    assert (loaded.config.budget_ms, loaded.config.starve_s) == (2, 1.0)
    assert (loaded.config.mqtt.base, loaded.config.mqtt.url) == ("three", "mqtt://three")
    assert loaded.origins["budget_ms"] == "EDGECAM_BUDGET_MS"
    assert loaded.origins["mqtt.url"] == "--set"
    assert loaded.origins["mqtt.heartbeat_s"] == "config.yaml:5"
    assert loaded.origins["mqtt.username"] == "default"


def test_values_of_flags_are_yaml_and_sources_need_no_quotes(config: Write) -> None:
    """`pattern:` is a text, lists and maps are written in brackets, `null` gives the default back."""
    loaded = load_config(
        config("mqtt: {heartbeat_s: 5}\n"),
        sets=[
            "cameras.door.source=pattern:",
            "cameras.door.size=[320, 240]",
            'cameras.door.watch={cat: {enter: 0.7}, "Mr. X": }',
            "cameras.door.model=default",
            "cameras.door.flip=none",
            "mqtt.heartbeat_s=null",
            "mqtt.username='5'",
            "mqtt.protocol=5",
        ],
        environ={},
    )
    door = loaded.config.cameras["door"]
    assert (door.source, door.size, door.model, door.flip) == ("pattern:", (320, 240), ["default"], "none")
    assert door.watch["cat"].enter == 0.7
    assert loaded.origins['cameras.door.watch."Mr. X".enter'] == "default"
    assert loaded.origins["cameras.door.watch.cat.enter"] == "--set"
    mqtt = loaded.config.mqtt
    assert (mqtt.heartbeat_s, mqtt.username, mqtt.protocol) == (60.0, "5", "5")
    assert list(loaded.config.cameras) == ["main", "door"]


def test_a_map_given_by_a_flag_replaces_the_whole_map(config: Write) -> None:
    """So a flag can also take cameras away; the models `default` and `light` are always there."""
    sets = ['cameras={a: {source: "pattern:"}}', "models={birds: {path: b}}"]
    loaded = load_config(config(""), sets=sets, environ={})
    assert list(loaded.config.cameras) == ["a"]
    assert set(loaded.config.models) == {"birds", "default", "light"}


@pytest.mark.parametrize("text", ["cameras.main.fps", "=5", "a..b=1", ""])
def test_a_flag_that_is_not_key_and_value_is_an_error_of_usage(text: str) -> None:
    """Exit 2: the command line makes no sense."""
    with pytest.raises(UsageError, match=r"expected key=value, such as cameras\.main\.fps=10"):
        load_config(None, sets=[text], environ={})


def test_wrong_values_of_flags_and_variables_name_their_origin(config: Write) -> None:
    """A problem outside the file says where it came from instead of a line."""
    found = problems(
        config(""),
        sets=("cameras.main.fps=ten", "mqtt.base.x=1", "log={", "device.x=\x07"),
        EDGECAM_MQTT__BASE="a",
        EDGECAM_MQQT__URL="x",
    )
    assert found == [
        "--set: mqtt.base: there is no 'x' in it: it is no map; set the whole of it",
        "--set: log: not valid YAML: expected the node content, but found '<stream end>'",
        "--set: device.x: expected printable characters",
        '--set: cameras.main.fps: expected a number from 0.001 to 1000, got "ten"',
        'EDGECAM_MQQT__URL: mqqt: unknown key; did you mean "mqtt"?',
    ]


def test_variables_that_are_not_ours_are_left_alone(config: Write) -> None:
    """Only two underscores, or the name of a single value at the top, make a variable ours."""
    environ = {"EDGECAM_CACHE": "x", "EDGECAM_TEST_DATA": "/x", "EDGECAM_CAMERAS": "x", "HOME": "/x"}
    assert load_config(config(""), environ=environ).config == Config()


def test_every_problem_is_told_at_once_in_the_order_of_the_lines(config: Write) -> None:
    """One run of `check` is enough to mend a file."""
    found = problems(
        config(
            """\
budget_ms: yes
starv_s: 3
device: Ab
cameras:
  info: {source: "pattern:"}
  a:
    source: webcam:0
    size: [1, 480]
    roi: [0, 0, 1]
    rotate: 45
    model: []
    watch:
      cat: {enter: 0.3}
    ignore: cat
    loop: on
    controls: {AfMode: {x: 1}}
  b: {fps: .nan}
models:
  m: {path: x, threads: y}
mqtt:
  password: hunter2
  password_file: x
  outbox: 5
  url: http://host
"""
        )
    )
    assert found == [
        'config.yaml:1:1: budget_ms: expected a whole number from 1 to 600000, got "yes"',
        'config.yaml:2:1: starv_s: unknown key; did you mean "starve_s"?',
        'config.yaml:3:1: device: expected an id of a-z, 0-9, _ and -, got "Ab"',
        'config.yaml:5:3: cameras.info: expected another id: "info" is a word of the MQTT topics',
        'config.yaml:7:5: cameras.a.source: unknown source "webcam:0"; did you mean "v4l2:0"?',
        "config.yaml:8:12: cameras.a.size.0: expected a whole number from 16 to 8192, got 1",
        "config.yaml:9:5: cameras.a.roi: expected a list of 4 items, each a number, or null, got [0, 0, 1]",
        "config.yaml:10:5: cameras.a.rotate: expected 0, 90, 180 or 270, got 45",
        "config.yaml:11:5: cameras.a.model: expected at least one entry, got []",
        "config.yaml:13:7: cameras.a.watch.cat.exit: expected at most the value of enter (0.3), got 0.4",
        'config.yaml:14:5: cameras.a.ignore: expected a list of items, each a text, got "cat"',
        'config.yaml:15:5: cameras.a.loop: expected true or false, got "on"',
        (
            "config.yaml:16:16: cameras.a.controls.AfMode: "
            "expected true, false, a number, a text or a list of numbers"
        ),
        "config.yaml:17:3: cameras.b.source: this key is missing; expected a text such as picamera2:0",
        "config.yaml:17:7: cameras.b.fps: expected a number from 0.001 to 1000, got NaN",
        'config.yaml:19:16: models.m.threads: expected a whole number from 1 to 64, or auto, got "y"',
        (
            "config.yaml:21:3: mqtt.password: a password does not belong in this file; "
            "write it into a file of its own and name that in "
            "password_file, or use the systemd credential mqtt-password"
        ),
        (
            "config.yaml:22:3: mqtt.password_file: expected a username beside it: MQTT 3.1.1 has no password "
            "without a name"
        ),
        "config.yaml:23:3: mqtt.outbox: expected a map of keys, got 5",
        (
            "config.yaml:24:3: mqtt.url: expected embedded, embedded://HOST:PORT, mqtt://HOST[:PORT], "
            "mqtts://HOST[:PORT], ws://HOST[:PORT][/PATH] or wss://HOST[:PORT][/PATH], "
            'got "http://host"'
        ),
    ]


def test_whoever_means_a_text_that_yaml_takes_for_true_is_told_of_quotes(config: Write) -> None:
    """Libraries have options whose value is the word; where no text may stand, quotes would not help."""
    found = problems(
        config("models: {m: {path: x, delegate: armnn, delegate_options: {fast: true}, threads: false}}\n")
    )
    assert found == [
        (
            "config.yaml:1:59: models.m.delegate_options.fast: expected a text, or a whole number, or "
            'a number, got true; as a text it is written in quotes: "true"'
        ),
        "config.yaml:1:72: models.m.threads: expected a whole number from 1 to 64, or auto, got false",
    ]


def test_a_camera_may_only_name_a_model_that_is_there(config: Write) -> None:
    """Each wrong name is told, with the names that exist."""
    found = problems(
        config(
            'cameras:\n  a: {source: "pattern:", model: brids}\n'
            '  b:\n    source: "pattern:"\n    model: [x]\n'
            "models: {birds: {path: b}}\n"
        )
    )
    names = "expected one of the names in models (birds, default, light)"
    assert found == [
        f'config.yaml:2:27: cameras.a.model: {names}, got "brids"',
        f'config.yaml:5:5: cameras.b.model: {names}, got "x"',
    ]


def test_no_camera_at_all_is_refused(config: Write) -> None:
    """An empty map would be an appliance that does nothing."""
    assert problems(config("cameras: {}\n")) == [
        "config.yaml:1:1: cameras: expected at least one entry, got an empty map"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {url: 'mqtt://me:hunter2@host'}",
        "mqtt: {url: 'mqtt://me:hunter2@[host'}",
        "cameras: {a: {source: 'rtps://me:hunter2@host/x'}}",
        "cameras: {a: {source: ['rtsp://me:hunter2@host/x']}}",
        "mqtt: {password: hunter2}",
        "mqtt: {username: {hunter2: 1}}",
        "log: {level: 'rtsp://me:hunter2@host/x'}",
    ],
)
def test_no_message_repeats_a_password(config: Write, text: str) -> None:
    """Messages end in logs and forum threads."""
    assert "hunter2" not in "\n".join(problems(config(text)))


def test_an_unreadable_file_is_one_clear_problem(config: Write, tmp_path: Path) -> None:
    """Absent, a folder, too large: what it is and what to do."""
    assert problems(Path("absent.yaml")) == [
        "absent.yaml: no such file; name it with --config, or write one with edgecam init"
    ]
    (folder,) = problems(tmp_path)
    assert folder.endswith("expected a file, got a folder or device; name the file itself")
    assert problems(config("#" * (MAX_BYTES + 1))) == [
        "config.yaml:1:1000001: expected at most 1000000 bytes; is this the right file?"
    ]
    assert problems(Path("a\0b"))[0].endswith("embedded null byte")


def test_a_file_that_is_not_utf_8_is_refused_at_its_byte(config: Write) -> None:
    """Line and column of the first bad byte; a byte order mark is no fault."""
    assert problems(config("log: {}\n# é ".encode() + b"\xe9")) == [
        "config.yaml:2:5: this byte is not UTF-8; save the file as UTF-8"
    ]
    assert load_config(config(b"\xef\xbb\xbfbudget_ms: 7\n"), environ={}).config.budget_ms == 7


def test_a_file_is_looked_for_in_a_fixed_order(
    config: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named one, `$EDGECAM_CONFIG`, `./config.yaml`, the system's, else the defaults."""
    monkeypatch.setattr("edgecam.config.loader.SEARCHED", (Path("config.yaml"), tmp_path / "etc.yaml"))
    bare = load_config(None, environ={})
    assert (bare.path, bare.folder, bare.config) == (None, tmp_path, Config())
    (tmp_path / "etc.yaml").write_text("budget_ms: 4\n")
    assert load_config(None, environ={}).config.budget_ms == 4
    here = config("budget_ms: 3\n")
    assert load_config(None, environ={}).config.budget_ms == 3
    (tmp_path / "env.yaml").write_text("budget_ms: 2\n")
    environ = {"EDGECAM_CONFIG": str(tmp_path / "env.yaml")}
    assert load_config(None, environ=environ).config.budget_ms == 2
    assert load_config(here, environ=environ).config.budget_ms == 3


def test_an_absent_file_named_by_the_environment_is_an_error(config: Write) -> None:
    """A misspelt `$EDGECAM_CONFIG` must not silently mean the defaults."""
    config("")
    assert problems(None, EDGECAM_CONFIG="nowhere.yaml")[0].startswith("nowhere.yaml: no such file")


def test_without_a_file_in_a_folder_that_is_gone_one_is_told_to_leave_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens to whoever installs a new version from the folder of the old one."""
    monkeypatch.setattr(loader, "SEARCHED", ())
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match=r"has been deleted: change to one that is there"):
        load_config(None, environ={})
