"""Near copies: the fast search finds what comparing all with all finds, and plain pictures chain
nothing."""

from __future__ import annotations

import io

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from aufer.errors import DataError
from aufer.near_copies import NEAR_BITS, find_near_copies, join_near_copies
from aufer.pictures.decoding import read_facts

BLACK = "0" * 16
PLAIN = "8" + "0" * 15


def text_of(number: int) -> str:
    return f"{number:016x}"


def distance(one: str, other: str) -> int:
    """Bits that differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


@st.composite
def picture_hashes(draw: st.DrawFn) -> list[str]:
    """Hashes as pictures have them (half of the bits set), in families of near ones, some empty."""
    random = draw(st.randoms(use_true_random=False))
    found: list[str] = []
    for _ in range(draw(st.integers(0, 12))):
        number = sum(1 << bit for bit in random.sample(range(64), 32))
        for _ in range(draw(st.integers(1, 4))):
            found.append(text_of(number))
            for bit in random.sample(range(64), draw(st.integers(0, 9))):
                number ^= 1 << bit  # a chain: each a little further away
    found += [""] * draw(st.integers(0, 2))
    random.shuffle(found)
    return found


@given(picture_hashes(), st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_joining_equals_single_linkage_clustering(hashes: list[str], bits: int) -> None:
    """scipy's single linkage, cut at ``bits``, gives the same components."""
    found = join_near_copies(hashes, bits)
    known = [i for i, text in enumerate(hashes) if text]
    assert sorted(set(found.tolist())) == list(range(len(set(found.tolist()))))
    for i, text in enumerate(hashes):
        if not text:
            assert (found == found[i]).sum() == 1
    if len(known) > 1:
        rows = np.array([imagehash.hex_to_hash(hashes[i]).hash.ravel() for i in known])
        clusters = fcluster(linkage(pdist(rows, "hamming") * 64), bits + 0.5, "distance")
        ours = found[known]
        assert np.array_equal(
            clusters[:, None] == clusters[None, :], ours[:, None] == ours[None, :]
        )


@given(picture_hashes(), picture_hashes(), st.integers(0, 12))
@settings(max_examples=150, deadline=None)
def test_finding_equals_comparing_all_with_all(
    hashes: list[str], among: list[str], bits: int
) -> None:
    expected = [
        bool(text) and any(other and distance(text, other) <= bits for other in among)
        for text in hashes
    ]
    assert find_near_copies(hashes, among, bits).tolist() == expected


def test_numbers_follow_the_first_pictures() -> None:
    a, b = text_of(0x0F0F0F0F0F0F0F0F), text_of(0x00FF00FF00FF00FF)
    near_a = text_of(0x0F0F0F0F0F0F0F0F ^ 0b111111)
    assert join_near_copies([b, a, "", near_a, b]).tolist() == [0, 1, 2, 1, 0]
    assert join_near_copies([]).tolist() == []
    assert find_near_copies([], [a]).tolist() == []
    assert find_near_copies([a, ""], []).tolist() == [False, False]


def test_a_chain_is_one_group_but_its_end_is_no_copy_of_its_start() -> None:
    start = 0x0F0F0F0F0F0F0F0F
    chain = [text_of(start ^ ((1 << (5 * n)) - 1)) for n in range(5)]
    assert set(join_near_copies(chain).tolist()) == {0}
    assert find_near_copies([chain[-1]], [chain[0]]).tolist() == [False]
    assert find_near_copies([chain[1]], [chain[0]]).tolist() == [True]


def test_plain_pictures_join_only_their_equals() -> None:
    """Black and white-on-black hashes differ in one bit, and are near to many that show little."""
    nearly = text_of(0b11111)
    assert join_near_copies([BLACK, PLAIN, nearly, BLACK]).tolist() == [0, 1, 2, 0]
    assert find_near_copies([BLACK, PLAIN], [BLACK]).tolist() == [True, False]
    full = text_of(2**64 - 1)
    assert join_near_copies([full, text_of(2**64 - 2)]).tolist() == [0, 1]


@pytest.mark.parametrize("value", [0, 255])
def test_pictures_of_one_colour_are_the_plain_ones(value: int) -> None:
    file = io.BytesIO()
    Image.new("L", (48, 48), value).save(file, "PNG")
    file.seek(0)
    assert read_facts(file)[2] in (BLACK, PLAIN)


def test_without_numpys_own_count_of_bits_the_result_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """numpy 1.26 has no bitwise_count."""
    random = np.random.default_rng(0)
    hashes = [text_of(sum(1 << int(b) for b in random.permutation(64)[:32])) for _ in range(40)]
    hashes += [text_of(int(text, 16) ^ 0b1011) for text in hashes[:20]] + [BLACK, PLAIN]
    expected = join_near_copies(hashes)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert np.array_equal(join_near_copies(hashes), expected)
    assert expected.max() == 41


def test_many_near_pairs_are_folded_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [text_of(0x0F0F0F0F0F0F0F0F ^ (n << 8)) for n in range(60)]
    whole = join_near_copies(hashes)
    monkeypatch.setattr("aufer.near_copies._PAIRS_AT_ONCE", 7)
    assert np.array_equal(join_near_copies(hashes), whole)
    assert find_near_copies(hashes[:5], hashes[5:]).all()


@pytest.mark.parametrize("text", ["abc", "x" * 16, "0" * 17, "-" + "0" * 15])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no perceptual hash"):
        join_near_copies([BLACK, text])


def test_copies_in_another_size_and_quality_are_near() -> None:
    random = np.random.default_rng(0)
    photo, other = (
        Image.fromarray(random.integers(0, 256, (24, 24), dtype=np.uint8)).resize((512, 512))
        for _ in range(2)
    )
    hashes = []
    for picture, quality in ((photo, 95), (photo.resize((200, 200)), 40), (other, 95)):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        file.seek(0)
        hashes.append(read_facts(file)[2])
    assert distance(hashes[0], hashes[1]) <= NEAR_BITS
    assert join_near_copies(hashes).tolist() == [0, 0, 1]
