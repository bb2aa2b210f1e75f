"""Messages for the published Unity client, which reads at most 1024 bytes and parses each read."""

from __future__ import annotations

import json

from aufer.live.message import Message, reference_face

BLOCK = 1024
"""Bytes of each message: then every read is one message, however slowly the client reads."""


def block(message: Message) -> bytes:
    """The reference's object with no other field, padded with spaces to exactly 1024 bytes.

    Where not all faces fit, the largest ones do, and ``faceCount`` counts those.
    """
    largest_first = sorted(message.faces, key=lambda face: face.box.area, reverse=True)
    faces = [reference_face(face, message.expressions) for face in largest_first]
    while True:
        facts = {"faceCount": len(faces), "faces": faces}
        text = json.dumps(facts, separators=(",", ":")).encode("ascii")
        if len(text) <= BLOCK:
            return text.ljust(BLOCK, b" ")
        faces.pop()
