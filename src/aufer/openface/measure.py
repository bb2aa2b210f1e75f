"""Images -> AU table: every image gets its row and its status, whatever happens to OpenFace."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from aufer.au_table import AuTable
from aufer.errors import EnvironmentFailure
from aufer.images import Image
from aufer.openface.capacity import local_capacity
from aufer.openface.engine import Engine
from aufer.openface.measuring.call_log import CallLog
from aufer.openface.measuring.job import Job, Resources
from aufer.openface.measuring.jobs import choose_jobs, choose_memory, choose_staging_threads
from aufer.openface.measuring.pipeline import Pipeline
from aufer.openface.measuring.plan import Plan
from aufer.openface.output import extra_suffixes
from aufer.openface.scratch import scratch_folder
from aufer.openface.store import Store, open_store
from aufer.openface.table import build_frame
from aufer.progress import Progress, no_progress
from aufer.provenance import Extractor

talk = logging.getLogger("aufer")

STORE_NAME = "measured.sqlite"


def store_of(folder: Path) -> Path:
    """Where what was measured is kept for the tables of a folder."""
    return folder / ".aufer" / STORE_NAME


def key_of(extractor: Extractor) -> str:
    """What a result is known by, besides the picture: all of the description that changes it.

    An image's name doesn't, beside its digest; enlarging is the way of each look.
    """
    facts = extractor.facts()
    facts["enlarge"] = ""
    if facts["digest"]:
        facts["image"] = ""
    return json.dumps(facts, sort_keys=True)


def measure(
    images: Sequence[Image],
    engine: Engine,
    plan: Plan | None = None,
    *,
    store: Store | None = None,
    scratch: Path | None = None,
    calls: CallLog | None = None,
    progress: Progress = no_progress,
) -> AuTable:
    """Measure the AUs of images with OpenFace.

    Args:
        plan: how; the usual way by default.
        store: what was measured before, and where the results go; by default nothing is kept.
        scratch: a folder for temporary files, on the disk of the images if that can be.
        calls: the log of engine calls.

    Returns:
        the table: one row per image, in the order given.

    Raises:
        EnvironmentFailure: the engine can't measure anything, or vanished. AuferError: disk full.
        What was measured until then is in the store.
    """
    plan = plan or Plan()
    with ExitStack() as stack:
        if scratch is None:
            scratch = stack.enter_context(scratch_folder(None))
        engine.check()
        engine.prepare(progress)
        if store is None:
            store = stack.enter_context(open_store(scratch / STORE_NAME))
        extractor = engine.extractor()
        key = key_of(extractor)
        extras = extra_suffixes(extractor.flags, annotated=plan.annotated)
        resources = choose_resources(engine, plan, len(images))
        job = Job(images, engine, store, key, plan, resources, scratch, calls, extras)
        try:
            inputs = Pipeline(job).run(progress)
        except PermissionError as error:
            raise EnvironmentFailure(
                f"OpenFace's files in {scratch} can't be read or moved: {error.strerror}.",
                hint="has another program a hand on them (a virus scanner)? Or does the engine "
                "write as another user (Docker with userns-remap)?",
            ) from error
        focal = "-fx" in extractor.flags.split()
        frame = build_frame(images, inputs, store, key, plan, fixed_focal=focal)
    return AuTable(frame, replace(extractor, enlarge=str(plan)))


def choose_resources(engine: Engine, plan: Plan, n_images: int) -> Resources:
    """Processes, threads and memory for a measurement."""
    capacity = engine.capacity()
    jobs = choose_jobs(plan.jobs, capacity, n_images)
    threads = choose_staging_threads(local_capacity().cpus, jobs)
    if not engine.limits_memory:
        if plan.memory_bytes:
            talk.warning("--memory-limit is passed over: the engine %s sets none", engine.name)
        return Resources(jobs, threads)
    shares = (choose_memory(plan.memory_bytes, capacity, n) for n in (jobs, 1))
    return Resources(jobs, threads, *shares)
