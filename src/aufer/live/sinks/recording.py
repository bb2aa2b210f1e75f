"""A recording in a folder: the messages and, only where that was asked, the video."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from aufer.errors import AuferError, EnvironmentFailure
from aufer.files import to_json, write_text
from aufer.live.message import Message, units_facts
from aufer.live.recording_folder import FACTS_NAME, MESSAGES_NAME, NAMES, SCHEMA, VIDEO_NAME
from aufer.live.sinks.line_file import LineFile
from aufer.live.sinks.sink import Step
from aufer.live.sinks.video_file import VideoFile
from aufer.provenance import made_by, now, versions

log = logging.getLogger("aufer")

_ROOM_FOR_VIDEO = 32 << 20
_LOOK_EVERY_S = 2.0


class Recorder:
    """Writes a folder that `replay` plays: also after ``kill -9``, as far as it came. What can't be
    written any more ends with a warning; everything else goes on."""

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        model: str,
        save_video: bool = False,
        frames_per_s: float | None = None,
        force: bool = False,
    ) -> None:
        """Args: source, model: what they are called, for recording.json. frames_per_s: at which
        other programs play the video; None where nobody knows. force: an older recording in the
        folder is replaced."""
        self._folder = folder
        self._facts: dict[str, Any] = {"source": source, "model": model}
        self._save_video = save_video
        self._force = force
        self._messages = LineFile(folder / MESSAGES_NAME, force=force)
        self._video = VideoFile(folder / VIDEO_NAME, frames_per_s) if save_video else None
        self._is_open = self._is_new = False
        self._n = self._n_faces = 0
        self._first: Message | None = None
        self._last: Message | None = None
        self._failures: list[str] = []
        self._looked_at_s = -_LOOK_EVERY_S

    def start(self) -> str:
        """Make the folder and its description.

        Raises:
            AuferError: there is something in the folder. EnvironmentFailure: it can't be written.
        """
        folder = self._folder
        if folder.exists() and not folder.is_dir():
            raise AuferError(f"{folder} is no folder; a recording is one.")
        try:
            self._is_new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()) and not self._force:
                raise AuferError(
                    f"The folder {folder} is not empty; it is kept.",
                    hint="choose another one: --record FOLDER, or replace the recording: --force",
                )
            for name in NAMES:  # an older video would be taken for ours
                (folder / name).unlink(missing_ok=True)
            self._facts["started_at"] = now()
            self._messages.open()
            self._is_open = True
            self._describe()
        except OSError as error:
            said = error.strerror or error
            raise EnvironmentFailure(f"{folder} can't be written: {said}.") from error
        what = "messages and the video" if self._save_video else "messages, no pictures,"
        return f"recording: {what} to {folder}"

    def send(self, step: Step) -> None:
        """Append a message, and its frame."""
        if not self._is_open:
            return
        message = step.message
        try:
            self._messages.write(message.line(with_labels=self._n == 0))
        except OSError as error:
            self._end(f"{error.strerror or error}")
            return
        self._n += 1
        self._n_faces += len(message.faces)
        self._last = message
        if self._first is None:
            self._first = message
            with contextlib.suppress(OSError):  # labels also stand in the first line
                self._describe()
        self._add_frame(step)

    def close(self) -> None:
        """End the files and complete the description."""
        if self._is_open:
            self._end(None)

    def summary(self) -> str | None:
        """What was recorded, and why not all of it."""
        frames = "" if self._video is None else f", {self._video.n} frames of video"
        ends = f"; it ends early: {'; '.join(self._failures)}" if self._failures else ""
        return f"recording {self._folder}: {self._n} messages{frames}{ends}"

    def _add_frame(self, step: Step) -> None:
        video = self._video
        if video is None or video.is_closed:
            return
        try:
            self._check_room()
            video.add(None if step.frame is None else step.frame.pixels)
        except OSError as error:
            said = error.strerror or str(error)
            self._failures.append(f"video: {said}")
            log.warning(f"The video of {self._folder} ends after {video.n} frames: {said}.")
            video.close()

    def _check_room(self) -> None:
        """OpenCV does not say that a disk is full, so the video ends before it is.

        Raises:
            OSError: little is left.
        """
        if time.monotonic() - self._looked_at_s < _LOOK_EVERY_S:
            return
        if shutil.disk_usage(self._folder).free < _ROOM_FOR_VIDEO:
            raise OSError(f"less than {_ROOM_FOR_VIDEO >> 20} MB are free on the disk")
        self._looked_at_s = time.monotonic()

    def _end(self, failure: str | None) -> None:
        self._is_open = False
        self._messages.close()
        if self._video is not None:
            self._video.close()
        if failure is None and not self._n:
            self._take_away()
            return
        if failure is not None:
            self._failures.append(failure)
            log.warning(f"The recording {self._folder} ends after {self._n} messages: {failure}.")
        try:
            self._describe(is_complete=failure is None)
        except OSError as error:  # the one of the start still stands
            said = error.strerror or error
            log.warning(f"{self._folder / FACTS_NAME} can't be completed: {said}.")

    def _take_away(self) -> None:
        """Nothing came: where the start failed, the next one would find it in its way."""
        with contextlib.suppress(OSError):
            (self._folder / FACTS_NAME).unlink(missing_ok=True)
            if self._is_new:
                self._folder.rmdir()

    def _describe(self, *, is_complete: bool = False) -> None:
        """Write recording.json: at the start, after the first message, at the end."""
        first, last, video = self._first, self._last, self._video
        has_video = video is not None and video.n > 0
        facts = {
            "schema": SCHEMA,
            **made_by(),
            **self._facts,
            "is_complete": is_complete,
            "ended_at": now() if is_complete else None,
            "n_messages": self._n,
            "n_faces": self._n_faces,
            "duration_s": round(last.timestamp - first.timestamp, 3) if first and last else 0.0,
            "frame_width": first.width if first else None,
            "frame_height": first.height if first else None,
            "labels": list(first.expressions.words) if first else None,
            **(units_facts(first.units) if first and first.units else {}),
            "messages": MESSAGES_NAME,
            "video": VIDEO_NAME if has_video else None,
            "n_frames": video.n if video else 0,
            "frames_per_s": video.frames_per_s if video else None,
            "failures": self._failures,
            "versions": versions("numpy", "opencv-python-headless", "onnxruntime"),
        }
        write_text(self._folder / FACTS_NAME, to_json(facts))
