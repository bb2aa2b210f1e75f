"""The verb ``models fetch``: a published file in, its sha256 checked, kept for this user."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from aufer.errors import AuferError, DataError, EnvironmentFailure, UsageError
from aufer.fetchable import FETCHABLE, Fetchable, fetched_folder
from aufer.files import replacing, sha256_of
from aufer.progress import Progress, Step, no_progress

log = logging.getLogger("aufer")

_TIMEOUT_S = 30
_SLACK_BYTES = 1 << 16


def fetch_model(
    name: str,
    *,
    out: Path | None = None,
    source: Path | None = None,
    address: str | None = None,
    force: bool = False,
    progress: Progress = no_progress,
) -> Path:
    """Fetch a file of `FETCHABLE`, unless it is there already; gives where it lies.

    Whatever it comes from, it is kept only if its sha256 is the known one.

    Args:
        out: the folder; None: `fetched_folder`, where the commands look for it.
        source: a file that was downloaded by other means; nothing is asked of the network.
        address: where to download it instead. force: replace a file of that name in ``out``.
        progress: told of bytes.

    Raises:
        UsageError: no such name or file. EnvironmentFailure: it can't be downloaded.
        DataError: what came is another file. AuferError: another file is in its place.
    """
    wanted = find_fetchable(name)
    if source is not None and address is not None:
        raise UsageError(
            "--from and --url name two sources; there is one.", "leave one of them away"
        )
    folder = fetched_folder() if out is None else out
    path = folder / wanted.file
    if path.is_file() and sha256_of(path) == wanted.sha256:
        log.info("It is here already.")
        return path
    if path.is_dir() or (path.exists() and out is not None and not force):
        raise AuferError(
            f"{path} is another file; it is kept.",
            hint="choose another folder with --out, or replace it: --force",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if source is not None:
        _copy(source, path, wanted)
    else:
        addresses = wanted.addresses if address is None else (address,)
        _download(addresses, path, wanted, progress)
    log.info(f"Licence of {wanted.file}: {wanted.licence}")
    return path


def find_fetchable(name: str) -> Fetchable:
    """The file of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in FETCHABLE:
        raise UsageError(
            f"There is no '{name}' to fetch (known: {', '.join(FETCHABLE)}).",
            hint="aufer models fetch lists what there is",
        )
    return FETCHABLE[name]


def _copy(source: Path, path: Path, wanted: Fetchable) -> None:
    if not source.is_file():
        raise UsageError(
            f"There is no file {source}.", hint=f"download it from {wanted.addresses[0]}"
        )
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
        found = sha256_of(temporary)
        if found != wanted.sha256:
            raise DataError(
                f"{source} is not {wanted.file}: its sha256 is {found}, not {wanted.sha256}.",
                hint=f"download it again from {wanted.addresses[0]}",
            )


def _download(addresses: Sequence[str], path: Path, wanted: Fetchable, progress: Progress) -> None:
    """From the first address that gives the right file."""
    failures: list[AuferError] = []
    for address in addresses:
        try:
            _download_from(address, path, wanted, progress)
            return
        except (DataError, EnvironmentFailure) as error:
            failures.append(error)
            if len(failures) < len(addresses):
                log.warning(f"{error.message} Trying the next address.")
    raise next((error for error in failures if isinstance(error, DataError)), failures[-1])


def _download_from(address: str, path: Path, wanted: Fetchable, progress: Progress) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    log.info(f"Downloading {wanted.file} ({wanted.size / 1000:.0f} kB) from {address}")
    by_hand = (
        f"download {wanted.addresses[0]} by other means (sha256 {wanted.sha256}), then: "
        f"aufer models fetch {wanted.name} --from FILE"
    )
    wrong = requests.exceptions
    wrong_addresses = (wrong.MissingSchema, wrong.InvalidSchema, wrong.InvalidURL)
    try:
        with replacing(path) as temporary, progress(wanted.size, "download", "byte") as step:
            pooch.retrieve(
                address,
                known_hash=f"sha256:{wanted.sha256}",
                fname=temporary.name,
                path=temporary.parent,
                downloader=pooch.HTTPDownloader(
                    progressbar=_Bar(step, wanted.size), timeout=_TIMEOUT_S
                ),
            )
    except (*wrong_addresses, UnicodeError) as error:
        raise UsageError(
            f"'{address}' is no address that can be downloaded.",
            hint=f"aufer models fetch {wanted.name} --url {wanted.addresses[0]}",
        ) from error
    except requests.exceptions.RequestException as error:
        raise EnvironmentFailure(
            f"{address} can't be downloaded: {_reason(error)}.", hint=by_hand
        ) from error
    except ValueError as error:  # pooch: another hash
        raise DataError(
            f"What came from {address} is not {wanted.file}; it was not kept.", hint=by_hand
        ) from error


def _reason(error: Exception) -> str:
    """What went wrong, in a few words: the chain of causes of a connection's failure is long."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server says {response.status_code} {response.reason}".rstrip()
    name = type(error).__name__
    return {
        "ConnectionError": "no connection",
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "no answer in time",
        "ChunkedEncodingError": "it was cut off",
        "SSLError": "its certificate is not valid",
        "ProxyError": "the proxy refuses",
    }.get(name, name)


class _Bar:
    """Hands on what pooch tells of a download's progress; stops one that is far too long."""

    def __init__(self, step: Step, size: int) -> None:
        self._step, self._size, self._done = step, size, 0
        self._is_complete = False
        self.total = size

    def update(self, count: int) -> None:
        """So many more bytes, rounded up to blocks."""
        if self._is_complete:
            return
        self._step(max(0, min(count, self._size - self._done)))
        self._done += count
        if self._done > self._size + _SLACK_BYTES:
            raise ValueError("longer than the file that is wanted")

    def reset(self) -> None:
        """All has come; pooch counts it once more."""
        self._is_complete = True

    def close(self) -> None:
        """The bar is closed by who opened it."""
