"""A stream of bytes cut into the JPEGs that stand in it."""

from __future__ import annotations

import re

MOST_BYTES = 16 * 2**20
MOST_PIXELS = 50_000_000

_BEGIN = b"\xff\xd8\xff"
_END, _BEGIN_AGAIN, _SCAN = 0xD9, 0xD8, 0xDA
_BARE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length: TEM and the restarts."""

_NONE_HERE = {_BEGIN_AGAIN, *range(0xC0)} - {0x01}
"""No segment begins so: the JPEG is broken."""

_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""These say how large the picture is."""

_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""What ends coded data: FF 00 is a stuffed byte of them, FF D0-D7 a restart, FF FF a filling."""


class JpegSplitter:
    """Finds JPEGs by walking over their segments: a thumbnail inside one's EXIF, or bytes in it
    that look like an end, don't cut it. What stands between them is passed over (the headers of an
    HTTP stream, garbage); after a broken one it goes on at the next beginning.

    It holds at most one unfinished JPEG.

    Attributes:
        n_broken: JPEGs that began and were cut, damaged, or too large in bytes or pixels.
        n_passed_over: bytes that belong to no JPEG.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES, most_pixels: int = MOST_PIXELS) -> None:
        self.n_broken = 0
        self.n_passed_over = 0
        self._most_bytes, self._most_pixels = most_bytes, most_pixels
        self._bytes = bytearray()
        self._at = 0  # of the next segment, or of coded data that were not looked at yet
        self._has_begun = False
        self._is_in_scan = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes. Gives the JPEGs that are complete now."""
        self._bytes += data
        found: list[bytes] = []
        while self._begin():
            length = self._walk()
            if length is None:
                continue  # it was broken: the next one
            if length == 0:
                if len(self._bytes) > self._most_bytes:
                    self._give_up()
                    continue
                break
            if length <= self._most_bytes:
                found.append(bytes(self._bytes[:length]))
            else:
                self.n_broken += 1
            self._restart(length)
        return found

    def _begin(self) -> bool:
        """Come to a beginning, if there is one."""
        if self._has_begun:
            return True
        at = self._bytes.find(_BEGIN)
        useless = at if at >= 0 else max(0, len(self._bytes) - len(_BEGIN) + 1)
        self.n_passed_over += useless
        del self._bytes[:useless]
        if at >= 0:
            self._has_begun, self._is_in_scan, self._at = True, False, 2
        return at >= 0

    def _walk(self) -> int | None:
        """Go on to the end: the JPEG's length; 0 where more bytes are needed, None if broken."""
        data = self._bytes
        while True:
            if self._is_in_scan:
                marker = _MARKER_IN_SCAN.search(data, self._at)
                self._at = marker.start() if marker else max(self._at, len(data) - 1)
                if not marker:
                    return 0
                del marker  # it would keep the buffer from growing
                self._is_in_scan = False
            if len(data) < self._at + 2:
                return 0
            kind = data[self._at + 1]
            if data[self._at] != 0xFF or kind in _NONE_HERE:
                self._give_up()
                return None
            if kind == 0xFF:  # a filling
                self._at += 1
            elif kind == _END:
                return self._at + 2
            elif kind in _BARE:
                self._at += 2
            else:
                if len(data) < self._at + 4:
                    return 0
                length = int.from_bytes(data[self._at + 2 : self._at + 4], "big")
                if length < 2:
                    self._give_up()
                    return None
                if len(data) < self._at + 2 + length:
                    return 0
                if kind in _FRAME_HEADERS and self._is_too_large():
                    self._give_up()
                    return None
                self._at += 2 + length
                self._is_in_scan = kind == _SCAN

    def _is_too_large(self) -> bool:
        place = self._at + 5
        height = int.from_bytes(self._bytes[place : place + 2], "big")
        width = int.from_bytes(self._bytes[place + 2 : place + 4], "big")
        return height * width > self._most_pixels

    def _give_up(self) -> None:
        """Look for a beginning from where it broke: not at its thumbnail, which lies before."""
        self.n_broken += 1
        self._restart(self._at)

    def _restart(self, at: int) -> None:
        """Look for a beginning from there on."""
        del self._bytes[:at]
        self._has_begun = False
