"""The verb ``import-model``: a model of another program in, a bundle out, once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from aufer.action_units import INTENSITY_COLUMNS
from aufer.bundle import AU_INPUT, CARD_NAME, FACTS_NAME, IMAGE_INPUT, ONNX_NAME, SCHEMA, Bundle
from aufer.classifiers.backend import full_disk_is_an_error
from aufer.classifiers.foreign.card import write_card
from aufer.classifiers.foreign.checking import TOLERANCE, Fitted, fit_wrapping
from aufer.classifiers.foreign.choices import (
    check_options,
    choose_input,
    name_outputs,
    wrong_number,
)
from aufer.classifiers.foreign.onnx_file import read_onnx
from aufer.classifiers.foreign.original import read_keras
from aufer.classifiers.foreign.presets import SCALES, Preset, Scale, find_preset
from aufer.classifiers.foreign.source import Source, open_source
from aufer.classifiers.onnx_export import write_onnx
from aufer.emotions import DEFAULT_NAMES, Emotions
from aufer.errors import AuferError, UsageError
from aufer.files import hash_files, read_json, replacing_folder, sha256_of, to_json, write_text
from aufer.image_input import FITS, ImageInput
from aufer.provenance import Extractor, made_by, versions
from aufer.runs import check_bundle_replaceable, checked_name

log = logging.getLogger("aufer")

KIND = "imported"


def import_model(
    source: Path,
    *,
    emotions: Emotions | None = None,
    size: tuple[int, int, int] | None = None,
    scale: str | None = None,
    fit: str | None = None,
    preset: str | None = None,
    out: Path | None = None,
    models_folder: Path = Path("models"),
    name: str | None = None,
    force: bool = False,
    command: str = "",
) -> Bundle:
    """Make a bundle of a model that another program made.

    Args:
        source: a Teachable Machine export (folder or zip), a Keras file (.keras, .h5, .hdf5) or an
            ONNX file, of pictures or of the 17 AUs.
        emotions: in the order of the outputs; None: the preset or labels.txt says.
        size: width, height and channels of its pictures; None: the file says.
        scale: a key of `presets.SCALES`: what the values 0-255 become for it. fit: one of
            `image_input.FITS`. preset: a key of `presets.PRESETS`, which says all of this.
        out: the bundle's folder; None makes ``models_folder/<name>``, and the name, if None too, of
            the source's.
        force: replace a bundle that a person edited, or one of another model of the same name.
        command: what was typed, for the record.

    Returns:
        the bundle; what was found out is in its facts' ``notes``, and goes to the logger ``aufer``.

    Raises:
        UsageError: no such file, or something about it is missing or contradicts what is known.
        DataError: the model is cut, dangerous, of other inputs or outputs, or its bundle would
        answer something else. AuferError: the name is taken. EnvironmentFailure: TensorFlow or
        tf2onnx is missing.
    """
    if scale is not None and scale not in SCALES:
        raise UsageError(f"There is no scale '{scale}'; known are {', '.join(SCALES)}.")
    if fit is not None and fit not in FITS:
        raise UsageError(f"There is no fit '{fit}'; known are {', '.join(FITS)}.")
    with open_source(source) as found:
        sha256 = sha256_of(found.model)
        path = out or models_folder / checked_name(found.title if name is None else name)
        check_bundle_replaceable(path, force=force)
        if out is None and name is None and not force:
            _check_same_model(path, sha256)
        known = find_preset(preset, sha256, is_export=found.is_export)
        check_options(known, scale, fit, found.model.name)
        named, words = name_outputs(found, known, emotions)
        original = (
            read_onnx(found.model, size, len(named))
            if found.is_onnx
            else read_keras(found.model, size)
        )
        if original.n_outputs != len(named):
            raise wrong_number(found, original.n_outputs, named, has_labels=bool(words))
        picture, scaled = choose_input(original, known, scale, fit, found.model.name)
        log.info("%s: %s", found.model.name, _describe_input(picture, scaled))
        checked = fit_wrapping(original, scaled)
        facts = _facts(found, sha256, known, words, named, picture, checked)
        facts = {
            "schema": SCHEMA,
            "name": path.name,
            "kind": KIND,
            **facts,
            **({"command": command} if command else {}),
            **made_by(),
        }
        with full_disk_is_an_error(path), replacing_folder(path) as folder:
            write_onnx(checked.model, folder / ONNX_NAME, facts["features"], facts["labels"])
            write_text(folder / CARD_NAME, write_card(facts))
            facts["files"] = hash_files(folder, FACTS_NAME)
            write_text(folder / FACTS_NAME, to_json(facts))  # last: with it the folder is whole
    for note in facts["notes"]:
        log.info("%s", note)
    return Bundle(path, facts)


def _check_same_model(path: Path, sha256: str) -> None:
    """Raise unless the bundle there, if any, is an earlier import of the same file."""
    if not (path / FACTS_NAME).is_file():
        return
    if read_json(path / FACTS_NAME).get("origin", {}).get("sha256") != sha256:
        raise AuferError(
            f"{path} is another model; it is kept.", hint="give this one a name: --name NAME"
        )


def _describe_input(picture: ImageInput | None, scale: Scale | None) -> str:
    if picture is None or scale is None:
        return "17 AU intensities, as they are"
    return f"pictures of {picture} ({picture.fit}), fed with {scale.text}"


def _facts(
    source: Source,
    sha256: str,
    preset: Preset | None,
    words: list[str],
    emotions: Emotions,
    picture: ImageInput | None,
    checked: Fitted,
) -> dict[str, Any]:
    """What ``bundle.json`` says of the model and of its origin."""
    wrapping = checked.wrapping
    origin: dict[str, Any] = {
        "file": source.model.name,
        "path": str(source.given),
        "sha256": sha256,
        "bytes": source.model.stat().st_size,
        "title": preset.title if preset else f"{'ONNX' if source.is_onnx else 'Keras'} model",
        "preset": preset.name if preset else None,
        "terms": preset.terms if preset else "",
        "labels": words,
        "scale": wrapping.scale.name if wrapping.scale else None,
        "scale_text": wrapping.scale.text if wrapping.scale else None,
        "softmax_added": wrapping.softmax,
        "one_by_one": wrapping.one_by_one,
        "onnx_difference": checked.difference,
        "n_compared": checked.n_compared,
    }
    described: dict[str, Any] = {"input": AU_INPUT, "features": list(INTENSITY_COLUMNS)}
    if picture is not None:
        described = {"input": IMAGE_INPUT, "features": [], "image_input": picture.facts()}
    return {
        **described,
        "labels": list(emotions.names),
        "extractor": Extractor().facts(),
        "metrics": {},
        "origin": origin,
        "notes": _notes(origin, emotions),
        "versions": versions("tensorflow", "keras", "tf2onnx", "numpy", "onnx", "onnxruntime"),
    }


def _notes(origin: dict[str, Any], emotions: Emotions) -> list[str]:
    """What was found out and done, in sentences."""
    notes = []
    if origin["preset"]:
        terms = f" Its terms: {origin['terms']}." if origin["terms"] else ""
        notes.append(f"Recognised as: {origin['title']}.{terms}")
    renamed = [
        f"{word} = {name}"
        for word, name in zip(origin["labels"], emotions.names, strict=False)
        if word.lower() != name
    ]
    if renamed:
        notes.append(f"Labels: {', '.join(renamed)}.")
    others = [name for name in emotions.names if name not in DEFAULT_NAMES]
    if others:
        notes.append(
            f"It knows {', '.join(others)} too, which the usual {len(DEFAULT_NAMES)} emotions lack."
        )
    if origin["softmax_added"]:
        notes.append("Its outputs were no probabilities: a softmax was put behind them.")
    if origin["one_by_one"]:
        notes.append("It was made for one picture at a time, and gets them so: it is slower.")
    notes.append(
        f"The bundle answers {origin['n_compared']} made-up inputs as the original does: the "
        f"largest difference of a probability is {origin['onnx_difference']:.1e} (allowed: "
        f"{TOLERANCE:g})."
    )
    return notes
