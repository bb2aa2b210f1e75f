"""What is known of images without reading them, from earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aufer.images import Image
from aufer.openface.measuring.subject import path_key, stamp_at
from aufer.openface.store import Look, Picture, Stamp, Store

_AT_ONCE = 2000


@dataclass(frozen=True)
class Known:
    """An image whose file is unchanged since it was last read."""

    stamp: Stamp
    sha256: str
    picture: Picture
    looks: Mapping[str, Look]


def find_known(
    images: Sequence[Image], store: Store, key: str
) -> Iterator[tuple[int, Known | None]]:
    """Each image's position, and what is known of it: None if it has to be read.

    Args:
        key: what the store knows the extractor by.
    """
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE]
        paths = [path_key(image.path) for image in some]
        files = store.files(paths)
        same = [
            files[path] if path in files and files[path][0] == stamp_at(image.path) else None
            for path, image in zip(paths, some, strict=True)
        ]
        sha256s = list(dict.fromkeys(each[1] for each in same if each))
        pictures, looks = store.pictures(sha256s), store.looks(key, sha256s)
        for position, each in enumerate(same, start):
            if each is None or each[1] not in pictures:
                yield position, None
            else:
                stamp, sha256 = each
                yield position, Known(stamp, sha256, pictures[sha256], looks.get(sha256, {}))
