"""What the doctor says of cameras, models, runtimes and libraries."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from made_machine import write, write_process
from moody_delegate import MoodyDelegate
from mosquitto import free_port
from program import write_pictures

from edgecam.appliance.accelerators import find_accelerators
from edgecam.config.source import parse_source
from edgecam.doctor import accelerators, cameras, models, runtime
from edgecam.doctor.finding import Finding, Verdict
from edgecam.doctor.probes import model as model_probe
from edgecam.doctor.probing import Answer
from edgecam.doctor.runtime import Platform
from edgecam.doctor.subject import Subject
from edgecam.inference import choice
from edgecam.inference.delegates import DELEGATES, Delegate, find_delegate

MakeSubject = Callable[..., Subject]


def camera(subject: MakeSubject, source: str) -> Finding:
    """What is said of a camera with this source."""
    (found,) = cameras.look(subject(cameras={"main": {"source": source}}), "main")
    return found


def test_a_recording_gives_its_first_frame(subject: MakeSubject, tmp_path: Path) -> None:
    """Really read, in a process of its own, relative to the configuration."""
    write_pictures(tmp_path / "pictures", 2)
    found = camera(subject, "images:pictures")
    assert found.verdict is Verdict.OK
    assert "96x72" in found.found


@pytest.mark.parametrize(
    ("source", "said", "remedy"),
    [
        ("images:nowhere", "there is no", "path"),
        ("v4l2:/dev/video99", "/dev/video99 is not there", "plugged in"),
        ("v4l2:/dev/null", "no video device", "video"),
        ("picamera2:0", "no module picamera2", "python3-picamera2"),
        ("rtsp://me:hunter2@no-such-host.invalid/x", "not known", "address"),
    ],
)
def test_what_stands_in_a_cameras_way_is_told_with_the_remedy(
    subject: MakeSubject, source: str, said: str, remedy: str
) -> None:
    """In words, not by an exception's name; no password."""
    found = camera(subject, source)
    assert found.verdict is Verdict.ERROR
    assert said in found.found
    assert remedy in found.remedy
    assert "hunter2" not in found.found + found.remedy


def test_a_stream_whose_port_is_refused_is_told_at_once(subject: MakeSubject) -> None:
    """Without loading OpenCV and waiting for its own patience."""
    port = free_port()
    found = camera(subject, f"http://me:hunter2@127.0.0.1:{port}/stream.mjpg")
    assert found.verdict is Verdict.ERROR
    assert f"nothing listens on port {port}" in found.found
    assert "hunter2" not in found.found


def test_a_camera_with_which_edgecam_works_is_left_alone(subject: MakeSubject, machine: Path) -> None:
    """That is well; opening it could disturb the service."""
    write_process(machine, 12, "edgecam", "run", files=("/dev/video99",))
    found = camera(subject, "v4l2:/dev/video99")
    assert found.verdict is Verdict.OK
    assert "edgecam run (pid 12)" in found.found


def test_another_program_that_has_the_camera_is_named(subject: MakeSubject, machine: Path) -> None:
    """When it does not open: merely to have it open does no harm."""
    write_process(machine, 7, "motion", files=("/dev/video99",))
    made = subject(cameras={"main": {"source": "v4l2:/dev/video99"}})
    lost = Answer({"kind": "CameraLost"}, fault="it is in use; end it")
    found = cameras._unopened(made, "main", parse_source("v4l2:/dev/video99"), lost)
    assert found.verdict is Verdict.ERROR
    assert "held by motion (pid 7)" in found.found
    assert "motion" not in camera(subject, "v4l2:/dev/video99").found


