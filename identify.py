"""Tell what measured spectra are of, by networks that train_models.py has trained.

    python identify.py --runs results/minerals/cnn6-seed* --measured unknown.txt
    python identify.py --runs results/minerals/vgg-seed0 --measured *.txt --csv answers.csv
    python identify.py --runs results/minerals/vgg-seed0 --measured *.txt --figure answers.png

MEASURED are files in the forms that measured_spectra.py reads. Each spectrum is brought onto the
datapoints of the dataset that the networks were trained on, over the range that dataset.json
records, and with the same background subtracted, if one was. Of its classes the three most likely
are printed, with probabilities that are the mean of those that the RUNS give. These must be of one
dataset; what run.json records is compared. Saved networks are loaded in Keras' safe mode, which
runs no code that their files may hold.

A network knows no other classes: it finds one of its own for any spectrum, often with a probability
near 1. So the most similar training spectrum is named, with the cosine of the angle between both as
vectors of datapoints, 1 for spectra that differ in scale alone; FIGURE draws the first eight
spectra, each with that training spectrum. A warning says if this cosine is lower than it is for 95
of 100 spectra of KNOWN, by default the dataset's validation spectra, at most 1000 of them. That is
a hint and no test: it also meets some spectra of known classes, and misses other classes whose
spectra are like those of a known one. Where networks were trained on synthetic spectra, measured
ones are less like these even if their class is known, and more of them are warned of; with a split
of measured spectra, such as test_measured_val, as KNOWN it is fewer, but more of the unknown are
missed.

A file that states another unit of x is refused; if it is the right one after all, in a way of
writing that is not known here, UNIT names it. Refused are also files in transmittance if the
dataset is in absorbance or rendered, or the other way round, where the units of y tell.

MEASURED are brought to 0 to 1, so training spectra need the maximum 1, as own arrays may not have;
a warning says if they do not begin at 0.

Where a file does not cover the range, the rest takes its first or last y, and a warning says so.
Without the dataset folder, RANGE must tell what the datapoints stand for; units are then compared
with UNIT alone, no background is subtracted, and nothing tells whether a spectrum is of a known
class.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from benchmark.command_line import InputError, require, require_range, run_script, warn
from benchmark.data_card import BESIDE_SPLITS, array_names, require_same_range
from benchmark.dataset_folder import dataset_path, read_dataset
from benchmark.figure_style import check_figure, printable, save, told_of
from benchmark.files import refuse_input, replace_file, sha256_of
from benchmark.match_figure import Match, draw_matches
from benchmark.measured_samples import Form, require_background_method, values_of
from benchmark.measurement import UPWARD, kind_of_y, opposite, same_unit, same_wavelength
from benchmark.measurement_files import (
    read_all,
    warn_of_different_units,
    warn_of_different_wavelengths,
)
from benchmark.resampling import covers, losses
from benchmark.run_folder import WEIGHTS, read_run
from benchmark.saved_networks import load_network
from benchmark.similarity import nearest_rows, usual_cosines
from benchmark.table_formats import as_csv
from benchmark.tensorflow_startup import release_memory, start_tensorflow

# Files
RUNS: Annotated[
    tuple[str, ...] | None, "Run folders of train_models.py, all trained on one dataset."
] = None
MEASURED: Annotated[
    tuple[str, ...] | None, "Measurements to identify, one spectrum in each file."
] = None
DATASET: Annotated[
    str | None, "Dataset folder of these runs; by default datasets/ and the name in run.json."
] = None
CSV: Annotated[str | None, "File for the answers as a table; none by default."] = None
FIGURE: Annotated[
    str | None, "Figure of the answers to write, both as .png and as .pdf; none by default."
] = None
BLOCK: Annotated[
    str | None, "Spectrum to read from files that hold several: its number from 1, or its title."
] = None
SKIP_UNREADABLE: Annotated[bool, "Go on without the files that cannot be read."] = False

# Spectra
RANGE: Annotated[
    tuple[float, float] | None,
    "x of the first and last datapoint; by default what dataset.json records.",
] = None
UNIT: Annotated[
    str | None, "Unit of RANGE, as 1/cm; by default the one that dataset.json records."
] = None
KNOWN: Annotated[
    str, "Split of the dataset whose spectra tell how similar those of known classes are."
] = "val"

MOST_LIKELY = 3  # classes named for each file
UNUSUAL = 5  # percent of the spectra of known classes are less similar than what is unusual
# Of training spectra: tails of rendered peaks and noise stay below this fraction of the maximum; a
# constant background as high, which lies under all datapoints, lowers cosines by up to 0.1
HIGHEST_MINIMUM = 0.05
MOST_ROWS = 8  # of the figure; more would not fit on a page


class Identification(NamedTuple):
    """What is found out about a file."""

    file: str
    classes: list  # names, the most likely first
    probabilities: list
    row: int | None  # of the most similar training spectrum, None without the dataset
    nearest: str | None  # its class
    cosine: float | None
    warnings: list


def main(settings):
    check(settings)
    runs = read_runs(settings.runs)
    dataset = dataset_of(runs[0], settings.dataset)
    if dataset is not None:
        splits = [split for split in dataset.splits if split != "train"]
        accepted = f"a split of {dataset.folder}: {', '.join(splits)}"
        require(settings.known in splits, "KNOWN", settings.known, accepted)
        check_scale(dataset)
    for folder in [run.folder for run in runs] + ([dataset.folder] if dataset else []):
        check_outputs(settings, list(folder.iterdir()))
    form = form_of(runs[0], dataset, settings.range, settings.unit)
    paths, measurements, spectra = read_all(
        settings.measured,
        partial(brought_into, form=form),
        block=settings.block,
        skip_unreadable=settings.skip_unreadable,
    )
    warn_of_different_units(paths, measurements)
    warn_of_different_wavelengths(paths, measurements)
    probabilities = mean_probabilities(runs, spectra)
    warnings = [warnings_of(measurement, form) for measurement in measurements]
    names = runs[0].dataset.class_names or list(map(str, range(runs[0].dataset.classes)))
    answers = answers_of(paths, probabilities, warnings, names)
    if dataset is not None:
        answers = compared(answers, spectra, dataset, settings.known, names)
    for answer in answers:
        tell(answer)
    if settings.csv is not None:
        with replace_file(settings.csv) as file:
            file.write(as_table(answers).encode())
        print(f"{settings.csv}: {len(answers)} files")
    if settings.figure is not None:
        draw(Path(settings.figure), answers, spectra, dataset, form)


def check(settings):
    for name, what in ("runs", "run folders"), ("measured", "measurements"):
        require(
            getattr(settings, name), name.upper(), getattr(settings, name), f"one or more {what}"
        )
    if settings.range:
        require_range(settings.range)
    check_outputs(settings, settings.measured)


def check_outputs(settings, inputs):
    """Raise InputError if a file to write is one of those that are read."""
    refuse_input("CSV", settings.csv, inputs)
    check_figure(settings.figure, inputs)


def read_runs(folders):
    """Return the Runs of the folders, which must have weights and be of one dataset."""
    folders = list(dict.fromkeys(map(Path, folders)))
    runs, weights = [read_run(folder) for folder in folders], {}
    for run in runs:
        copy = weights.setdefault(run.weights_sha256, run)
        if copy is not run:
            raise InputError(
                f"RUNS: {copy.folder} and {run.folder} have the same weights, which would count "
                f"twice, accepted: one of them"
            )
        if not (run.folder / WEIGHTS).exists():
            raise InputError(
                f"{run.folder} has no {WEIGHTS}, so its network cannot be asked; accepted: runs "
                f"with their weights, as train_models.py leaves them"
            )
        for name in array_names("train"):
            if run.dataset.sha256.get(name) != runs[0].dataset.sha256.get(name):
                raise InputError(
                    f"RUNS are of two datasets: {run.folder} was trained on {run.dataset.name}, "
                    f"{runs[0].folder} on {runs[0].dataset.name} (SHA-256 of {name} differs), "
                    f"accepted: runs of one"
                )
        if run.dataset.class_names != runs[0].dataset.class_names:
            raise InputError(
                f"RUNS have different names of classes in {run.folder} and {runs[0].folder}, "
                f"accepted: the same names"
            )
    return runs


def dataset_of(run, folder):
    """Return the Dataset that a Run was trained on, None if the folder is gone.

    Raises InputError if the folder holds another dataset, or is given and does not exist.
    """
    if folder is None:
        folder = dataset_path(run.dataset.name)
        if not folder.is_dir():
            warn(
                f"{folder}, on which the networks were trained, is not there: x is taken to be in "
                f"its unit, no background is subtracted, and nothing tells whether a spectrum is "
                f"of a known class; DATASET names the folder"
            )
            return None
    dataset = read_dataset(folder)
    for name in array_names("train"):
        if sha256_of(dataset.folder / name) != run.dataset.sha256.get(name):
            raise InputError(
                f"{folder} is not the dataset that {run.folder} was trained on (SHA-256 of {name} "
                f"differs); DATASET names its folder"
            )
    return dataset


def check_scale(dataset):
    """Compare the scale of a Dataset's training spectra with that of the spectra to identify.

    These go from 0 to 1. Raises InputError if maxima are not 1, warns if minima lie above 0.
    """
    training, _ = dataset.splits["train"]
    highest = training.max(axis=1)
    other = (highest != 0) & ~np.isclose(highest, 1, atol=1e-3)  # 0 where no peak was rendered
    if other.any():
        row = int(np.argmax(other))
        raise InputError(
            f"{dataset.folder}/x_train.npy has the maximum {highest[row]:g} in spectrum {row}, "
            f"accepted: 1 in each, as MEASURED are brought to 0 to 1; divide each spectrum by its "
            f"maximum and train again"
        )
    lowest = float(np.median(training.min(axis=1)))
    if lowest > HIGHEST_MINIMUM:
        warn(
            f"training spectra of {dataset.folder} have the minimum {lowest:.2g} (median), but "
            f"MEASURED are brought to 0 to 1, so networks see another background than in training "
            f"and may be wrong with confidence; subtract the minimum of each training spectrum "
            f"before its division by the maximum, and train again"
        )


def form_of(run, dataset, x_range, unit=None):
    """Return the Form of the spectra that a Run learned from.

    dataset: the Dataset, None if it is gone; x_range, unit: RANGE and UNIT, None if not given.
    """
    card = (dataset and dataset.card) or {}
    beside = (dataset and dataset.beside) or {}
    recorded = card.get("range")
    if x_range is None and recorded is None:
        where = "its folder is not there" if dataset is None else f"{dataset.folder} does not say"
        raise InputError(
            f"RANGE is None, accepted: x of the first and last datapoint of {run.dataset.name}, as "
            f"{where}"
        )
    if x_range and recorded:
        require_same_range(x_range, recorded, dataset.folder)
    if unit and not same_unit(unit, card.get("unit") or ""):
        warn(
            f"UNIT is {unit} and x of {dataset.folder} in {card['unit']}, which are taken for one "
            f"unit"
        )
    measured = card.get("measured") or beside.get("measured") or {}
    background = measured.get("parameters", {}).get("background") or card.get("background", "none")
    require_background_method(background)
    return Form(
        datapoints=run.dataset.datapoints,
        range=tuple(x_range or recorded),
        unit=unit or card.get("unit"),
        background=background,
        y_unit=UPWARD if card.get("class_file") else card.get("y_unit") or "",
        wavelength=card.get("wavelength"),
    )


def brought_into(measurement, form):
    """Bring a Measurement into a Form, float32 (datapoints,) from 0 to 1. Raises InputError."""
    x, y, (first, last) = measurement.x, measurement.y, form.range
    if form.unit and not same_unit(form.unit, measurement.x_unit):
        raise InputError(
            f"x is in {measurement.x_unit}, accepted: {form.unit}, the unit of RANGE; UNIT names "
            f"another one that is meant"
        )
    if opposite(form.y_unit, measurement.y_unit):
        raise InputError(
            f"y is in {measurement.y_unit}, accepted: {form.y_unit}, as in the dataset"
        )
    inside = np.count_nonzero((x >= first) & (x <= last))
    if inside < 2:
        raise InputError(
            f"x goes from {x[0]:g} to {x[-1]:g} with {inside} points from {first:g} to {last:g}, "
            f"the range of the dataset, accepted: 2 or more"
        )
    if not covers(x, first, last):
        x, y = extended(x, y, first, last)
    return values_of(x, y, form)


def extended(x, y, first, last):
    """Lengthen a measurement to cover first to last, with its first and last y."""
    everywhere = np.union1d(x, [min(first, x[0]), max(last, x[-1])])
    return everywhere, np.interp(everywhere, x, y)


def warnings_of(measurement, form):
    """Return a sentence for each thing that makes a spectrum other than the file or the dataset."""
    x, (first, last) = measurement.x, form.range
    notes = list(measurement.notes)
    kinds = {kind_of_y(form.y_unit), kind_of_y(measurement.y_unit)} - {""}
    if len(kinds) > 1 and form.y_unit != UPWARD:
        notes.append(f"y is in {measurement.y_unit}, not in {form.y_unit}, as in the dataset")
    if not same_wavelength(measurement.wavelength, form.wavelength):
        notes.append(
            f"measured with {measurement.wavelength:.6g} angstrom, the dataset with "
            f"{form.wavelength:.6g}; 2theta is not converted, so the answer is worth nothing"
        )
    if not covers(x, first, last):
        share = (min(x[-1], last) - max(x[0], first)) / (last - first)
        notes.append(
            f"x goes from {x[0]:g} to {x[-1]:g}, which is {share:.0%} of the range of the dataset, "
            f"{first:g} to {last:g}; peaks in the rest are missing"
        )
    return [*notes, *losses(x, measurement.y, form.datapoints, form.range)]


def mean_probabilities(runs, spectra):
    """Return the mean of the probabilities that the runs' networks give, float64 (n, classes)."""
    start_tensorflow()
    total = np.zeros((len(spectra), runs[0].dataset.classes))
    for run in runs:
        release_memory()
        model = load_network(run.folder / WEIGHTS, run.weights_sha256)
        takes = model.input_shape[1] in (None, run.dataset.datapoints)
        if not takes or model.output_shape[1:] != total.shape[1:]:
            raise InputError(
                f"{run.folder / WEIGHTS} takes {model.input_shape[1]} datapoints and returns "
                f"{model.output_shape[1]} classes, but run.json records {run.dataset.datapoints} "
                f"and {run.dataset.classes}"
            )
        size = run.protocol.batch_size
        batches = (spectra[first : first + size] for first in range(0, len(spectra), size))
        total += np.concatenate([model(batch, training=False) for batch in batches])
    return total / len(runs)


