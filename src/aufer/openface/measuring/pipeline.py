"""Getting all pictures measured: checked by threads while OpenFace runs, several runs at once.

Each picture goes check -> hand over -> run -> record, and again from the hand-over for a further
look. One thread decides everything here and is the only one that touches the store; the others
check pictures (stagers.py) or wait for OpenFace (runners.py), and put what they have to say into
one queue.

A run that dies costs the picture that it died at: that one is tried alone twice (the second time,
where memory may have run out, when nothing else runs any more), and the others go on in a new run.
"""

from __future__ import annotations

import logging
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from aufer.openface.keeping import set_aside
from aufer.openface.measuring.batches import BatchSizes, ReadyQueue
from aufer.openface.measuring.blame import Blame, crashed_look, engine_broke
from aufer.openface.measuring.call_log import ALONE, ALONE_AGAIN, BATCH, CONTROL
from aufer.openface.measuring.deaths import KILLED, STALLED, explain
from aufer.openface.measuring.job import Job
from aufer.openface.measuring.known import find_known
from aufer.openface.measuring.runners import Runners
from aufer.openface.measuring.running import Batch, Finished, Outcome, drop_batch
from aufer.openface.measuring.space import check_room
from aufer.openface.measuring.stagers import Stagers
from aufer.openface.measuring.subject import Inputs, Subject, path_key
from aufer.openface.measuring.verdicts import Verdict, judge_files
from aufer.openface.output import csv_of, details_of
from aufer.openface.staging import Checked, SourceGone, hand_over
from aufer.openface.store import Limits, Look, Picture, Stamp
from aufer.openface.threads import uninterrupted
from aufer.progress import Progress, Step

talk = logging.getLogger("aufer")

RECORD_EVERY_S = 0.3
"""What OpenFace finished is kept so often; a kill costs no more."""

_WAIT_S = 0.1
_EVENTS_AT_ONCE = 100