def test_a_user_who_may_not_see_it_hears_that_our_service_may_have_the_camera(
    subject: MakeSubject, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not where a library is missing, which nobody can hold."""
    write_process(machine, 12, "edgecam", "run")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    made, source = subject(cameras={"main": {"source": "picamera2:0"}}), parse_source("picamera2:0")
    lost = Answer({"kind": "CameraLost"}, fault="picamera2:0: in use; end it")
    missing = Answer({"kind": "SourceError"}, fault="picamera2:0: no module; install it")
    found = [cameras._unopened(made, "main", source, answer) for answer in (lost, missing)]
    assert [finding.verdict for finding in found] == [Verdict.WARNING, Verdict.ERROR]
    assert "edgecam run (pid 12) may have it" in found[0].found
    assert found[1].remedy == "install it"


def test_a_camera_that_libcamera_has_locked_is_held(subject: MakeSubject, machine: Path) -> None:
    """The kernel's table of locks names the program to any user."""
    about = write(machine, "dev/media0", "").stat()
    place = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    write(machine, "proc/locks", f"1: POSIX  ADVISORY  WRITE 8 {place} 0 EOF\n")
    write_process(machine, 8, "rpicam-vid")
    found = camera(subject, "picamera2:0")
    assert found.verdict is Verdict.ERROR
    assert "held by rpicam-vid (pid 8)" in found.found


@pytest.mark.parametrize(
    ("members", "said", "remedy"),
    [([], "not in the group video", "usermod -aG video"), (["root"], "this login is older", "log out")],
)
def test_a_device_of_a_group_that_we_are_not_in_names_the_command(
    subject: MakeSubject, monkeypatch: pytest.MonkeyPatch, members: list[str], said: str, remedy: str
) -> None:
    """One who has been added since has to log in again."""
    group = grp.struct_group(("video", "x", 44, members))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="root"))
    found = camera(subject, "v4l2:/dev/null")
    assert found.verdict is Verdict.ERROR
    assert said in found.found
    assert remedy in found.remedy


