"""Find classes that the variation of spectra can turn into each other.

    python class_overlap.py
    python class_overlap.py --config dataset_configs/quick.json
    python class_overlap.py --config dataset_configs/mine.json --max-shift 10 --test-shift 5

Class B can be mistaken for class A in a test variant of A if a training spectrum of B can look like
that variant: every visible peak of the variant has a peak of B to itself, within MAX_SHIFT in
position and MAX_HEIGHT_CHANGE in height, and every other peak of B can vanish because it is not
higher than MAX_HEIGHT_CHANGE. Heights are relative to the highest peak of the variant. Such a test
spectrum is ambiguous: training spectra of B look like it, as do those of A, unless A varies more in
the test split than in training.

By default the limits are the constants of spectra_from_config.py, which are the paper's unless they
were edited, whatever a dataset was rendered with; they stand in the last line. If datasets/NAME
holds spectra of the class file that were rendered with others, a warning names those; it also
names artefacts that they have.

The numbers are lower bounds: where the highest peak varies too, so do all heights relative to it,
and training spectra of B can look like further variants. `ideal_observer` of baselines.py takes
that into account.

The nine variants are those of the split `test`; `--test-height-change 0.2` asks about `test_wide`.
Classes with test variants of their own have those instead, unless `--no-own-variants` is given.

Looked at are positions and heights of peaks, and nothing else: no peak widths, and no artefacts
that training spectra may have (benchmark/artefacts.py). Strain, common shifts, texture and foreign
peaks make more classes alike than are listed here; backgrounds, noise and spikes hide small peaks.
"""

import sys
from pathlib import Path
from typing import Annotated

import spectra_from_config
from benchmark.artefacts import names_of_those_on
from benchmark.class_file import read_class_file
from benchmark.command_line import LARGEST, InputError, require, run_script
from benchmark.dataset_folder import dataset_path
from benchmark.earlier_dataset import rendered_from, warn_of_other_variation
from benchmark.files import read_json, refuse_input, write_json
from benchmark.overlap import Limits, find_overlaps, summarise
from benchmark.variants import nine_variants
from benchmark.variation import constants_text

# Files
CONFIG: Annotated[str, "Class file to examine."] = spectra_from_config.CONFIG
JSON: Annotated[str | None, "File for the result as JSON; none by default."] = None

# Test spectra
OWN_VARIANTS: Annotated[
    bool, "Use the test variants that the class file gives for single classes."
] = True

RESULT = {"class_file", "limits", "pairs", "ambiguous_test_spectra"}  # what JSON holds
# The constants and flags of spectra_from_config.py that are the limits of variation
VARIED = "max_shift", "max_height_change", "test_shift", "test_height_change", "vary_highest"
PASSED_ON = {spectra_from_config: {name.upper() for name in VARIED}}
LIMITS = *VARIED, "own_variants"


def main(settings):
    for name in "max_shift", "test_shift":
        shift = getattr(settings, name)
        require(0 <= shift <= LARGEST, name.upper(), shift, f"0 to {LARGEST}")
    for name in "max_height_change", "test_height_change":
        value = getattr(settings, name)
        require(0 <= value < 1, name.upper(), value, "0 or more and less than 1")
    refuse_input("JSON", settings.json, [settings.config])
    refuse_other_json(settings.json)
    class_file = read_class_file(settings.config)
    warn_of_dataset(settings, class_file)
    asked = {name: getattr(settings, name) for name in LIMITS}
    nine = nine_variants(settings.test_shift, settings.test_height_change)
    own = class_file.test_variants if settings.own_variants else {}
    variants = [own.get(label, nine) for label in range(class_file.classes)]
    limits = Limits(settings.max_shift, settings.max_height_change, variants, settings.vary_highest)
    overlaps = find_overlaps(class_file, limits)
    for overlap in overlaps:
        print(
            f"classes {class_file.name_of(overlap.class_a)} and "
            f"{class_file.name_of(overlap.class_b)}: {spectra_of(overlap)} of "
            f"{len(variants[overlap.class_a]) + len(variants[overlap.class_b])} test variants; "
            f"{overlap.decided_by}"
        )
    summary = summarise(overlaps)
    pairs = "1 overlapping pair" if len(overlaps) == 1 else f"{len(overlaps)} overlapping pairs"
    print(
        f"{settings.config}: {pairs} among {class_file.classes} "
        f"classes, {summary['ambiguous_test_spectra']} of {sum(map(len, variants))} test spectra "
        f"ambiguous, with {constants_text(asked)}"
    )
    if settings.json:
        write_json(settings.json, result_of(settings.config, class_file, asked, overlaps))


def warn_of_dataset(settings, class_file):
    """Warn if the class file's dataset was rendered with other limits, or has artefacts."""
    folder = dataset_path(Path(settings.config).stem)
    _, rendered = rendered_from(folder, class_file)
    if rendered is None:
        return
    limits = {name: getattr(settings, name) for name in VARIED}
    if rendered.wide_test and limits["test_height_change"] == rendered.wide_test_height_change:
        del limits["test_height_change"]  # which asks about `test_wide`
    warn_of_other_variation(folder, rendered, rendered._replace(**limits))
    spectra_from_config.tell_of_ignored(names_of_those_on(rendered.artefacts))


def refuse_other_json(path):
    """Raise InputError if a file holds something else than a result of this script."""
    if path is None or not Path(path).is_file() or Path(path).stat().st_size == 0:
        return
    if not read_json(path, "class_overlap.py").keys() >= RESULT:
        raise InputError(f"JSON is {path}, which holds something else, accepted: another file")


def result_of(config, class_file, limits, overlaps):
    """Return what JSON holds, with the keys of RESULT; limits: constant -> value."""
    pairs = [
        {
            "class_a": overlap.class_a,
            "class_b": overlap.class_b,
            "variants": spectra_of(overlap),
            "decided_by": overlap.decided_by,
        }
        for overlap in overlaps
    ]
    return {
        "class_file": {"name": Path(config).name, "sha256": class_file.sha256},
        "limits": limits,
        "pairs": pairs,
        "ambiguous_test_spectra": summarise(overlaps)["ambiguous_test_spectra"],
    }


def spectra_of(overlap):
    """Return in how many test variants either class can be taken for the other."""
    return len(overlap.variants_a) + len(overlap.variants_b)


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