class Pipeline:
    """Measures what the store doesn't know yet; use `run` once."""

    def __init__(self, job: Job) -> None:
        images, resources, scratch = job.images, job.resources, job.scratch
        self._images, self._store, self._key, self._plan = images, job.store, job.key, job.plan
        self._limits = Limits(job.plan.image_timeout_s, resources.memory_alone_bytes)
        self._scratch, self._staged, self._extras = scratch, scratch / "staged", job.extras
        self._staged.mkdir()
        self._inputs = Inputs([""] * len(images))
        self._open = 0  # images that are not settled
        self._active: dict[str, list[int]] = {}  # sha256 -> positions of the images that wait
        self._settled: set[str] = set()
        self._by_file: dict[str, Subject] = {}
        self._ready = ReadyQueue()
        self._alone: deque[tuple[str, str]] = deque()
        self._at_the_end: deque[str] = deque()
        self._blame = Blame(len(images))
        self._on_trial: list[tuple[Subject, Look]] = []
        self._control_works = False
        self._n_jobs = resources.jobs
        self._sizes = BatchSizes(resources.jobs, len(images))
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        tell = self._events.put
        self._stagers = Stagers(images, self._staged, resources.threads, self, tell)
        self._runners = Runners(job, self, tell)
        self._recorded_at = self._moved_at = time.monotonic()
        self._step: Step = lambda n: None

    def run(self, progress: Progress) -> Inputs:
        """Measure everything; what was measured is in the store, also when this raises.

        Raises:
            EnvironmentFailure: the engine can't measure anything, or vanished.
            AuferError: the disk is full. KeyboardInterrupt: as it comes.
        """
        try:
            self._scan()
            if self._open:
                check_room(self._scratch, self._open)
                self._sizes = BatchSizes(self._n_jobs, self._open)
                with progress(self._open, "measuring faces") as step:
                    self._step = step
                    self._work()
        finally:
            self._step = lambda n: None
            with uninterrupted():  # what is finished is kept
                self._runners.close()
                self._stagers.close()
                try:
                    self._record(at_end=True)
                finally:
                    self._store.commit()
        return self._inputs

    def _work(self) -> None:
        while self._open:
            self._run_more()
            self._stage_more()
            try:
                self._events.get(timeout=_WAIT_S)()
                for _ in range(_EVENTS_AT_ONCE):
                    self._stage_more()
                    self._events.get_nowait()()
            except queue.Empty:
                pass
            if time.monotonic() - self._recorded_at >= RECORD_EVERY_S:
                self._record()
                self._store.commit()

    def on_failure(self, error: BaseException) -> None:
        """What went wrong in another thread ends the job here."""
        raise error

    # What is known already

    def _scan(self) -> None:
        """Find out which files are unchanged since an earlier run, and what is left to do."""
        if self._plan.rehash:
            self._stagers.to_check.extend(range(len(self._images)))
        else:
            for position, known in find_known(self._images, self._store, self._key):
                if known is None:
                    self._stagers.to_check.append(position)
                else:
                    self._inputs.sha256s[position] = known.sha256
                    self._consider(position, known.stamp, known.picture, known.looks)
        waiting = sum(len(positions) for positions in self._active.values())
        self._open = len(self._stagers.to_check) + waiting
        n_known = len(self._images) - self._open
        if n_known and not self._plan.fresh:
            talk.info("known from earlier runs: %d of %d images", n_known, len(self._images))

    def _consider(
        self, position: int, stamp: Stamp, picture: Picture, looks: Mapping[str, Look]
    ) -> bool:
        """Take a picture on if it needs a look; whether it, or an equal one, is on its way."""
        sha256 = self._inputs.sha256s[position]
        if sha256 in self._settled:
            return False
        if sha256 in self._active:
            self._active[sha256].append(position)
            return True
        subject = Subject(sha256, self._images[position], stamp, picture, {})
        self._blame.measured(subject, [*looks.values()])
        valid = {w: look for w, look in looks.items() if self._plan.counts(look, self._limits)}
        way = self._plan.next_way(picture, valid)
        if way is None:
            self._settled.add(sha256)
            return False
        self._active[sha256] = [position]
        self._stagers.to_hand_over.append(replace(subject, looks=valid, way=way))
        return True

    # Checking and handing over

    def _stage_more(self) -> None:
        if self._sizes.has_room(self._ready):
            self._stagers.start_more()

    def on_checked(self, position: int, checked: Checked) -> None:
        """See `stagers.Listener`."""
        self._inputs.sha256s[position] = checked.sha256
        if checked.failure or checked.stamp is None:
            self._give_up(position, checked.failure)
            return
        picture = Picture(checked.width or 0, checked.height or 0, checked.phash)
        path = path_key(self._images[position].path)
        self._store.record_file(path, checked.stamp, checked.sha256)
        self._store.record_picture(checked.sha256, picture)
        looks = self._store.looks(self._key, [checked.sha256]).get(checked.sha256, {})
        if not self._consider(position, checked.stamp, picture, looks):
            self._done(1)

    def on_ready(self, subject: Subject, file: str, size: int) -> None:
        """See `stagers.Listener`."""
        self._by_file[file] = subject
        self._ready.append(file, size)

    def on_gone(self, subject: Subject, why: str) -> None:
        """See `stagers.Listener`; equal images are looked at anew."""
        first, *others = self._active.pop(subject.sha256)
        self._give_up(first, why)
        self._stagers.to_check.extend(others)

    def _give_up(self, position: int, why: str) -> None:
        self._inputs.failures[position] = why
        self._done(1)

    def _done(self, n: int) -> None:
        self._open -= n
        self._step(n)

    # Running

    def _run_more(self) -> None:
        while self._runners.is_free and (chosen := self._next_batch()):
            files, why, all_memory = chosen
            subjects = [self._by_file[file] for file in files]
            facts = [
                (self._staged / file, subject.image.name, subject.way.name)
                for file, subject in zip(files, subjects, strict=True)
            ]
            self._moved_at = time.monotonic()
            self._runners.start(facts, why, all_memory=all_memory)

    def _next_batch(self) -> tuple[list[str], str, bool] | None:
        """What to run next, why, and whether with all memory; None while there is too little."""
        if self._alone:
            file, why = self._alone.popleft()
            return [file], why, False
        n_unstaged = self._stagers.n_left
        n_free = 0 if n_unstaged else self._n_jobs - self._runners.n_running
        goal = self._sizes.goal(n_unstaged + len(self._ready), n_free)
        has_room = self._sizes.has_room(self._ready)
        can_grow = self._stagers.is_busy or (n_unstaged and has_room)
        has_waited = time.monotonic() - self._moved_at > 1
        if self._ready and (len(self._ready) >= goal or not can_grow or has_waited):
            self._sizes.took_one()
            return self._ready.take(goal, others=self._blame.is_doubtful), BATCH, False
        is_idle = not (self._runners.n_running or n_unstaged or self._ready)
        is_idle = is_idle and not self._runners.finished
        if self._at_the_end and is_idle:
            return [self._at_the_end.popleft()], ALONE_AGAIN, True
        if not self._on_trial and self._blame.is_due(is_idle=is_idle):
            return self._start_trial(is_idle=is_idle)
        return None

    def on_ended(self, batch: Batch, outcome: Outcome) -> None:
        """See `runners.Listener`."""
        self._record()  # before the folder goes
        self._moved_at = time.monotonic()
        if batch.why == CONTROL:
            drop_batch(batch, [], self._staged)
            self._end_trial(batch.files[0], outcome)
            return
        left = {*outcome.suspects, *outcome.untouched}
        if not self._extras:
            ways = zip(batch.files, batch.ways, strict=True)
            finished = {file: way for file, way in ways if file not in left}
            set_aside(batch.output, finished, self._scratch)
        drop_batch(batch, [*left], self._staged)
        self._ready.put_back(outcome.untouched)
        for file in outcome.suspects:
            self._on_died(file, batch, explain(outcome.run), outcome)

    def _on_died(
        self, file: str, batch: Batch, reason: str, outcome: Outcome | None = None
    ) -> None:
        """A picture that a run ended at, or whose CSV is of no use: alone, again, condemned."""
        subject = self._by_file[file]
        if batch.why == BATCH:
            talk.info("the engine ended at %s; trying it alone", subject.image.name)
            self._alone.append((file, ALONE))
            return
        run = outcome.run if outcome else None
        self._blame.died_alone(subject.image.name, batch.why, run, reason)
        is_killed = run is not None and run.exit_code == KILLED and not batch.all_memory
        if is_killed or (batch.why == ALONE and self._blame.is_doubtful):
            self._at_the_end.append(file)  # for want of memory, or of an engine?
        elif batch.why == ALONE:
            self._alone.append((file, ALONE_AGAIN))
        else:
            (self._staged / file).unlink(missing_ok=True)
            self._ready.forget(file)
            look = crashed_look(subject, reason, outcome, self._limits)
            self._blame.condemned.append((self._by_file.pop(file), look))

    # Whether it was the pictures' fault

    def _start_trial(self, *, is_idle: bool) -> tuple[list[str], str, bool] | None:
        """A run of the control; without one, what is condemned counts for this time only."""
        while (control := self._blame.control) is not None:
            way, stem = control.way, f"control-{control.stem}"
            try:
                file = hand_over(control.image.path, way, self._staged, stem, stamp=control.stamp)
            except SourceGone:
                self._blame.drop_control()
                continue
            self._by_file[file] = control
            self._on_trial, self._blame.condemned = self._blame.condemned, []
            self._control_works = False
            return [file], CONTROL, is_idle
        if is_idle:
            for subject, look in self._blame.condemned:
                self._inputs.crashed[subject.sha256] = look
                self._settle(subject)
            self._blame.condemned = []
        return None

    def _end_trial(self, file: str, outcome: Outcome) -> None:
        del self._by_file[file]
        tried, self._on_trial = self._on_trial, []
        if self._control_works:
            for subject, look in tried:
                self._advance(subject, look, None)
        elif outcome.run.exit_code in (KILLED, STALLED):  # it may need more than it gets now
            self._blame.drop_control()
            self._blame.condemned = [*tried, *self._blame.condemned]
        else:
            raise engine_broke(tried)

    # Recording

    def _record(self, *, at_end: bool = False) -> None:
        """Put what OpenFace finished into the store, and see who needs a further look."""
        self._recorded_at = time.monotonic()
        told: list[tuple[Batch, Finished]] = []
        while self._runners.finished:
            batch, several = self._runners.finished.popleft()
            told += [(batch, finished) for finished in several]
        verdicts = judge_files([finished.files for _, finished in told])
        problems: list[tuple[Batch, str, str]] = []
        for (batch, finished), verdict in zip(told, verdicts, strict=True):
            if batch.why == CONTROL:
                [before] = self._by_file[finished.file].looks.values()
                self._control_works = not verdict.problem and verdict.n_faces == before.n_faces
            elif verdict.problem:
                problems.append((batch, finished.file, verdict.problem))
            else:
                self._record_one(batch, finished, verdict)
        for batch, file, problem in problems if not at_end else ():
            for path in (csv_of(batch.output, file), details_of(batch.output, file)):
                path.unlink(missing_ok=True)  # not to be kept
            os.rename(batch.input / file, self._staged / file)
            self._on_died(file, batch, f"the engine's CSV {problem}, twice alone")

    def _record_one(self, batch: Batch, finished: Finished, verdict: Verdict) -> None:
        subject = self._by_file.pop(finished.file)
        self._ready.forget(finished.file)
        if subject.was_changed(batch.input / finished.file):
            self.on_gone(subject, "it was changed while it was measured; run extract again")
            return
        look = verdict.to_look(subject.way, finished.seconds, annotated=self._plan.annotated)
        self._blame.measured(subject, [look])
        self._advance(subject, look, finished)

    def _advance(self, subject: Subject, look: Look, finished: Finished | None) -> None:
        files = finished.files if finished else None
        self._store.record_look(self._key, subject.sha256, look, files)
        subject.looks[look.way] = look
        way = self._plan.next_way(subject.picture, subject.looks)
        if way is not None:
            subject.way = way
            self._stagers.to_hand_over.append(subject)
        else:
            self._settle(subject)

    def _settle(self, subject: Subject) -> None:
        self._settled.add(subject.sha256)
        self._done(len(self._active.pop(subject.sha256)))
