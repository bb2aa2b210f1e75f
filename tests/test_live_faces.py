"""Faces of live frames: found, told apart from frame to frame, their scores evened out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from aufer.errors import DataError, EnvironmentFailure, UsageError
from aufer.fetchable import FETCHABLE, fetched_path
from aufer.live.box import Box
from aufer.live.finding.choose import FINDERS, make_finder
from aufer.live.finding.haar import HaarFinder
from aufer.live.finding.smoothing import Smoother
from aufer.live.finding.tracking import Tracker
from aufer.live.finding.yunet import YunetFinder
from aufer.pictures.opencv import opencv
from tests.live_video import background, face_frames
from tests.yunet_model import FACE_SIDE, STRIDE, write_spot_model

FRAME_S = 1 / 30


def grey_of(pixels: np.ndarray) -> np.ndarray:
    grey: np.ndarray = opencv().cvtColor(pixels, opencv().COLOR_BGR2GRAY)
    return grey


def find(finder: HaarFinder, pixels: np.ndarray) -> list[Box]:
    found = finder.find(pixels, grey_of(pixels))
    height, width = pixels.shape[:2]
    assert all(box.inside(width, height) == box for box in found)
    return found


def square(x: float, y: float, side: float = 100) -> Box:
    """A box about a middle."""
    return Box(round(x - side / 2), round(y - side / 2), round(side), round(side))


# --- the cascade


@pytest.mark.parametrize("n_faces", [1, 3])
def test_looking_around_known_faces_finds_what_looking_everywhere_finds(
    data: Path, n_faces: int
) -> None:
    quick, thorough = HaarFinder(), HaarFinder(look_everywhere_every=1)
    n, n_alike = 0, 0
    for pixels in islice(face_frames(data, n_faces), 40):
        expected, found = find(thorough, pixels), find(quick, pixels)
        n += len(expected)
        n_alike += sum(any(box.overlap(other) >= 0.5 for other in found) for box in expected)
        assert len(found) <= len(expected) + 1
    assert n >= 0.9 * 40 * n_faces, "the test's own faces are not found"
    assert n_alike >= 0.95 * n


def test_a_new_face_is_found_within_the_promised_frames(data: Path) -> None:
    finder = HaarFinder(look_everywhere_every=5)
    one, two = next(face_frames(data, 1)), next(face_frames(data, 2))
    both = two.copy()
    both[:, 320:] = background()[:, 320:]  # the left one of two
    for _ in range(3):
        assert len(find(finder, both)) == 1
    counts = [len(find(finder, two)) for _ in range(5)]
    assert counts[-1] == 2
    finder.forget()
    assert len(find(finder, one)) == 1


def test_a_face_that_is_gone_is_gone_at_once(data: Path) -> None:
    finder = HaarFinder(look_everywhere_every=50)
    two = next(face_frames(data, 2))
    assert len(find(finder, two)) == 2
    left = two.copy()
    left[:, 320:] = background()[:, 320:]
    after = find(finder, left)
    assert len(after) == 1
    assert after[0].x < 320
    assert find(finder, background()) == []
    # it is back where it was before the memory of its place is gone, without a whole search
    assert len(find(finder, left)) == 1


def test_a_face_that_jumps_is_searched_everywhere(data: Path) -> None:
    finder = HaarFinder(look_everywhere_every=50)
    pixels = next(face_frames(data, 1))
    (before,) = find(finder, pixels)
    (after,) = find(finder, np.roll(pixels, 200, axis=1))
    assert abs(after.x - before.x - 200) < 30


def test_a_frame_of_another_size_is_searched_wholly(data: Path) -> None:
    finder = HaarFinder(look_everywhere_every=50)
    pixels = next(face_frames(data, 1))
    (box,) = find(finder, pixels)
    half = opencv().resize(pixels, (320, 240), interpolation=opencv().INTER_AREA)
    (small,) = find(finder, half)
    doubled = Box(2 * small.x, 2 * small.y, 2 * small.width, 2 * small.height)
    assert doubled.overlap(box) > 0.6


def test_small_faces_are_left_out_where_that_is_asked(data: Path) -> None:
    pixels = next(face_frames(data, 1))
    (box,) = find(HaarFinder(), pixels)
    assert find(HaarFinder(min_face=round(box.width * 1.3)), pixels) == []
    assert len(find(HaarFinder(min_face=round(box.width * 0.7)), pixels)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (480, 2), (23, 23), (24, 24)])
def test_tiny_frames_hold_no_face(shape: tuple[int, int]) -> None:
    finder = HaarFinder()
    for _ in range(3):
        assert finder.find(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8)) == []


def test_a_search_leaves_the_threads_of_opencv_as_they_were() -> None:
    before = opencv().getNumThreads()
    find(HaarFinder(), background())
    assert opencv().getNumThreads() == before


def test_an_opencv_without_cascades_says_what_to_install() -> None:
    code = (
        "import cv2; del cv2.CascadeClassifier\n"
        "from aufer.live.finding.choose import make_finder\n"
        "from aufer.errors import EnvironmentFailure\n"
        "try: make_finder('haar')\n"
        "except EnvironmentFailure as error: print(error.message, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "has no Haar cascades" in done.stdout
    assert 'pip install "opencv-python-headless<5"' in done.stdout


# --- YuNet, by a network that has its inputs and outputs


@pytest.fixture(scope="session")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spot_model(tmp_path_factory.mktemp("얼굴") / "spots.onnx")


def spotted(*middles: tuple[int, int], scale: int = 1) -> np.ndarray:
    """A dark frame of 320x240, times scale, with white spots."""
    pixels = np.zeros((240 * scale, 320 * scale, 3), np.uint8)
    for x, y in middles:
        pixels[y * scale : (y + STRIDE) * scale, x * scale : (x + STRIDE) * scale] = 255
    return pixels


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_yunet_boxes_are_in_pixels_of_the_frame(spots: Path, scale: int) -> None:
    pixels = spotted((96, 64), (208, 160), scale=scale)
    found = YunetFinder(spots).find(pixels, grey_of(pixels))
    side = FACE_SIDE * scale
    assert sorted(found, key=lambda box: box.x) == [
        Box(96 * scale - side // 2, 64 * scale - side // 2, side, side),
        Box(208 * scale - side // 2, 160 * scale - side // 2, side, side),
    ]


def test_yunet_boxes_are_cut_at_the_edge_and_small_ones_left_out(spots: Path) -> None:
    pixels = spotted((0, 0), (160, 112))
    half = FACE_SIDE // 2
    corner = Box(0, 0, half, half)
    assert corner in YunetFinder(spots, min_face=half).find(pixels, grey_of(pixels))
    assert corner not in YunetFinder(spots, min_face=half + 1).find(pixels, grey_of(pixels))


def test_yunet_takes_what_is_sure_enough_and_frames_of_any_size(spots: Path) -> None:
    pixels = spotted((96, 64))
    pixels[pixels == 255] = 200
    assert YunetFinder(spots, score_threshold=0.9).find(pixels, grey_of(pixels)) == []
    finder = YunetFinder(spots, score_threshold=0.6)
    assert len(finder.find(pixels, grey_of(pixels))) == 1
    for height, width in ((200, 150), (37, 53), (480, 640), (1, 1)):
        black = np.zeros((height, width, 3), np.uint8)
        assert finder.find(black, grey_of(black)) == []


def test_what_is_no_yunet_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        YunetFinder(tmp_path / "missing.onnx")
    with pytest.raises(UsageError, match="There is no file"):
        YunetFinder(tmp_path)
    shipped = Path(__file__).parents[1] / "models" / "face-cnn" / "model.onnx"
    for content in (b"", b"no network", shipped.read_bytes()):
        path = tmp_path / "other.onnx"
        path.write_bytes(content)
        with pytest.raises(DataError, match="YuNet"):
            YunetFinder(path)
    assert capfd.readouterr().err == ""


# --- which finder


def test_finders_by_name(spots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for name in FINDERS:
        finder = make_finder(name, yunet=spots, min_face=40)
        pixels = background()
        finder.forget()
        found = finder.find(pixels, grey_of(pixels))
        assert finder.title
        assert found == ([Box(0, 0, 640, 480)] if name == "whole" else [])
    with pytest.raises(UsageError, match="no face detector 'hog'"):
        make_finder("hog")


def test_yunet_is_taken_from_where_it_is_fetched_to(
    spots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aufer.fetchable.fetched_folder", lambda: tmp_path)
    with pytest.raises(EnvironmentFailure) as failure:
        make_finder("yunet")
    assert failure.value.hint == "aufer models fetch yunet"
    fetched_path(FETCHABLE["yunet"]).write_bytes(spots.read_bytes())
    assert make_finder("yunet").title == "YuNet"


def test_unconnected_pictures_are_searched_wholly(data: Path) -> None:
    finder = make_finder("haar", every_frame_anew=True)
    two = next(face_frames(data, 2))
    left = two.copy()
    left[:, 320:] = background()[:, 320:]
    assert [len(finder.find(p, grey_of(p))) for p in (left, two, left, two)] == [1, 2, 1, 2]


# --- who is who


def follow(tracker: Tracker, frames: list[list[Box]], frame_s: float = FRAME_S) -> list[list[int]]:
    return [tracker.follow(boxes, number * frame_s) for number, boxes in enumerate(frames)]


def test_faces_keep_their_numbers_in_whatever_order_they_come() -> None:
    tracker = Tracker()
    shuffle = np.random.default_rng(0)
    for number in range(60):
        places = {k: square(100 + 150 * k + number, 200 + 10 * k) for k in range(4)}
        order = shuffle.permutation(4) if number else range(4)
        ids = tracker.follow([places[k] for k in order], number * FRAME_S)
        assert ids == [k + 1 for k in order]
    assert tracker.n_seen == 4


def test_trembling_boxes_keep_their_numbers() -> None:
    rng = np.random.default_rng(1)
    frames = [
        [
            square(150 + 170 * k + rng.normal(0, 6), 200 + rng.normal(0, 6), 100 + rng.normal(0, 8))
            for k in range(3)
        ]
        for _ in range(300)
    ]
    tracker = Tracker()
    assert follow(tracker, frames) == [[1, 2, 3]] * 300
    assert tracker.n_seen == 3


@pytest.mark.parametrize("hidden", [0, 6], ids=["both seen", "one hidden while they pass"])
@pytest.mark.parametrize("speed", [4, 8, 14])
def test_faces_that_pass_each_other_keep_their_numbers(speed: int, hidden: int) -> None:
    tracker = Tracker()
    n = 520 // speed
    last: list[int] = []
    for number in range(n):
        left, right = square(60 + speed * number, 200, 90), square(580 - speed * number, 225, 110)
        is_hidden = abs(left.middle[0] - right.middle[0]) < hidden * speed
        last = tracker.follow([right] if is_hidden else [left, right], number * FRAME_S)
        assert last == ([2] if is_hidden else [1, 2])
    assert last == [1, 2]
    assert tracker.n_seen == 2


def test_a_fast_face_keeps_its_number_though_its_boxes_do_not_overlap() -> None:
    frames = [[square(80 + 85 * number, 200, 90)] for number in range(6)]
    assert not frames[0][0].overlap(frames[1][0]) > 0.05
    assert follow(Tracker(), frames) == [[1]] * 6


def test_a_jump_across_the_frame_is_another_face() -> None:
    assert follow(Tracker(), [[square(100, 100)], [square(400, 100)]]) == [[1], [2]]


def test_a_box_of_quite_another_size_is_another_face() -> None:
    assert follow(Tracker(), [[square(200, 200, 200)], [square(200, 200, 40)]]) == [[1], [2]]


@pytest.mark.parametrize(("gap_s", "expected"), [(0.2, 1), (0.9, 1), (1.1, 2), (60.0, 2)])
def test_a_missing_face_keeps_its_number_for_so_long(gap_s: float, expected: int) -> None:
    tracker = Tracker(patience_s=1.0)
    for number in range(10):
        tracker.follow([square(200, 200)], number * FRAME_S)
    last_s = 9 * FRAME_S
    at_s = last_s + FRAME_S
    while at_s < last_s + gap_s:
        assert tracker.follow([], at_s) == []
        at_s += FRAME_S
    assert tracker.follow([square(215, 195)], last_s + gap_s) == [expected]


def test_numbers_never_come_twice() -> None:
    tracker = Tracker(patience_s=0.1)
    rng = np.random.default_rng(2)
    last_seen: dict[int, int] = {}
    highest = 0
    for number in range(600):
        n_faces = int(rng.integers(0, 6))
        boxes = [square(*rng.uniform(50, 600, 2), rng.uniform(40, 160)) for _ in range(n_faces)]
        ids = tracker.follow(boxes, number * FRAME_S)
        assert len(set(ids)) == len(ids) == n_faces
        for face in ids:
            assert face in last_seen or face > highest, "an old number for a new face"
            assert number - last_seen.get(face, number) <= 4
            highest = max(highest, face)
            last_seen[face] = number
    assert sorted(last_seen) == list(range(1, highest + 1))


def test_a_flicker_is_no_person() -> None:
    tracker = Tracker()
    for number in range(30):
        flicker = [square(500, 400)] if number in (5, 6) else []
        tracker.follow([square(100, 100), *flicker], number * FRAME_S)
    assert tracker.n_seen == 1


def test_another_scene_has_other_faces() -> None:
    tracker = Tracker()
    assert tracker.follow([square(100, 100)], 0.0) == [1]
    tracker.forget()
    assert tracker.follow([square(100, 100)], FRAME_S) == [2]


def test_time_may_stand_still() -> None:
    tracker = Tracker()
    for _ in range(5):
        assert tracker.follow([square(100, 100), square(300, 100)], 7.0) == [1, 2]


def test_many_people_one_after_the_other_leave_no_trace() -> None:
    tracker = Tracker()
    for person in range(500):
        for number in range(3):
            tracker.follow([square(100, 100)], person * 10 + number * FRAME_S)
    assert tracker.n_seen == 500
    assert len(vars(tracker)["_tracks"]) == 1


# --- scores


def certain(k: int, n: int = 4) -> np.ndarray:
    return np.eye(n, dtype=np.float32)[k]


def test_scores_follow_a_change_by_the_time_that_passed() -> None:
    for steps in ([1.0], [0.5, 1.0], list(np.linspace(0.01, 1.0, 57))):
        smoother = Smoother(1.0)
        smoother.smooth([7], certain(0)[None], 0.0)
        for at_s in steps:
            smoothed = smoother.smooth([7], certain(1)[None], at_s)
        assert smoothed[0] == pytest.approx([np.exp(-1), 1 - np.exp(-1), 0, 0], abs=1e-5)


def test_faces_are_smoothed_apart_and_rows_sum_to_one() -> None:
    smoother, rng = Smoother(0.4), np.random.default_rng(3)
    at_s = 0.0
    for _ in range(100):
        ids = rng.permutation(6)[: rng.integers(0, 7)].tolist()
        scores = rng.dirichlet(np.ones(7), len(ids)).astype(np.float32).reshape(len(ids), 7)
        given = scores.copy()
        smoothed = smoother.smooth(ids, scores, at_s)
        assert smoothed.shape == scores.shape
        assert smoothed.dtype == np.float32
        np.testing.assert_array_equal(scores, given)
        np.testing.assert_allclose(smoothed.sum(axis=1), 1, atol=1e-5)
        at_s += rng.exponential(0.1)
    alone = Smoother(0.4)
    alone.smooth([1, 2], np.stack([certain(0), certain(1)]), 0.0)
    np.testing.assert_allclose(
        alone.smooth([2, 1], np.stack([certain(1), certain(0)]), 0.1),
        [certain(1), certain(0)],
        atol=1e-6,
    )


def test_no_smoothing_changes_nothing() -> None:
    smoother = Smoother(0.0)
    for k in range(4):
        np.testing.assert_array_equal(smoother.smooth([1], certain(k)[None], k / 30)[0], certain(k))


@pytest.mark.parametrize(
    "then", [lambda s: s.forget(), lambda s: s.smooth([9], certain(2)[None], 60.0)]
)
def test_faces_are_forgotten(then: Callable[[Smoother], object]) -> None:
    smoother = Smoother(1.0)
    smoother.smooth([1], certain(0)[None], 0.0)
    then(smoother)
    np.testing.assert_array_equal(smoother.smooth([1], certain(1)[None], 60.0)[0], certain(1))
