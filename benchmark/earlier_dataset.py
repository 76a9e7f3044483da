"""What already stands in a dataset folder: may it be replaced, and is it what is wanted?

Nothing that somebody made, labelled or measured is written over unasked.
"""

from benchmark.command_line import InputError, warn
from benchmark.data_card import (
    CARD,
    MEASURED_WRITER,
    complete_card,
    faults_of,
    faults_of_class_file,
    faults_of_files,
    writer_of,
)
from benchmark.files import read_json, sha256_of
from benchmark.variation import WRITER, differences, value_text, variation_of


def refuse_own_arrays(folder, names, record=CARD):
    """Raise InputError rather than replace arrays that no script wrote, which somebody made.

    names: the array files that a script writes, or removes; record: the card that describes them.
    """
    present = [name for name in names if (folder / name).exists()]
    if not present:
        return
    writer, written_by = (
        (WRITER, "rendered") if record == CARD else (MEASURED_WRITER, "written by it")
    )
    advice = "choose another OUTPUT folder, or move your arrays away"
    try:
        card = read_json(folder / record, writer)
    except (FileNotFoundError, InputError):
        raise InputError(
            f"{folder}/{present[0]} is not replaced, as no {record} of {writer} says that it was "
            f"{written_by}; {advice}"
        ) from None
    if card.get("complete") is False:
        return
    for reason in faults_of_files(card.get("files")):
        raise InputError(
            f"{folder}/{present[0]} is not replaced, as {record} is not one of {writer} "
            f"({reason}); {advice}"
        )
    written = (folder / record).stat().st_ctime_ns  # which no copying sets back
    for name in present:
        path, entry = folder / name, card["files"].get(name)
        known = entry and path.stat().st_size == entry["bytes"]
        if known and path.stat().st_ctime_ns > written:  # the card is written last
            known = sha256_of(path) == entry["sha256"]
        if not known:
            raise InputError(
                f"{path} is not replaced, as it is not what {record} records; {advice}"
            )


def refuse_to_relabel(folder, names, same_classes):
    """Raise InputError if test splits of somebody's own would come to be of other classes.

    names: the arrays that a script writes or removes; same_classes: function that tells whether a
    data card, a dict, is of the classes to come.
    """
    own = sorted(path.name for path in folder.glob("x_test*.npy") if path.name not in names)
    if not own:
        return
    try:
        card = complete_card(folder)
    except InputError:  # damaged: nobody can tell
        return
    if card and not same_classes(card):
        raise InputError(
            f"{folder}/{own[0]} was labelled for other classes; choose another OUTPUT folder, or "
            f"move {own[0]} away"
        )


def refuse_other_kind(folder, measured):
    """Raise InputError if a folder holds a measured dataset but a rendered one is due, or reverse.

    measured: whether a measured dataset is to be written.
    """
    try:
        card = complete_card(folder)
    except InputError:  # damaged: nobody can tell
        return
    if card and ("measured" in card) != measured:
        holds = "rendered" if measured else "measured"
        raise InputError(
            f"{folder} holds {holds} spectra of {writer_of(card)}; choose another OUTPUT, or "
            f"delete the folder to replace it"
        )


def rendered_from(folder, class_file):
    """Return data card and Variation of a folder if its spectra are of this class file.

    Both are None otherwise.
    """
    try:
        card = complete_card(folder)
        if card and card["class_file"]["sha256"] == class_file.sha256:
            return card, variation_of(card)
    except (InputError, KeyError, TypeError):  # damaged: nobody can tell
        pass
    return None, None


def checksum_of_same(folder, class_file, variation):
    """Return the checksum of a folder if the same parameters gave its spectra, otherwise None."""
    card, rendered = rendered_from(folder, class_file)
    return None if card is None or any(differences(rendered, variation)) else card.get("checksum")


def warn_of_other_variation(folder, rendered, asked):
    """Warn that an answer is not about a folder's spectra, if the two Variations differ.

    rendered: of these spectra; asked: of those that the answer is about.
    """
    differ = [
        f"{name.upper()} {value_text(before)}, not {value_text(now)}"
        for name, before, now in differences(rendered, asked)
    ]
    if differ:
        warn(
            f"this is not about the spectra in {folder}, which were rendered from the same class "
            f"file with {'; '.join(differ)}"
        )


def refuse_other_dataset(folder, class_file, variation):
    """Raise InputError if the folder holds a dataset of other classes or another variation."""
    card = complete_card(folder)
    if card is None:
        return
    advice = "choose another OUTPUT, or delete the folder to replace it"
    for reason in faults_of_class_file(card.get("class_file")):
        raise InputError(f"{folder / CARD} is not what {WRITER} writes: {reason}; {advice}")
    recorded = variation_of(card)
    if card["class_file"]["sha256"] != class_file.sha256:
        raise InputError(f"{folder} holds spectra of other classes; {advice}")
    for name, before, now in differences(recorded, variation):
        raise InputError(f"{folder} was rendered with {name.upper()} {before}, not {now}; {advice}")


def refuse_other_measured_dataset(folder, parameters, class_names):
    """Raise InputError if the folder holds a measured dataset of other parameters or classes."""
    card = complete_card(folder, MEASURED_WRITER)
    if card is None:
        return
    for reason in faults_of(card):
        raise InputError(f"{folder / CARD} is not what {MEASURED_WRITER} writes: {reason}")
    before = card["measured"]["parameters"]
    for name, now in parameters.items():
        now = list(now) if isinstance(now, tuple) else now
        if before.get(name) != now:
            raise InputError(
                f"{folder} was written with {name.upper()} {before.get(name)}, not {now}; choose "
                f"another OUTPUT, or delete the folder to replace it"
            )
    if card.get("class_names") != class_names:
        raise InputError(
            f"{folder} holds spectra of other classes; choose another OUTPUT, or delete the folder "
            f"to replace it"
        )
