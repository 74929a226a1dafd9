"""Which frames show something new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgecam.model.card import Channels, Fit, InputCard
from edgecam.records import Image, PixelFormat
from edgecam.vision.geometry import Plan, View, plan_view
from edgecam.vision.motion import GateRules, MotionGate

DATA = Path(__file__).parent.parent / "data"
RULES = GateRules(area=0.01, max_ns=10**12, linger_ns=0)
NOISE = 4.0
WIDTH, HEIGHT = 640, 480
# A compact object of 1 % of the picture.
OBJECT_PX = 56

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module", params=["cat", "espresso", "wall"])
def scene(request: pytest.FixtureRequest) -> Picture:
    """Photographs with texture, and a wall that has none; nothing clipped, which no light could restore."""
    if request.param == "wall":
        return np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    photo = cv2.imread(str(DATA / f"{request.param}.jpg"))
    assert photo is not None
    large = cv2.resize(photo, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(40 + large * 0.55, np.uint8)


def bgr(picture: NDArray[np.floating] | Picture) -> Image:
    """A picture as OpenCV's cameras give it."""
    return Image(
        np.clip(np.rint(picture), 0, 255).astype(np.uint8),
        PixelFormat.BGR,
        picture.shape[1],
        picture.shape[0],
    )


def noisy(picture: Picture, seed: int, sigma: float = NOISE) -> NDArray[np.floating]:
    """The same scene on another frame of a real sensor."""
    return picture + np.random.default_rng(seed).normal(0, sigma, picture.shape)


def shown(image: Image, *, plan: Plan | None = None, rules: GateRules = RULES) -> MotionGate:
    """A gate whose last classified frame, taken at 0, is this one."""
    gate = MotionGate(rules)
    assert gate.admits(image, captured_ns=0, plan=plan)
    gate.classified(gate.last)
    return gate


def in_format(luma: Picture, pixel_format: PixelFormat, stride: int, seed: int = 0) -> Image:
    """A grey picture in any format; the padding of YUV rows, and its chroma, hold noise."""
    height, width = luma.shape
    if pixel_format is PixelFormat.GRAY:
        return Image(luma, pixel_format, width, height)
    if pixel_format in {PixelFormat.BGR, PixelFormat.RGB}:
        return Image(np.repeat(luma[..., np.newaxis], 3, axis=2), pixel_format, width, height)
    pixels = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, stride), np.uint8)
    pixels[:height, :width] = luma
    return Image(pixels, pixel_format, width, height)


def test_the_first_frame_is_admitted_until_one_was_classified(scene: Picture) -> None:
    """With nothing to compare with, every frame is news."""
    gate = MotionGate(RULES)
    assert gate.admits(bgr(scene), captured_ns=1)
    assert gate.admits(bgr(scene), captured_ns=2)
    gate.classified(gate.last)
    assert not gate.admits(bgr(scene), captured_ns=3)


def test_noise_is_no_motion(scene: Picture) -> None:
    """A sensor's noise at dusk, four levels a pixel, lets the engine rest: thirty frames, none admitted."""
    gate = shown(bgr(noisy(scene, 0)))
    assert not any(gate.admits(bgr(noisy(scene, seed)), captured_ns=seed) for seed in range(1, 31))


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (80, 60), (160, 120), (1280, 720)])
def test_noise_is_no_motion_at_any_size(size: tuple[int, int]) -> None:
    """A small region has few pixels a block, and must not see motion in their noise."""
    scene = np.full((size[1], size[0], 3), 120, np.uint8)
    gate = shown(bgr(noisy(scene, 0)))
    assert not any(gate.admits(bgr(noisy(scene, seed)), captured_ns=seed) for seed in range(1, 21))