def answers_of(paths, probabilities, warnings, names):
    """Return an Identification for each file, without comparison to training spectra."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :MOST_LIKELY]
    return [
        Identification(
            file=str(path),
            classes=[names[label] for label in labels],
            probabilities=of_file[labels].tolist(),
            row=None,
            nearest=None,
            cosine=None,
            warnings=found,
        )
        for path, of_file, labels, found in zip(paths, probabilities, order, warnings, strict=True)
    ]


def compared(answers, spectra, dataset, known, names):
    """Add to Identifications the class of the most similar training spectrum, and what it means.

    known: split whose spectra tell how similar those of known classes are.
    """
    training, labels = dataset.splits["train"]
    nearest = nearest_rows(spectra, training)
    cosines = usual_cosines(dataset.splits[known][0], training)
    usual = np.percentile(cosines, UNUSUAL)
    reached = f"{np.count_nonzero(cosines >= usual)} of {len(cosines)} spectra of {known}"
    rendered = (dataset.card or {}).get("class_file")
    measured = known.startswith(BESIDE_SPLITS["test"])  # as names of own splits may, too
    doubt = f", or only measured, as {known} is synthetic" if rendered and not measured else ""
    found = []
    for answer, row, cosine in zip(answers, nearest.rows, nearest.cosines.tolist(), strict=True):
        name, warnings = names[labels[row]], list(answer.warnings)
        if cosine < usual:
            warnings.append(
                f"no training spectrum is as similar as usual: cosine {cosine:.3f}, where "
                f"{reached} have {usual:.3f} or more; this may be a class that the networks do not "
                f"know, a mixture, or on another background{doubt}"
            )
        elif name != answer.classes[0]:
            warnings.append(f"the most similar training spectrum is of class {name}")
        found.append(answer._replace(row=int(row), nearest=name, cosine=cosine, warnings=warnings))
    return found


def tell(answer):
    print(answer.file)
    for name, probability in zip(answer.classes, answer.probabilities, strict=True):
        print(f"    {probability:6.1%}  {name}")
    if answer.nearest is not None:
        print(f"    most similar training spectrum: {answer.nearest}, cosine {answer.cosine:.3f}")
    for warning in answer.warnings:
        warn(f"{answer.file}: {warning}")


def draw(figure, answers, spectra, dataset, form):
    """Write the figure of the first answers; figure: path of its .png or .pdf."""
    training = dataset.splits["train"][0] if dataset else None
    shown = list(zip(answers, spectra, strict=True))[:MOST_ROWS]
    matches = [match_of(answer, spectrum, training) for answer, spectrum in shown]
    save(draw_matches(matches, form.range, form.unit or ""), figure.parent, figure.stem)
    print(told_of(figure, MOST_ROWS, len(answers), "spectra"))


def match_of(answer, spectrum, training):
    """Return the Match of an Identification; training: training spectra, None if they are gone."""
    file, likely = printable(Path(answer.file).name), printable(answer.classes[0])
    title = f"{file}: {likely}, {answer.probabilities[0]:.1%}"
    if training is None:
        return Match(title, spectrum, nearest=None, nearest_name="")
    nearest_name = f"{printable(answer.nearest)}, cosine {answer.cosine:.3f}"
    return Match(title, spectrum, training[answer.row], nearest_name)


def as_table(answers):
    """Return the Identifications as CSV, a row for each file."""
    rows = []
    for answer in answers:
        row = {"file": answer.file}
        likely = zip(answer.classes, answer.probabilities, strict=True)
        for place, (name, probability) in enumerate(likely, 1):
            row |= {f"class_{place}": name, f"probability_{place}": f"{probability:.6f}"}
        row["nearest"] = answer.nearest or ""
        row["cosine"] = "" if answer.cosine is None else f"{answer.cosine:.6f}"
        row["warnings"] = "; ".join(answer.warnings)
        rows.append(row)
    return as_csv(list(rows[0]), rows)


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