def fake_package(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """A package that the children of the doctor import in the place of the real one."""
    for name, source in files.items():
        write(folder / "fake", name, source)
    monkeypatch.syspath_prepend(str(folder / "fake"))


def test_a_picamera2_that_was_built_for_another_numpy_is_told_with_the_remedy(
    subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import is made in a child; the remedy is the command."""
    clash = "numpy.dtype size changed, may indicate binary incompatibility. Expected 96, got 88"
    fake_package(tmp_path, monkeypatch, {"picamera2/__init__.py": f"raise ValueError({clash!r})"})
    found = camera(subject, "picamera2:0")
    assert found.verdict is Verdict.ERROR
    assert "another numpy" in found.found
    assert "numpy<2" in found.remedy


def test_a_runtime_that_aborts_is_an_error_of_runtime_and_model_and_ends_nothing_else(
    subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: ModuleType
) -> None:
    """As a processor without the instructions of the wheel does it; its last words are told."""
    dying = "import os, sys\nprint('Illegal instruction: avx9', file=sys.stderr, flush=True)\nos.abort()\n"
    files = {"ai_edge_litert/__init__.py": "", "ai_edge_litert/interpreter.py": dying}
    fake_package(tmp_path, monkeypatch, files)
    tiny.write_folder(tmp_path / "pets", tiny.Tiny())
    (model,) = models.look(subject(models={"default": {"path": "pets"}}), "default")
    *_, tflite = runtime.look(on("aarch64", 11))
    assert (model.verdict, tflite.verdict) == (Verdict.ERROR, Verdict.ERROR)
    assert "SIGABRT: Illegal instruction: avx9" in model.found
    assert "SIGABRT" in tflite.found
    assert "pip install ai-edge-litert" in tflite.remedy


def test_a_wrong_hash_is_told_with_both(subject: MakeSubject, tiny: ModuleType, tmp_path: Path) -> None:
    """An error for a model in use, a warning for one that no camera uses."""
    tiny.write_folder(tmp_path / "pets", tiny.Tiny())
    model = tmp_path / "pets" / "model.tflite"
    good = subject(models={"default": {"path": "pets"}})
    (found,) = models.look(good, "default")
    assert found.verdict is Verdict.OK, found
    assert "4 labels" in found.found
    model.write_bytes(model.read_bytes() + b"\0\0\0\0")
    (bad,) = models.look(good, "default")
    (unused,) = models.look(subject(models={"other": {"path": "pets"}}), "other")
    assert (bad.verdict, unused.verdict) == (Verdict.ERROR, Verdict.WARNING)
    assert "expected sha256" in bad.found
    assert "fetch it again" in bad.remedy


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], str]:
    """`build(c_source)`: the path of a shared library made of it; skips aloud without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here: loading of real libraries is not checked")
    path = tmp_path / "libmade.so"

    def compile_it(source: str) -> str:
        (tmp_path / "made.c").write_text(source)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", path, tmp_path / "made.c"], check=True)
        return str(path)

    return compile_it


@pytest.mark.parametrize(
    ("source", "verdict", "said"),
    [
        ("void *tflite_plugin_create_delegate(void) { return 0; }", Verdict.OK, "can be loaded"),
        ("int nothing;", Verdict.WARNING, "no TFLite delegate"),
        (
            "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }",
            Verdict.WARNING,
            "SIGABRT",
        ),
        (
            "extern int missing(void); int f(void) { return missing(); }",
            Verdict.WARNING,
            "undefined symbol: missing",
        ),
    ],
)
def test_a_library_is_tried_where_it_can_harm_nobody(
    build: Callable[[str], str], machine: Path, source: str, verdict: Verdict, said: str
) -> None:
    """One that aborts ends a child of ours, not the doctor."""
    (machine / "dev").mkdir()
    (machine / "dev/apex_0").touch()
    delegate = Delegate("coral", ("Coral Edge TPU (PCIe)",), (build(source),), "install it")
    (found,) = accelerators.look((delegate,), machine)
    assert found.verdict is verdict, found
    assert "Coral Edge TPU (PCIe) is there" in found.found
    assert said in found.found
    assert bool(found.remedy) is (verdict is Verdict.WARNING)


def test_a_file_that_is_no_library_is_there_and_cannot_be_loaded(tmp_path: Path, machine: Path) -> None:
    """Not the same as one that is missing."""
    path = tmp_path / "libmade.so"
    path.write_bytes(b"not ELF")
    delegate = Delegate("coral", (), (str(path),), "install it")
    (found,) = accelerators.look((delegate,), machine)
    assert found.verdict is Verdict.WARNING
    assert "cannot be loaded" in found.found


def test_what_is_neither_plugged_in_nor_installed_is_skipped(machine: Path) -> None:
    """And a device without its library names where to get it."""
    delegate = Delegate("coral", ("Coral Edge TPU (PCIe)",), ("libno-such-thing.so.9",), "install it")
    (absent,) = accelerators.look((delegate,), machine)
    (machine / "dev").mkdir()
    (machine / "dev/apex_0").touch()
    (machine / "dev/hailo0").touch()
    lonely, other = accelerators.look((delegate,), machine)
    assert (absent.verdict, lonely.verdict, other.verdict) == (
        Verdict.SKIPPED,
        Verdict.WARNING,
        Verdict.SKIPPED,
    )
    assert "plug in: Coral Edge TPU (PCIe); then: install it" in absent.found
    assert lonely.remedy == "install it"
    assert "Hailo NPU is there; it runs models of its own, by engine: hailo" in other.found


def test_of_webgpu_it_is_said_which_of_gpu_and_driver_is_not_there(machine: Path) -> None:
    """Whoever has the one need not look for the other."""
    webgpu = find_delegate("webgpu")
    assert webgpu is not None

    def said() -> str:
        (found,) = accelerators.look((webgpu,), machine)
        assert found.verdict is Verdict.SKIPPED
        return found.found

    assert said() == f"no GPU is there (/dev/dri/renderD*); to use it: {webgpu.get_library}"
    (machine / "dev/dri").mkdir(parents=True)
    (machine / "dev/dri/renderD128").touch()
    assert said().startswith("a GPU (renderD128) is there, but no Vulkan driver is; to use it: ")
    for file in ("usr/lib/libvulkan.so.1", "usr/share/vulkan/icd.d/radeon_icd.json"):
        assert "no Vulkan driver is" in said()
        (machine / file).parent.mkdir(parents=True)
        (machine / file).touch()
    named = "used where a model names it (delegate: webgpu)"
    assert said() == f"a GPU (renderD128) with a Vulkan driver is there; {named}"


def test_of_openvino_it_is_said_whether_this_python_has_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has installed the extra is not told to install it."""
    openvino = find_delegate("openvino")
    assert openvino is not None

    def version(_package: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(accelerators, "version", version)
    (absent,) = accelerators.look((openvino,), machine)
    assert absent.found == f"this Python has no OpenVINO; to use it: {openvino.get_library}"
    monkeypatch.setattr(accelerators, "version", {"openvino": "2026.3"}.get)
    (there,) = accelerators.look((openvino,), machine)
    assert there.found == "OpenVINO 2026.3 is there; used where a model names it (delegate: openvino)"
    assert (absent.verdict, there.verdict) == (Verdict.SKIPPED, Verdict.SKIPPED)


def give_driver(machine: Path, node: str, driver: str) -> None:
    """A node with this driver of the kernel's, as dev and sysfs show it."""
    (machine / "dev" / node).parent.mkdir(parents=True, exist_ok=True)
    (machine / "dev" / node).touch()
    driver_folder = machine / "sys/bus/platform/drivers" / driver
    driver_folder.mkdir(parents=True)
    device = machine / "sys/class" / node.replace("dri/", "drm/") / "device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(driver_folder)


@pytest.mark.parametrize(
    ("node", "driver", "said"),
    [
        ("accel/accel0", "rocket", "NPU with a driver in Mesa is there; none of"),
        ("dri/renderD128", "etnaviv", "Vivante NPU or GPU (etnaviv) is there; none of"),
        (
            "accel/accel0",
            "intel_vpu",
            "Intel NPU is there; used where a model names it",
        ),
        ("accel/accel0", "amdxdna", "AMD NPU is there, and edgecam knows no delegate for it"),
        ("dri/renderD128", "i915", "neither device nor library is there"),
    ],
)
def test_npus_that_share_a_kind_of_node_are_told_apart_by_their_drivers(
    machine: Path, node: str, driver: str, said: str
) -> None:
    """Who has an Intel NPU is not told to install Mesa's delegate; a Vivante has no node of its own."""
    give_driver(machine, node, driver)
    teflon = find_delegate("teflon")
    assert teflon is not None
    *_, found = accelerators.look((teflon,), machine)
    assert found.found.startswith(said)


def test_each_device_of_the_table_is_one_that_is_looked_for(machine: Path) -> None:
    """The names in the table are those of the search."""
    for name in ("apex_0", "ethosu0", "galcore", "fastrpc-cdsp"):
        path = machine / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    usb = machine / "sys/bus/usb/devices/1-1"
    usb.mkdir(parents=True)
    (usb / "idVendor").write_text("1a6e\n")
    (usb / "idProduct").write_text("089a\n")
    give_driver(machine, "accel/accel0", "rocket")
    give_driver(machine, "dri/renderD128", "etnaviv")
    known = {device for delegate in DELEGATES for device in delegate.devices}
    assert known == set(find_accelerators(machine))


def on(machine: str, minor: int, libc: str = "glibc") -> Platform:
    """A platform with Python 3.`minor`."""
    return Platform(machine, (3, minor), libc)


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (on("aarch64", 13), "pip install ai-edge-litert"),
        (on("x86_64", 9), "use Python 3.10 to 3.14"),
        (on("armv7l", 11), "edgecam[tflite]"),
        (on("armv7l", 13), "64-bit"),
        (on("armv6l", 11), "no wheel for armv6l"),
        (on("aarch64", 12, "musl"), "glibc"),
    ],
)
def test_without_a_runtime_the_wheel_for_this_machine_is_named(here: Platform, said: str) -> None:
    """Or what has to change so that there is one."""
    missing = Answer(fault="no TFLite runtime is installed: see the docs")
    found = runtime.judge(missing, here, numpy_version="2.1.0")
    assert found.verdict is Verdict.ERROR
    assert said in found.remedy


