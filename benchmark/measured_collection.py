"""What a folder, zip archive or list of measurement files holds: files, classes, samples, units."""

import sys
from collections import Counter

from benchmark.command_line import InputError, in_one_line, warn
from benchmark.measured_samples import (
    ARCHIVE,
    FEW_SAMPLES,
    NO_CLASS,
    NO_LABEL,
    NO_MEASUREMENT,
    NOT_FOUND,
    TWO_CLASSES,
    Exclusion,
    read_spectra,
    samples_of,
    without_copies,
    without_rare_classes,
)
from benchmark.measurement import (
    DOWNWARD,
    different_units,
    different_wavelengths,
    kind_of_y,
    opposite,
)
from benchmark.measurement_files import warn_of_different_wavelengths
from benchmark.measurement_sources import find_sources
from benchmark.sample_labels import match_labels, rruff_label, warn_of_alike


def collect(measured, form, table, min_samples, output=None):
    """Read all files; returns a list of Spectrum, by class, sample and file, and of Exclusion.

    measured: files, folders and archives; form: Form; table: LabelTable, None for RRUFF's names;
    output: a folder that is not searched, as it holds what is made of the files.
    """
    sources = find_sources(measured, output)
    hidden = {source.name for source in sources if source.of_system}
    if table:
        hidden -= named_all_the_same(table, sources)
    reason = "no measurement by its name"
    excluded = [Exclusion(name, NO_MEASUREMENT, reason) for name in sorted(hidden)]
    sources = [source for source in sources if source.name not in hidden]
    reason = "unpack it, or, if it is a zip archive in a folder, give it to MEASURED itself"
    excluded += [Exclusion(s.name, ARCHIVE, reason) for s in sources if s.is_archive]
    sources = [source for source in sources if not source.is_archive]
    labels, missing = labels_from_table(table, sources) if table else labels_from_names(sources)
    excluded += missing
    sources = [source for source in sources if source.name in labels]
    spectra, unusable = read_spectra(sources, labels, form)
    spectra.sort(key=lambda spectrum: (spectrum.label, spectrum.file, spectrum.sha256))
    spectra, copies = without_copies(spectra)
    spectra, rare = without_rare_classes(spectra, min_samples)
    excluded = sorted([*excluded, *unusable, *copies, *rare])
    if len(samples_of(spectra)) < 2:
        one = min_samples == 1
        needed = "a usable sample" if one else f"{min_samples} usable samples (MIN_SAMPLES)"
        raise InputError(
            f"fewer than two classes have {needed} in {', '.join(map(str, measured))}: "
            f"{'; '.join(summarise(excluded)) or 'none'}"
        )
    warn_of_different_wavelengths([spectrum.file for spectrum in spectra], spectra)
    return spectra, excluded


def named_all_the_same(table, sources):
    """Return the names of files of the system that a LabelTable names, and no other file has."""
    _, missing = match_labels(table, [source for source in sources if not source.of_system])
    rest = table._replace(labels={file: table.labels[file] for file in missing})
    return match_labels(rest, [source for source in sources if source.of_system])[0].keys()


def labels_from_table(table, sources):
    """Return Source.name -> Label, and Exclusions of files that table or sources lack."""
    labels, unmatched = match_labels(table, sources)
    excluded = [
        Exclusion(source.name, NO_LABEL, f"{table.path.name} does not name it")
        for source in sources
        if source.name not in labels
    ]
    reason = f"{table.path.name} names it, but no file has this name"
    excluded += [
        Exclusion(file, NOT_FOUND, reason, table.labels[file].class_name) for file in unmatched
    ]
    return labels, excluded


def labels_from_names(sources):
    """Return Source.name -> Label by RRUFF's names, and Exclusions of files without."""
    labels = {source.name: rruff_label(source.file_name) for source in sources}
    excluded = [
        Exclusion(name, NO_LABEL, "its name is not like RRUFF's, Quartz__R040031__…; LABELS helps")
        for name, label in labels.items()
        if label is None
    ]
    labels = {name: label for name, label in labels.items() if label}
    classes = {}
    for label in labels.values():
        classes.setdefault(label.sample, set()).add(label.class_name)
    for name, label in list(labels.items()):
        if len(classes[label.sample]) > 1:
            reason = f"sample {label.sample} is {' and '.join(sorted(classes[label.sample]))}"
            excluded.append(Exclusion(name, TWO_CLASSES, reason, label.class_name))
            del labels[name]
    return labels, excluded


