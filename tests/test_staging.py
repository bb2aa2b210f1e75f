"""Every picture is checked, and reaches OpenFace upright under a name of its own, or not."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aufer.errors import AuferError
from aufer.images import Image
from aufer.openface.staging import Staged, StagedNames, stage
from tests.stand_in.pictures import save_broken, save_face


@pytest.fixture
def hand_over(tmp_path: Path):
    """Stages files of tmp_path/images; gives the results by name, and the folder."""
    folder = tmp_path / "staged"
    folder.mkdir()

    def run(*names: str) -> tuple[dict[str, Staged], Path]:
        base = tmp_path / "images"
        results = stage([Image(base / name, name) for name in names], folder)
        assert [result.image.name for result in results] == list(names)
        return {result.image.name: result for result in results}, folder

    return run


def _put(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_pictures_that_openface_reads_are_handed_over_unchanged(hand_over, tmp_path: Path) -> None:
    names = ["a.jpg", "a.png", "a.bmp", "b.JPG", "c.jpeg", "sub/a.jpg"]
    for seed, name in enumerate(names):
        save_face(_put(tmp_path, name), seed=seed)
    results, folder = hand_over(*names)
    assert len({result.file for result in results.values()}) == len(names)
    for name, result in results.items():
        original = tmp_path / "images" / name
        assert (folder / result.file).read_bytes() == original.read_bytes()
        assert os.path.samefile(folder / result.file, original)  # a link, not a copy
        assert (result.status, result.width, result.height) == ("", 160, 120)
        assert result.sha256 == hashlib.sha256(original.read_bytes()).hexdigest()
    assert results["b.JPG"].file.endswith(".jpg")
    assert results["c.jpeg"].file.endswith(".jpg")


def test_the_content_counts_not_the_ending(hand_over, tmp_path: Path) -> None:
    save_face(_put(tmp_path, "really.png"), seed=1).rename(_put(tmp_path, "said.jpg"))
    results, folder = hand_over("said.jpg")
    assert results["said.jpg"].file.endswith(".png")
    with PIL.Image.open(folder / results["said.jpg"].file) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("ending", [".webp", ".tif", ".TIFF", ".gif", ".ppm"])
def test_other_formats_become_png_with_the_same_pixels(hand_over, tmp_path: Path, ending) -> None:
    source = PIL.Image.effect_noise((80, 60), 60)  # grey, so that no format changes a pixel
    source.save(_put(tmp_path, f"x{ending}"), **({"lossless": True} if ending == ".webp" else {}))
    results, folder = hand_over(f"x{ending}")
    with PIL.Image.open(folder / results[f"x{ending}"].file) as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.asarray(picture.convert("L")), np.asarray(source))


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_applied_exactly_once(hand_over, tmp_path: Path, turn: int) -> None:
    upright = PIL.Image.new("L", (90, 60))
    upright.paste(255, (0, 0, 30, 20))  # a white corner tells how it is turned
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpositions that undo each
    stored = upright if turn == 1 else upright.transpose(PIL.Image.Transpose(back[turn]))
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    stored.save(_put(tmp_path, "t.jpg"), exif=exif, quality=95)
    stored.save(_put(tmp_path, "t.png"), exif=exif)
    stored.save(_put(tmp_path, "t.tif"), exif=exif)
    results, folder = hand_over("t.jpg", "t.png", "t.tif")
    for result in results.values():
        assert (result.width, result.height) == (90, 60)
        with PIL.Image.open(folder / result.file) as picture:
            assert picture.getexif().get(0x0112, 1) == 1  # nobody can turn it again
            assert picture.size == (90, 60)
            pixels = np.asarray(picture.convert("L")).astype(int)
        assert np.abs(pixels - np.asarray(upright).astype(int)).mean() < 3


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("deep.tif", PIL.Image.fromarray(np.full((60, 60), 40_000, np.uint16))),
        ("float.tif", PIL.Image.fromarray(np.full((60, 60), 156.25, np.float32))),
        ("palette.gif", PIL.Image.new("L", (60, 60), 156).convert("P")),
        ("alpha.webp", PIL.Image.new("RGBA", (60, 60), (156, 156, 156, 128))),
        ("bits.tif", PIL.Image.new("1", (60, 60), 1)),
        ("cmyk.tif", PIL.Image.new("RGB", (60, 60), (156, 156, 156)).convert("CMYK")),
    ],
)
def test_deep_and_odd_pictures_become_8_bits(hand_over, tmp_path: Path, name, picture) -> None:
    options = {"lossless": True} if name.endswith(".webp") else {}
    picture.save(_put(tmp_path, name), **options)
    results, folder = hand_over(name)
    with PIL.Image.open(folder / results[name].file) as staged:
        assert staged.mode in ("L", "RGB")
        grey = int(np.asarray(staged.convert("L"))[30, 30])
    assert grey == (255 if name == "bits.tif" else pytest.approx(156, abs=2))


def test_the_first_frame_of_an_animation_is_taken(hand_over, tmp_path: Path) -> None:
    frames = [PIL.Image.new("L", (60, 60), value) for value in (200, 10)]
    frames[0].save(_put(tmp_path, "move.gif"), save_all=True, append_images=frames[1:])
    results, folder = hand_over("move.gif")
    with PIL.Image.open(folder / results["move.gif"].file) as picture:
        assert np.asarray(picture.convert("L"))[0, 0] == 200


def test_what_cant_be_read_says_why_and_is_not_handed_over(hand_over, tmp_path: Path) -> None:
    kinds = ["zero", "garbage", "truncated_png", "truncated_jpeg"]
    for kind in kinds:
        save_broken(_put(tmp_path, f"{kind}.jpg"), kind)
    results, folder = hand_over(*[f"{kind}.jpg" for kind in kinds], "absent.jpg")
    assert {result.status for result in results.values()} == {"unreadable"}
    assert list(folder.iterdir()) == []
    reasons = {name: result.reason for name, result in results.items()}
    assert "empty" in reasons["zero.jpg"]
    assert "unknown or damaged" in reasons["garbage.jpg"]
    assert "truncated" in reasons["truncated_jpeg.jpg"]
    assert "truncated" in reasons["truncated_png.jpg"]
    assert "No such file" in reasons["absent.jpg"]
    assert results["garbage.jpg"].sha256
    assert results["garbage.jpg"].width is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_not_waited_for(hand_over, tmp_path: Path) -> None:
    os.mkfifo(_put(tmp_path, "pipe.jpg"))
    results, _ = hand_over("pipe.jpg")
    assert results["pipe.jpg"].reason == "not a regular file"


def test_absurdly_large_pictures_are_refused_unread(hand_over, tmp_path, monkeypatch) -> None:
    save_face(_put(tmp_path, "big.jpg"), size=(200, 200))
    save_face(_put(tmp_path, "large.jpg"), size=(120, 120))  # between Pillow's two limits
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10_000)
    results, _ = hand_over("big.jpg", "large.jpg")
    assert results["big.jpg"].status == "unreadable"
    assert "pixels" in results["big.jpg"].reason
    assert results["large.jpg"].status == ""


@pytest.mark.parametrize(
    ("size", "status"), [((42, 200), "too_small"), ((200, 42), "too_small"), ((43, 43), "")]
)
def test_openface_never_sees_what_it_aborts_at(hand_over, tmp_path: Path, size, status) -> None:
    save_face(_put(tmp_path, "s.jpg"), size=size)
    results, folder = hand_over("s.jpg")
    result = results["s.jpg"]
    assert (result.status, (result.width, result.height)) == (status, size)
    assert len(list(folder.iterdir())) == (0 if status else 1)
    if status:
        assert f"{size[0]}x{size[1]}" in result.reason


def test_equal_bytes_are_handed_over_once_by_the_first_name(hand_over, tmp_path: Path) -> None:
    data = save_face(_put(tmp_path, "m.jpg")).read_bytes()
    for name in ("z/first.jpg", "a/second.jpg"):
        _put(tmp_path, name).write_bytes(data)
    results, folder = hand_over("z/first.jpg", "m.jpg", "a/second.jpg")  # not sorted
    assert results["a/second.jpg"].duplicate_of == ""
    assert results["m.jpg"].duplicate_of == results["z/first.jpg"].duplicate_of == "a/second.jpg"
    assert {result.file for result in results.values()} == {results["a/second.jpg"].file}
    assert len(list(folder.iterdir())) == 1


def test_a_copy_is_made_where_links_are_not_possible(hand_over, tmp_path, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = save_face(_put(tmp_path, "a.jpg"))
    results, folder = hand_over("a.jpg")
    copy = folder / results["a.jpg"].file
    assert copy.read_bytes() == path.read_bytes()
    assert not os.path.samefile(copy, path)


def test_a_link_to_a_picture_is_followed(hand_over, tmp_path: Path) -> None:
    elsewhere = save_face(tmp_path / "elsewhere.jpg")
    try:
        _put(tmp_path, "link.jpg").symlink_to(elsewhere)
    except OSError as error:
        pytest.skip(f"no symbolic links here: {error}")
    results, folder = hand_over("link.jpg")
    staged = folder / results["link.jpg"].file
    assert not staged.is_symlink()  # a container could not follow it
    assert staged.read_bytes() == elsewhere.read_bytes()


def test_a_full_disk_is_not_the_pictures_fault(hand_over, tmp_path, monkeypatch) -> None:
    save_face(_put(tmp_path, "a.webp"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PIL.Image.Image, "save", full)
    with pytest.raises(AuferError, match="No space left") as failure:
        hand_over("a.webp")
    assert "free some space" in (failure.value.hint or "")


_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(st.lists(_names, unique=True, max_size=30))
def test_staged_names_are_unique_plain_and_repeatable(names: list[str]) -> None:
    given_names = StagedNames()
    files = [given_names.give(name, ".jpg") for name in names]
    stems = {file.removesuffix(".jpg").lower() for file in files}
    assert len(stems) == len(names)
    for file in files:
        assert file.isascii()
        assert file.replace("-", "").replace("_", "").replace(".", "").isalnum()
        assert len(file) < 140
        assert file[0] not in "-._"
    again = StagedNames()
    assert [again.give(name, ".jpg") for name in names] == files


def test_staged_names_stay_readable_and_survive_a_collision(monkeypatch) -> None:
    assert StagedNames().give("happy/set 1/Jörg Maier.JPG", ".jpg").startswith("Jorg_Maier-")

    class Colliding:
        def __init__(self, data: bytes) -> None:
            self._tail = hashlib.md5(data, usedforsecurity=False).hexdigest()

        def hexdigest(self) -> str:
            return "0" * 8 + self._tail

    monkeypatch.setattr("aufer.openface.staging.hashlib.sha256", Colliding)
    names = StagedNames()
    first, second = names.give("a/x.jpg", ".jpg"), names.give("b/x.jpg", ".jpg")
    assert first == "x-00000000.jpg"
    assert second.startswith("x-00000000")
    assert second != first


def test_a_damaged_exif_block_does_no_harm(hand_over, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (60, 60)).save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    _put(tmp_path, "exif.jpg").write_bytes(buffer.getvalue())
    results, _ = hand_over("exif.jpg")
    assert (results["exif.jpg"].status, results["exif.jpg"].width) == ("", 60)