@pytest.mark.parametrize(
    ("name", "here", "numpy", "verdict"),
    [
        ("litert", on("aarch64", 13), "2.4.6", Verdict.OK),
        ("tflite-runtime", on("armv7l", 11), "1.26.4", Verdict.OK),
        ("tflite-runtime", on("armv7l", 11), "2.4.6", Verdict.ERROR),
        ("tflite-runtime", on("aarch64", 11), "1.26.4", Verdict.WARNING),
    ],
)
def test_the_runtime_is_judged_with_the_numpy_beside_it(
    name: str, here: Platform, numpy: str, verdict: Verdict
) -> None:
    """tflite-runtime fails with numpy 2 only when a model is loaded; as a fallback it is slow."""
    answer = Answer({"name": name, "version": "2.14.0"})
    assert runtime.judge(answer, here, numpy_version=numpy).verdict is verdict


@pytest.mark.parametrize("engine", ["auto", "onnx", "litert"])
def test_whether_a_runtime_is_needed_is_told_by_the_models(
    subject: MakeSubject, tmp_path: Path, tiny: ModuleType, engine: str
) -> None:
    """Where all models are ONNX files, none is missed; a model that cannot be read may need one."""
    folder = tiny.write_folder(tmp_path / "net", tiny.Tiny())
    card = folder / "card.yaml"
    told = card.read_text(encoding="utf-8").replace("file: model.tflite\n", "")
    card.write_text(f"{told}file: model.onnx\n", encoding="utf-8")
    (folder / "model.onnx").write_bytes(b"as its runtime reads it")
    one = subject(models={"default": {"path": str(folder), "engine": engine}})
    assert models.runs_on_tflite(one, "default") is (engine == "litert")
    assert models.runs_on_tflite(
        subject(models={"default": {"path": "efficientnet_lite0_160_int8"}}), "default"
    )
    (folder / "card.yaml").unlink()
    assert models.runs_on_tflite(one, "default") is (engine != "onnx")


