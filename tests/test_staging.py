"""Every picture is checked, and reaches OpenFace upright under a name of its own, or not."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aufer.errors import AuferError
from aufer.openface import staging
from aufer.openface.bmp import as_bmp
from aufer.openface.staging import Checked, SourceGone, check_picture, hand_over, staged_stem
from aufer.openface.store import stamp_of
from aufer.openface.ways import AS_IT_IS, Way, to_original
from aufer.pictures import decoding
from tests.stand_in.pictures import save_broken, save_face

HandOver = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that OpenFace would read."""
    path = tmp_path / "staged"
    path.mkdir()
    return path


@pytest.fixture
def give(folder: Path) -> HandOver:
    """``give(path, way)`` checks a picture and hands it over; the path of what was put there."""

    def run(path: Path, way: Way = AS_IT_IS) -> Path:
        checked = check_picture(path)
        assert checked.failure == ""
        name = hand_over(
            path, way, folder, staged_stem(path.name, checked.sha256), stamp=checked.stamp
        )
        assert not list(folder.glob("*.part"))
        return folder / name

    return run


def _photo(width: int, height: int, seed: int = 0, mode: str = "RGB") -> PIL.Image.Image:
    """Smooth blobs with a little noise: like a photo to a codec and to a perceptual hash."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    values = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(float)
    values += rng.normal(0, 3, values.shape)
    return PIL.Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert(mode)


def _bits_apart(one: Checked, other: Checked) -> int:
    assert len(one.phash) == len(other.phash) == 16
    return bin(int(one.phash, 16) ^ int(other.phash, 16)).count("1")


def test_pictures_that_openface_reads_are_handed_over_unchanged(give, tmp_path: Path) -> None:
    for seed, name in enumerate(["a.jpg", "a.png", "a.bmp", "b.JPG", "c.jpeg", "sub/a.jpg"]):
        path = save_face(tmp_path / name, (160, 120), seed=seed)
        checked = check_picture(path)
        assert (checked.failure, checked.width, checked.height) == ("", 160, 120)
        assert checked.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert checked.stamp == stamp_of(path.stat())
        staged = give(path)
        assert staged.read_bytes() == path.read_bytes()
        assert os.path.samefile(staged, path)  # a link, not a copy
        assert staged.suffix == (".jpg" if path.suffix.lower().startswith(".j") else path.suffix)


def test_the_content_counts_not_the_ending(give, tmp_path: Path) -> None:
    path = save_face(tmp_path / "really.png", seed=1).rename(tmp_path / "said.jpg")
    staged = give(path)
    assert staged.suffix == ".png"
    with PIL.Image.open(staged) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("ending", [".webp", ".tif", ".TIFF", ".gif", ".ppm"])
def test_other_formats_become_bmp_with_the_same_pixels(give, tmp_path: Path, ending) -> None:
    source = PIL.Image.effect_noise((80, 60), 60)  # grey, so that no format changes a pixel
    path = tmp_path / f"x{ending}"
    source.save(path, **({"lossless": True} if ending == ".webp" else {}))
    staged = give(path)
    assert staged.suffix == ".bmp"
    with PIL.Image.open(staged) as picture:
        assert picture.format == "BMP"
        assert np.array_equal(np.asarray(picture.convert("L")), np.asarray(source))


def test_colours_stay_in_their_order(give, tmp_path: Path) -> None:
    path = tmp_path / "red.tif"
    PIL.Image.new("RGB", (60, 60), (200, 100, 50)).save(path)
    for way in (AS_IT_IS, Way(192, 25)):
        with PIL.Image.open(give(path, way)) as picture:
            assert picture.getpixel((30, 30)) == (200, 100, 50)
        assert cv2.imread(str(give(path, way)))[30, 30].tolist() == [50, 100, 200]


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_applied_exactly_once(give, tmp_path: Path, turn: int) -> None:
    upright = PIL.Image.new("L", (90, 60))
    upright.paste(255, (0, 0, 30, 20))  # a white corner tells how it is turned
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that undo each
    stored = upright if turn == 1 else upright.transpose(PIL.Image.Transpose(back[turn]))
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    stored.save(tmp_path / "t.jpg", exif=exif, quality=95)
    stored.save(tmp_path / "t.png", exif=exif)
    stored.save(tmp_path / "t.tif", exif=exif)
    upright.save(tmp_path / "upright.png")
    for name in ("t.jpg", "t.png", "t.tif"):
        checked = check_picture(tmp_path / name)
        assert (checked.width, checked.height) == (90, 60)
        assert _bits_apart(checked, check_picture(tmp_path / "upright.png")) <= 4
        for way in (AS_IT_IS, Way(120)):
            staged = give(tmp_path / name, way)
            with PIL.Image.open(staged) as picture:
                assert picture.getexif().get(0x0112, 1) == 1  # nobody can turn it again
                assert picture.size == ((180, 120) if way.side else (90, 60))
                grey = np.asarray(picture.convert("L").resize((90, 60))).astype(int)
            assert np.abs(grey - np.asarray(upright).astype(int)).mean() < 3
            assert staged.suffix == (
                ".bmp" if turn > 1 or way.side or name == "t.tif" else name[1:]
            )
            staged.unlink()


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("deep.tif", PIL.Image.fromarray(np.full((60, 60), 40_000, np.uint16))),
        ("deep.png", PIL.Image.fromarray(np.full((60, 60), 40_000, np.uint16))),
        ("float.tif", PIL.Image.fromarray(np.full((60, 60), 156.25, np.float32))),
        ("palette.gif", PIL.Image.new("L", (60, 60), 156).convert("P")),
        ("palette.png", PIL.Image.new("L", (60, 60), 156).convert("P")),
        ("alpha.webp", PIL.Image.new("RGBA", (60, 60), (156, 156, 156, 128))),
        ("alpha.png", PIL.Image.new("LA", (60, 60), (156, 128))),
        ("bits.tif", PIL.Image.new("1", (60, 60), 1)),
        ("cmyk.tif", PIL.Image.new("RGB", (60, 60), (156, 156, 156)).convert("CMYK")),
        ("cmyk.jpg", PIL.Image.new("RGB", (60, 60), (156, 156, 156)).convert("CMYK")),
    ],
)
def test_deep_and_odd_pictures_become_8_bits(give, tmp_path: Path, name, picture) -> None:
    path = tmp_path / name
    picture.save(path, **({"lossless": True} if name.endswith(".webp") else {}))
    assert check_picture(path).phash == check_picture(path).phash != ""
    with PIL.Image.open(give(path, Way(90))) as staged:
        assert staged.mode in ("L", "RGB", "P")
        grey = int(np.asarray(staged.convert("L"))[30, 30])
    assert grey == (255 if name == "bits.tif" else pytest.approx(156, abs=2))


def test_the_first_frame_of_an_animation_is_taken(give, tmp_path: Path) -> None:
    frames = [PIL.Image.new("L", (60, 60), value) for value in (200, 10)]
    frames[0].save(tmp_path / "move.gif", save_all=True, append_images=frames[1:])
    with PIL.Image.open(give(tmp_path / "move.gif")) as picture:
        assert np.asarray(picture.convert("L"))[0, 0] == 200


@pytest.mark.parametrize("way", [Way(192), Way(192, 25), Way(384, 25), Way(0, 50)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_enlarged_as_the_figures_were_measured(give, tmp_path: Path, way: Way, mode) -> None:
    path = tmp_path / "small.png"
    _photo(61, 48, mode=mode).save(path)
    place = way.place(61, 48)
    expected = cv2.imread(str(path))
    if way.side:
        size = (place.width, place.height)
        expected = cv2.resize(expected, size, interpolation=cv2.INTER_CUBIC)
    expected = cv2.copyMakeBorder(expected, *[place.border] * 4, cv2.BORDER_REPLICATE)
    staged = cv2.imread(str(give(path, way)))
    assert staged.shape == (place.height + 2 * place.border, place.width + 2 * place.border, 3)
    assert np.array_equal(staged, expected)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(43, 120),
    st.integers(43, 120),
    st.sampled_from([Way(192), Way(192, 25), Way(384, 25), Way(100, 50), Way(0, 25)]),
    st.data(),
)
def test_landmarks_are_mapped_back_to_the_originals_pixels(width, height, way, data) -> None:
    x, y = data.draw(st.integers(2, width - 3)), data.draw(st.integers(2, height - 3))
    original = np.zeros((height, width), np.uint8)
    original[y, x] = 255
    buffer = io.BytesIO()
    PIL.Image.fromarray(original).save(buffer, "PNG")
    with decoding.decoded(buffer) as picture:
        staged = cv2.imdecode(np.asarray(as_bmp(picture, way)), cv2.IMREAD_GRAYSCALE)
    rows, columns = np.nonzero(staged > 40)
    weights = staged[rows, columns].astype(float)
    place = way.place(width, height)
    assert to_original(
        np.average(columns, weights=weights), place.border, place.scale_x
    ) == pytest.approx(x, abs=0.5)
    assert to_original(
        np.average(rows, weights=weights), place.border, place.scale_y
    ) == pytest.approx(y, abs=0.5)


def test_what_cant_be_read_says_why(tmp_path: Path, folder: Path) -> None:
    kinds = ["zero", "garbage", "truncated_png", "truncated_jpeg", "directory"]
    checked = {kind: check_picture(save_broken(tmp_path / f"{kind}.jpg", kind)) for kind in kinds}
    assert "empty" in checked["zero"].failure
    assert "unknown or damaged" in checked["garbage"].failure
    assert "truncated" in checked["truncated_jpeg"].failure
    assert "truncated" in checked["truncated_png"].failure
    assert checked["directory"] == Checked(failure="not a regular file")
    absent = check_picture(tmp_path / "absent.jpg")
    assert "No such file" in absent.failure
    assert absent.sha256 == ""
    assert checked["garbage"].sha256
    assert checked["garbage"].stamp == stamp_of((tmp_path / "garbage.jpg").stat())
    assert (checked["garbage"].width, checked["garbage"].phash) == (None, "")
    for kind in kinds:
        with pytest.raises(SourceGone):
            hand_over(tmp_path / f"{kind}.jpg", Way(500), folder, "x")
    assert list(folder.iterdir()) == []


@functools.cache
def _jpegs() -> dict[str, bytes]:
    """JPEGs of many kinds."""
    made = {}
    for mode in ("RGB", "L", "CMYK"):
        for size in ((200, 150), (48, 48), (517, 389)):
            for progressive in (False, True):
                buffer = io.BytesIO()
                options = {"subsampling": 0} if size == (200, 150) and mode == "RGB" else {}
                picture = _photo(*size, mode=mode)
                picture.save(buffer, "JPEG", progressive=progressive, quality=85, **options)
                made[f"{mode} {size} {'progressive' if progressive else ''}"] = buffer.getvalue()
    return made


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(_jpegs())), st.floats(0, 1))
def test_a_cut_jpeg_is_found_wherever_it_was_cut(kind: str, part: float) -> None:
    whole = _jpegs()[kind]
    # the end marker and the bits that fill the last byte hold no pixels
    end = min(int(part * len(whole)) + 1, len(whole) - 4)
    with pytest.raises(decoding.Undecodable):
        decoding.read_facts(io.BytesIO(whole[:end]))
    decoding.read_facts(io.BytesIO(whole))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(_jpegs())), st.integers(1, 200))
def test_decoding_fewer_pixels_finds_what_decoding_all_finds(kind: str, missing: int) -> None:
    cut = _jpegs()[kind][:-missing]
    try:
        PIL.Image.open(io.BytesIO(cut)).load()
    except OSError:
        with pytest.raises(decoding.Undecodable, match="truncated"):
            decoding.read_facts(io.BytesIO(cut))
    else:
        decoding.read_facts(io.BytesIO(cut))


@pytest.mark.parametrize("size", [(640, 480), (150, 200), (1000, 700), (64, 64)])
def test_copies_of_a_picture_have_nearly_the_same_perceptual_hash(tmp_path: Path, size) -> None:
    photo = _photo(*size)
    copies = {
        "first.jpg": (photo, {"quality": 90}),
        "again.jpg": (photo, {"quality": 60, "progressive": True}),
        "lossless.png": (photo, {}),
        "grey.png": (photo.convert("L"), {}),
        "half.jpg": (photo.resize((size[0] // 2, size[1] // 2)), {"quality": 80}),
        "large.png": (photo.resize((size[0] * 2, size[1] * 2)), {}),
        "w.webp": (photo, {"quality": 80}),
    }
    hashes = {}
    for name, (picture, options) in copies.items():
        picture.save(tmp_path / name, **options)
        hashes[name] = check_picture(tmp_path / name)
    for checked in hashes.values():
        assert _bits_apart(checked, hashes["first.jpg"]) <= 6
    _photo(*size, seed=1).save(tmp_path / "other.jpg")
    assert _bits_apart(check_picture(tmp_path / "other.jpg"), hashes["first.jpg"]) > 16


def test_the_hash_is_imagehashs(tmp_path: Path) -> None:
    import imagehash

    _photo(64, 64, mode="L").save(tmp_path / "a.png")
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert check_picture(tmp_path / "a.png").phash == str(imagehash.phash(picture))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert check_picture(tmp_path / "pipe.jpg").failure == "not a regular file"
    with pytest.raises(SourceGone, match="not a regular file"):
        hand_over(tmp_path / "pipe.jpg", AS_IT_IS, folder, "x")


def test_absurdly_large_pictures_are_refused_unread(tmp_path: Path, monkeypatch) -> None:
    big = save_face(tmp_path / "big.jpg", size=(200, 200))
    large = save_face(tmp_path / "large.jpg", size=(120, 120))  # between Pillow's two limits
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10_000)
    assert "pixels: absurdly large" in check_picture(big).failure
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoding._pillow.cache_clear()  # as in a process that has not seen a picture yet
        assert check_picture(large).failure == ""


def test_other_programs_are_not_started_for_a_picture(tmp_path: Path) -> None:
    _photo(60, 60).save(tmp_path / "script.eps")  # Pillow would run Ghostscript
    assert "unknown" in check_picture(tmp_path / "script.eps").failure


def test_no_memory_is_a_reason_not_an_end(tmp_path: Path, monkeypatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    path = save_face(tmp_path / "a.png")
    monkeypatch.setattr(PIL.Image.Image, "reduce", exhausted)
    assert check_picture(path).failure == "too large for this machine's memory"


def test_a_damaged_exif_block_does_no_harm(give, tmp_path: Path) -> None:
    path = tmp_path / "exif.jpg"
    PIL.Image.new("RGB", (60, 60)).save(path, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert (check_picture(path).failure, check_picture(path).width) == ("", 60)
    assert os.path.samefile(give(path), path)


def test_equal_bytes_have_equal_hashes_whatever_their_name(tmp_path: Path) -> None:
    path = save_face(tmp_path / "m.jpg")
    (tmp_path / "n.jpg").write_bytes(path.read_bytes())
    one, other = check_picture(path), check_picture(tmp_path / "n.jpg")
    assert (one.sha256, one.phash) == (other.sha256, other.phash)
    assert one.stamp != other.stamp  # another inode


def test_a_copy_is_made_where_links_are_not_possible(give, tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = save_face(tmp_path / "a.jpg")
    copy = give(path)
    assert copy.read_bytes() == path.read_bytes()
    assert not os.path.samefile(copy, path)


def test_a_link_to_a_picture_is_followed(give, tmp_path: Path) -> None:
    elsewhere = save_face(tmp_path / "elsewhere.jpg")
    link = tmp_path / "link.jpg"
    try:
        link.symlink_to(elsewhere)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    staged = give(link)
    assert not staged.is_symlink()  # a container could not follow it
    assert staged.read_bytes() == elsewhere.read_bytes()


@pytest.mark.parametrize("way", [AS_IT_IS, Way(192, 25)])
def test_an_original_is_never_written_to(give, folder: Path, tmp_path: Path, way: Way) -> None:
    path = save_face(tmp_path / "a.bmp", size=(60, 60))
    before = path.read_bytes()
    give(path)  # a link, which the second must replace and not fill
    give(path, way)
    assert path.read_bytes() == before
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("way", [AS_IT_IS, Way(192)])
def test_a_picture_that_vanishes_after_its_check(folder, tmp_path: Path, way: Way) -> None:
    path = save_face(tmp_path / "a.jpg")
    checked = check_picture(path)
    path.unlink()
    with pytest.raises(SourceGone, match="No such file") as failure:
        hand_over(path, way, folder, "x", stamp=checked.stamp)
    assert failure.value.reason.startswith("can't be read: ")
    assert list(folder.iterdir()) == []


def test_a_picture_that_changes_after_its_check(folder, tmp_path: Path) -> None:
    path = save_face(tmp_path / "a.jpg")
    checked = check_picture(path)
    save_face(path, size=(200, 200))
    with pytest.raises(SourceGone, match="changed after it was checked"):
        hand_over(path, AS_IT_IS, folder, "x", stamp=checked.stamp)
    assert hand_over(path, AS_IT_IS, folder, "x") == "x.jpg"  # nobody asked which


@pytest.mark.parametrize("linkable", [True, False])
def test_a_picture_that_is_replaced_in_the_middle(folder, tmp_path, monkeypatch, linkable) -> None:
    path = save_face(tmp_path / "a.jpg")
    link = os.link

    def replace_then_link(source: str | Path, target: str | Path) -> None:
        if linkable:
            os.replace(save_face(tmp_path / "b.jpg", seed=5), path)
            link(source, target)
        else:
            path.write_bytes(save_face(tmp_path / "b.jpg", seed=5, size=(90, 90)).read_bytes())
            raise OSError("no links here")

    monkeypatch.setattr(os, "link", replace_then_link)
    with pytest.raises(SourceGone, match="changed"):
        hand_over(path, AS_IT_IS, folder, "x")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_written_while_it_is_checked(tmp_path: Path, monkeypatch) -> None:
    path = save_face(tmp_path / "a.jpg")
    read_facts = staging.read_facts

    def write_and_read(file: io.BufferedReader) -> tuple[int, int, str]:
        with open(path, "ab") as more:
            more.write(b"more")
        return read_facts(file)

    monkeypatch.setattr(staging, "read_facts", write_and_read)
    assert check_picture(path) == Checked(failure="it was changed while it was read")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such permissions here")
def test_a_file_without_permission_says_so(folder, tmp_path: Path, monkeypatch) -> None:
    path = save_face(tmp_path / "a.jpg")
    path.chmod(0)
    if os.geteuid() == 0:  # nothing is forbidden to root

        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(staging, "open", refuse, raising=False)
    assert check_picture(path) == Checked(failure="can't be read: Permission denied")
    with pytest.raises(SourceGone, match="Permission denied"):
        hand_over(path, AS_IT_IS, folder, "x")


@pytest.mark.parametrize("name", ["a.webp", "a.jpg"])
def test_a_full_disk_is_not_the_pictures_fault(folder, tmp_path, monkeypatch, name) -> None:
    path = save_face(tmp_path / name)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(AuferError, match=f"{name} can't .* No space left") as failure:
        hand_over(path, AS_IT_IS, folder, "x")
    assert "free some space" in (failure.value.hint or "")
    assert list(folder.iterdir()) == []


def test_many_threads_at_once_find_what_one_finds(folder: Path, tmp_path: Path) -> None:
    endings = [".jpg", ".png", ".bmp", ".webp", ".tiff"]
    paths = [
        save_face(tmp_path / f"{n}{endings[n % 5]}", size=(50 + n, 60), seed=n) for n in range(60)
    ]
    paths += [save_broken(tmp_path / f"broken{n}.jpg", "truncated_jpeg") for n in range(10)]
    ways = [AS_IT_IS, Way(192, 25)]

    def work(number: int) -> tuple[Checked, bytes]:
        path, way = paths[number // 2], ways[number % 2]
        checked = check_picture(path)
        if checked.failure:
            return checked, b""
        name = hand_over(path, way, folder, f"{number}-{path.stem}", stamp=checked.stamp)
        return checked, (folder / name).read_bytes()

    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(work, range(2 * len(paths))))
    for path in folder.iterdir():
        path.unlink()
    assert together == [work(number) for number in range(2 * len(paths))]
    assert sum(not checked.failure for checked, _ in together) == 120


def test_threads_that_start_together_know_all_formats(tmp_path: Path) -> None:
    for number in range(16):  # formats that Pillow loads late
        save_face(tmp_path / f"{number}{'.webp' if number % 2 else '.tif'}", seed=number)
    program = (
        "import sys; from pathlib import Path; from concurrent.futures import ThreadPoolExecutor\n"
        "from aufer.openface.staging import check_picture\n"
        "paths = sorted(Path(sys.argv[1]).iterdir())\n"
        "print({found.failure for found in ThreadPoolExecutor(16).map(check_picture, paths)})"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{''}", done.stdout


def test_only_one_big_picture_is_in_memory_at_a_time(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(decoding, "_BIG_PIXELS", 10_000)
    inside, most, lock = 0, 0, threading.Lock()
    as_8_bits = decoding._as_8_bits

    def watch(picture: PIL.Image.Image) -> PIL.Image.Image:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return as_8_bits(picture)

    monkeypatch.setattr(decoding, "_as_8_bits", watch)
    big = [save_face(tmp_path / f"{n}.png", size=(120, 100), seed=n) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert not any(checked.failure for checked in pool.map(check_picture, big))
        assert most == 1
        small = [save_face(tmp_path / f"{n}.png", size=(60, 60), seed=n) for n in range(8)]
        list(pool.map(check_picture, small))
        assert most > 1  # small ones don't wait


_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
_contents = st.binary(max_size=8).map(lambda data: hashlib.sha256(data).hexdigest())


@given(st.lists(st.tuples(_names, _contents), unique_by=lambda pair: pair[1], max_size=30))
def test_staged_stems_are_unique_and_plain(files: list[tuple[str, str]]) -> None:
    stems = [staged_stem(name, sha256) for name, sha256 in files]
    assert len({stem.lower() for stem in stems}) == len(files)
    for stem in stems:
        assert stem.isascii()
        assert stem.replace("-", "").replace("_", "").isalnum()
        assert len(stem) < 100
        assert stem[0] not in "-_"


def test_staged_stems_stay_readable() -> None:
    sha256 = hashlib.sha256(b"").hexdigest()
    assert staged_stem("happy/set 1/Jörg Maier.JPG", sha256) == "Jorg_Maier-e3b0c44298fc1c14"
    assert staged_stem("微笑.jpg", sha256) == "image-e3b0c44298fc1c14"
    assert staged_stem(".jpg", sha256) == "jpg-e3b0c44298fc1c14"