def unit_of(spectra, unit):
    """Return the unit of x: `unit`, or what files state, None if no one does.

    Raises InputError if files state different ones.
    """
    stated = different_units((spectrum.unit, spectrum.file) for spectrum in spectra)
    if len(stated) > 1:
        (one, file), (other, other_file), *_ = stated.items()
        raise InputError(
            f"{file} has x in {one} and {other_file} in {other}, accepted: one unit, or UNIT with "
            f"the one that is meant"
        )
    silent = sum(not spectrum.unit for spectrum in spectra)
    if stated and silent and not unit:
        (found,) = stated
        warn(
            f"{len(spectra) - silent} of {len(spectra)} spectra state the unit of x, {found}, "
            f"which is taken for all; UNIT names it"
        )
    return unit or next(iter(stated), None)


def wavelength_of(spectra):
    """Return the wavelength that files state, None if no one does, or they differ."""
    stated = different_wavelengths((spectrum.wavelength, spectrum.file) for spectrum in spectra)
    return next(iter(stated)) if len(stated) == 1 else None


def y_unit_of(spectra):
    """Return the unit of y as a file states it, None if no one tells what y is, or they differ.

    Raises InputError if bands point up in some files and down in others.
    """
    stated = {}
    for spectrum in spectra:
        stated.setdefault(kind_of_y(spectrum.y_unit), spectrum)
    silent = stated.pop("", None)
    if not stated:
        return None
    first, *others = stated.values()
    for other in others:
        if opposite(first.y_unit, other.y_unit):
            raise InputError(
                f"{first.file} has y in {first.y_unit} and {other.file} in {other.y_unit}, "
                f"accepted: bands that point one way in all files; LABELS can leave out the others"
            )
    if others:
        warn(
            f"{first.file} has y in {first.y_unit} and {others[0].file} in {others[0].y_unit}, "
            f"which are not converted"
        )
        return None
    if silent and kind_of_y(first.y_unit) in DOWNWARD:
        telling = sum(kind_of_y(spectrum.y_unit) != "" for spectrum in spectra)
        warn(
            f"{telling} of {len(spectra)} spectra state the unit of y, {first.y_unit}, which is "
            f"taken for all"
        )
    return first.y_unit


def summarise(excluded):
    """Return a sentence for each kind of Exclusion, the most frequent first."""
    sentences = []
    for kind, count in Counter(exclusion.kind for exclusion in excluded).most_common():
        example = next(exclusion for exclusion in excluded if exclusion.kind == kind)
        files = "1 file" if count == 1 else f"{count} files"
        such = "" if count == 1 else "such as "
        sentences.append(f"{files} {kind}, {such}{shown(example.file)}: {shown(example.reason)}")
    return sentences


def shown(text):
    """Return a text of foreign origin as a terminal may show it, in one line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in in_one_line(text))


def tell_of_files(spectra, excluded):
    """Say on standard error what was left out, averaged or decided."""
    for sentence in summarise(excluded):
        print(f"left out: {sentence}", file=sys.stderr)
    noted = [spectrum for spectrum in spectra if spectrum.notes]
    if noted:
        files = "1 file" if len(noted) == 1 else f"{len(noted)} files"
        such = "" if len(noted) == 1 else "such as "
        example = shown(f"{noted[0].file}: {noted[0].notes[0]}")
        print(f"noted: {files} read with assumptions, {such}{example}", file=sys.stderr)
    samples = samples_of(spectra)
    labels = set().union(*samples.values())
    warn_of_alike("classes", samples)
    warn_of_alike("samples", {label.sample for label in labels})
    rare = {e.class_name: e.reason.rpartition(",")[0] for e in excluded if e.kind == FEW_SAMPLES}
    usable = samples.keys() | {e.class_name for e in excluded if e.kind == NO_CLASS}
    for name in sorted({e.class_name for e in excluded} - {None} - usable):
        sentence = rare.get(name, f"class {name} has no usable file")
        print(f"left out: {shown(sentence)}", file=sys.stderr)