def test_a_runtime_that_nothing_needs_is_no_error_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told all the same, as the next model may want it."""
    missing = Answer(fault="no TFLite runtime is installed: see the docs")
    monkeypatch.setattr(runtime, "probe", lambda *_, **__: missing)
    here = on("aarch64", 13)
    assert [found.verdict for found in runtime.look(here)][-1] is Verdict.ERROR
    *_, found = runtime.look(here, is_needed=False)
    assert found.verdict is Verdict.SKIPPED
    assert found.found.endswith("no model of the configuration needs one")


def test_this_python_has_what_edgecam_needs() -> None:
    """The probes really load the libraries."""
    assert {finding.verdict for finding in runtime.look(on("x86_64", 11))} == {Verdict.OK}


@pytest.mark.parametrize("delegate", DELEGATES, ids=lambda delegate: delegate.name)
def test_each_preset_says_in_one_line_what_it_needs(delegate: Delegate) -> None:
    """Whoever has the stick in a drawer learns what to do with it."""
    found = accelerators.judge(delegate, Answer({"library": None, "is_delegate": False}), device=None)
    assert found.verdict is Verdict.SKIPPED
    assert delegate.get_library in found.found


def test_a_delegate_that_hangs_is_told_and_the_cpus_result_kept(
    subject: MakeSubject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU serves meanwhile, so it is a warning that says what is not ready."""
    monkeypatch.setattr(models, "RUN_S", 12.0)
    moody = MoodyDelegate(tmp_path)
    moody.tell("stall")
    config = {
        "path": "efficientnet_lite0_160_int8",
        "delegate": "./libmoody.so",
        "delegate_options": {"control": str(moody.control)},
    }
    cpu, found = models.look(subject(models={"default": config}), "default")
    assert cpu.verdict is Verdict.OK
    assert found.verdict is Verdict.WARNING
    assert "libmoody.so is not ready after 6 s: its library hangs" in found.found