@pytest.mark.parametrize("name", ["cat", "espresso"])
def test_a_tremor_of_the_mount_is_no_motion(name: str) -> None:
    """Half a pixel across a photograph's edges at their full contrast, and noise."""
    photo = cv2.imread(str(DATA / f"{name}.jpg"))
    assert photo is not None
    scene = np.asarray(cv2.resize(photo, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)
    by_half = np.array([[1, 0, 0.5], [0, 1, 0.5]])
    shaken = np.asarray(
        cv2.warpAffine(scene, by_half, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    assert not shown(bgr(noisy(scene, 0))).admits(bgr(noisy(shaken, 1)), captured_ns=1)


@pytest.mark.parametrize("gain", [0.7, 0.9, 1.1, 1.3])
def test_another_exposure_is_no_motion(scene: Picture, gain: float) -> None:
    """The camera's own control multiplies all levels."""
    gate = shown(bgr(noisy(scene, 0)))
    assert not gate.admits(bgr(noisy(scene, 1) * gain), captured_ns=1)


@pytest.mark.parametrize("stops", [-1.0, -0.3, 0.3, 0.6])
def test_another_exposure_of_linear_light_is_no_motion(scene: Picture, stops: float) -> None:
    """Through the sRGB-like curve of a camera (gamma 2.2) a stop is a gain too."""
    light = (noisy(scene, 1).clip(0) / 255) ** 2.2 * 2**stops
    gate = shown(bgr(noisy(scene, 0)))
    assert not gate.admits(bgr(255 * light ** (1 / 2.2)), captured_ns=1)


@pytest.mark.parametrize("shift", [-35, -10, 10, 40])
def test_another_brightness_is_no_motion(scene: Picture, shift: int) -> None:
    """Flare and brightness controls add to all levels."""
    gate = shown(bgr(noisy(scene, 0)))
    assert not gate.admits(bgr(noisy(scene, 1) + shift), captured_ns=1)


def test_lamps_that_go_out_are_news(scene: Picture) -> None:
    """What the network said in the light no longer holds in the dark."""
    gate = shown(bgr(scene))
    assert gate.admits(bgr(scene * 0.1), captured_ns=1)


@given(
    x=st.integers(0, WIDTH - OBJECT_PX),
    y=st.integers(0, HEIGHT - OBJECT_PX),
    contrast=st.sampled_from([-30, 30]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_a_small_object_is_seen_wherever_it_stands(x: int, y: int, contrast: int, seed: int) -> None:
    """One percent of the picture and thirty levels count as one percent, on noise, across any blocks."""
    scene = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    gate = shown(bgr(noisy(scene, seed)))
    after = noisy(scene, seed + 1)
    after[y : y + OBJECT_PX, x : x + OBJECT_PX] += contrast
    assert gate.admits(bgr(after), captured_ns=1)


@pytest.mark.parametrize(("width_px", "height_px"), [(32, 96), (96, 32)])
@pytest.mark.parametrize("at", [(0, 0), (311, 207), (500, 383)])
def test_a_standing_or_lying_object_is_seen(
    scene: Picture, width_px: int, height_px: int, at: tuple[int, int]
) -> None:
    """People stand; the same area counts in any compact shape, also on texture."""
    gate = shown(bgr(noisy(scene, 0)))
    after = noisy(scene, 1)
    after[at[1] : at[1] + height_px, at[0] : at[0] + width_px] += 30
    assert gate.admits(bgr(after), captured_ns=1)


def test_an_object_is_seen_while_the_light_changes(scene: Picture) -> None:
    """A lamp and whoever switched it on."""
    gate = shown(bgr(noisy(scene, 0)))
    after = noisy(scene, 1) + 20
    assert not gate.admits(bgr(after), captured_ns=1)
    after[100:160, 200:260] -= 30
    assert gate.admits(bgr(after), captured_ns=2)


@pytest.mark.parametrize(("wall_level", "object_level"), [(120, 160), (120, 110), (0, 12), (255, 200)])
def test_a_large_object_is_not_taken_for_light(wall_level: int, object_level: int) -> None:
    """Something that fills a third of a wall is motion when it comes and when it leaves, also in the dark."""
    wall = np.full((HEIGHT, WIDTH, 3), wall_level, np.uint8)
    filled = wall.copy()
    filled[:, 200:420] = object_level
    assert shown(bgr(wall)).admits(bgr(filled), captured_ns=1)
    assert shown(bgr(filled)).admits(bgr(wall), captured_ns=1)


def test_less_than_the_area_is_still() -> None:
    """A flag in a corner stays out of it if the user says so."""
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    small = wall.copy()
    small[200:256, 300:356] = 200
    for area, moves in ((0.01, True), (0.03, False)):
        assert shown(bgr(wall), rules=replace(RULES, area=area)).admits(bgr(small), captured_ns=1) is moves


def test_slow_movement_adds_up() -> None:
    """Two pixels a frame are little against the last frame, but not against the last classified one."""
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)

    def at(x: int) -> Image:
        picture = wall.copy()
        picture[200:260, x : x + 60] = 160
        return bgr(noisy(picture, x))

    gate = shown(at(100))
    assert not gate.admits(at(102), captured_ns=1)
    admitted = [gate.admits(at(x), captured_ns=x) for x in range(104, 180, 2)]
    assert admitted[-1]
    # Every step by itself would have passed as still.
    assert not any(shown(at(x)).admits(at(x + 2), captured_ns=1) for x in range(104, 180, 2))


def test_a_frame_that_failed_is_no_reference(scene: Picture) -> None:
    """Admitted, but lost with the engine: what moved is still to be classified."""
    moved = scene.copy()
    moved[100:200, 100:200] += 50
    gate = shown(bgr(scene))
    assert gate.admits(bgr(moved), captured_ns=1)
    assert gate.admits(bgr(moved), captured_ns=2)
    gate.classified(gate.last)
    assert not gate.admits(bgr(moved), captured_ns=3)
    assert gate.admits(bgr(scene), captured_ns=4)


def test_a_still_frame_never_becomes_the_reference(scene: Picture) -> None:
    """A report that comes twice, or after a still frame, still speaks of the frame admitted last."""
    gate = MotionGate(RULES)
    little = scene.copy()
    little[100:130, 100:130] += 50
    more = little.copy()
    more[100:130, 140:170] += 50
    assert gate.admits(bgr(scene), captured_ns=1)
    gate.classified(gate.last)
    assert not gate.admits(bgr(little), captured_ns=2)
    gate.classified(gate.last)
    assert gate.admits(bgr(more), captured_ns=3)


def test_the_gate_lingers_after_motion(scene: Picture) -> None:
    """Smoothing and hysteresis get the frames that they need to settle, counted from the last motion."""
    moved = scene.copy()
    moved[100:200, 100:200] += 50
    gate = shown(bgr(scene), rules=replace(RULES, linger_ns=10))

    def classify(picture: Picture, captured_ns: int) -> bool:
        admitted = gate.admits(bgr(picture), captured_ns=captured_ns)
        gate.classified(gate.last)
        return admitted

    assert [classify(moved, at_ns) for at_ns in (20, 25, 30, 31)] == [True, True, True, False]
    assert [classify(scene, at_ns) for at_ns in (40, 50, 51)] == [True, True, False]


def test_it_lingers_after_the_first_frame(scene: Picture) -> None:
    """One frame alone would not lift a smoothed score."""
    gate = shown(bgr(scene), rules=replace(RULES, linger_ns=10))
    assert [gate.admits(bgr(scene), captured_ns=at_ns) for at_ns in (10, 11)] == [True, False]


def test_a_still_scene_is_classified_now_and_then(scene: Picture) -> None:
    """At least once in `max_ns`, counted between capture times; that is no motion, and does not linger."""
    gate = shown(bgr(scene), rules=GateRules(area=0.01, max_ns=100, linger_ns=10))
    assert [gate.admits(bgr(scene), captured_ns=at_ns) for at_ns in (99, 100, 101)] == [False, True, True]
    gate.classified(gate.last)
    assert [gate.admits(bgr(scene), captured_ns=at_ns) for at_ns in (102, 200, 201)] == [False, False, True]


def test_a_reset_forgets(scene: Picture) -> None:
    """A reopened camera may look elsewhere; and a frame admitted before is no reference after."""
    gate = shown(bgr(scene))
    gate.reset()
    assert gate.admits(bgr(scene), captured_ns=1)
    gate.reset()
    gate.classified(gate.last)
    assert gate.admits(bgr(scene), captured_ns=2)


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_every_format_shows_its_visible_luma_alone(pixel_format: PixelFormat) -> None:
    """Padding and chroma change at every frame here, and are not looked at; a moved object is seen."""
    luma = np.full((HEIGHT, WIDTH), 120, np.uint8)
    moved = luma.copy()
    moved[-OBJECT_PX:, -OBJECT_PX:] = 150
    gate = shown(in_format(luma, pixel_format, 704))
    assert not gate.admits(in_format(luma, pixel_format, 704, seed=1), captured_ns=1)
    assert gate.admits(in_format(moved, pixel_format, 704, seed=2), captured_ns=2)


def test_another_size_is_another_picture() -> None:
    """A stream that comes back at another resolution is looked at anew, whatever it shows."""
    gate = shown(bgr(np.full((480, 640, 3), 120, np.uint8)))
    other = bgr(np.full((240, 320, 3), 120, np.uint8))
    assert gate.admits(other, captured_ns=1)
    gate.classified(gate.last)
    assert not gate.admits(other, captured_ns=2)


def test_only_what_the_model_sees_counts() -> None:
    """Outside the region of interest anything may move; inside it, the share is one of the region."""
    card = InputCard(
        width_px=224, height_px=224, mean=(0.0,), std=(1.0,), fit=Fit.SQUASH, crop_fraction=1.0,
        color=Channels.RGB,
    )  # fmt: skip
    plan = plan_view(WIDTH, HEIGHT, View(roi=(0.25, 0.25, 0.5, 0.5)), card)
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    outside, inside = wall.copy(), wall.copy()
    outside[:, :155] = outside[:, 485:] = outside[:115] = outside[365:] = 200
    inside[330:360, 440:480] = 150
    gate = shown(bgr(wall), plan=plan)
    assert not gate.admits(bgr(outside), captured_ns=1, plan=plan)
    assert gate.admits(bgr(inside), captured_ns=2, plan=plan)
    assert not shown(bgr(wall), rules=replace(RULES, area=0.02)).admits(bgr(inside), captured_ns=2)


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 1100),
    pixel_format=st.sampled_from([PixelFormat.BGR, PixelFormat.GRAY]),
    level=st.integers(0, 255),
)
@example(width=1, height=1, pixel_format=PixelFormat.BGR, level=0)
@settings(deadline=None)
def test_a_picture_of_any_size_is_still_when_it_repeats(
    width: int, height: int, pixel_format: PixelFormat, level: int
) -> None:
    """No size divides by nothing, black least of all."""
    image = in_format(np.full((height, width), level, np.uint8), pixel_format, width)
    assert not shown(image).admits(image, captured_ns=1)


@given(
    frames=st.lists(st.tuples(st.integers(1, 50), st.booleans(), st.booleans()), max_size=40),
    linger_ns=st.integers(0, 60),
)
@settings(deadline=None)
def test_the_wait_for_a_classification_is_bounded(
    frames: list[tuple[int, bool, bool]], linger_ns: int
) -> None:
    """Whatever moves and fails: no frame is still that is `max_ns` younger than the last classified one."""
    rules = GateRules(area=0.01, max_ns=100, linger_ns=linger_ns)
    pictures = [
        Image(np.full((20, 20), level, np.uint8).cumsum(axis=1, dtype=np.uint8), PixelFormat.GRAY, 20, 20)
        for level in (2, 12)
    ]
    gate, now_ns = MotionGate(rules), 0
    reference: tuple[int, bool] | None = None
    for step_ns, moved, works in frames:
        now_ns += step_ns
        admitted = gate.admits(pictures[moved], captured_ns=now_ns)
        if not admitted:
            assert reference is not None
            assert now_ns - reference[0] < rules.max_ns
            assert moved == reference[1]
        elif works:
            gate.classified(gate.last)
            reference = (now_ns, moved)