def test_a_delegate_that_is_too_slow_for_its_model_is_told(subject: MakeSubject, tmp_path: Path) -> None:
    """`run` gives it the time that the configuration allows, and so does the doctor."""
    moody = MoodyDelegate(tmp_path)
    moody.tell("slow")
    config = {
        "path": "efficientnet_lite0_160_int8",
        "delegate": "./libmoody.so",
        "delegate_options": {"control": str(moody.control)},
        "timeout_ms": 100,
    }
    _, found = models.look(subject(models={"default": config}), "default")
    assert found.verdict is Verdict.WARNING
    assert found.found.endswith("no answer to inference within 0.1 s")
    assert "timeout_ms" in found.remedy


@pytest.mark.parametrize("mood", ["work", "refuse", "abort"])
def test_a_models_delegate_is_tried_as_run_does(subject: MakeSubject, tmp_path: Path, mood: str) -> None:
    """In a child of its own; what it refuses is told with the remedy, and no error, as the CPU serves."""
    moody = MoodyDelegate(tmp_path)
    moody.tell(mood)
    options = {"control": str(moody.control)}
    config = {
        "path": "efficientnet_lite0_160_int8",
        "delegate": "./libmoody.so",
        "delegate_options": options,
    }
    cpu, found = models.look(subject(models={"default": config}), "default")
    assert cpu.verdict is Verdict.OK
    assert "/cpu computes" in cpu.found
    if mood == "work":
        assert (found.verdict, found.name) == (Verdict.OK, "default on external")
        assert "it runs 9 of 60 operators" in found.found
    else:
        said = {"refuse": "no device found", "abort": "its process ended during inference"}[mood]
        assert (found.verdict, said in found.found) == (Verdict.WARNING, True)
        assert found.remedy


def test_a_library_that_hangs_is_called_so_with_the_remedy(
    subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That there was no answer says neither what hangs nor what to do."""
    monkeypatch.setattr(models, "probe", lambda *_, **__: Answer(fault="no answer within 60 s", hangs=True))
    (found,) = models.look(subject(models={"default": {"path": "efficientnet_lite0_160_int8"}}), "default")
    assert found.verdict is Verdict.ERROR
    assert found.found.endswith("no answer within 60 s: a library of its engine hangs")
    assert "update the engine's library" in found.remedy


def test_an_accelerator_that_is_plugged_in_and_not_used_is_told_with_the_reason(
    subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped model has no twin for a Coral: with device and library it still runs on the CPU."""
    monkeypatch.setattr(model_probe, "find_accelerators", lambda: ["Coral Edge TPU (USB)"])
    monkeypatch.setattr(choice, "find_library", lambda names: names[0] if "edgetpu" in names[0] else None)
    monkeypatch.setattr(models, "probe", lambda _name, request, **_: Answer(model_probe.look(request)))
    config = {"path": "efficientnet_lite0_160_int8"}
    cpu, unused = models.look(subject(models={"default": config}), "default")
    assert cpu.verdict is Verdict.OK
    assert (unused.verdict, unused.name) == (Verdict.WARNING, "default on coral")
    assert unused.found == "it is not used: the card names no twin for it"
    assert "edgecam models pull mobilenet_v2_uint8" in unused.remedy


def test_the_delegate_of_a_running_edgecam_is_left_alone(subject: MakeSubject, machine: Path) -> None:
    """Most accelerators serve one process: asking would cost the service its own."""
    write_process(machine, 12, "edgecam", "run")
    config = {"path": "efficientnet_lite0_160_int8", "delegate": "coral"}
    _, found = models.look(subject(models={"default": config}), "default")
    assert found.verdict is Verdict.SKIPPED
    assert "edgecam run (pid 12)" in found.found
