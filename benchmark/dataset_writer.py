"""The dataset writer: new arrays take their places together, with the data card that goes along.

Whatever interrupts it, the folder holds all old files, all new ones, or a card that says that it is
unfinished.
"""

from benchmark.data_card import CARD, checksum
from benchmark.files import write_json


def temporary(folder, name):
    """Return where an array of a dataset is written before it takes its place."""
    return folder / f"{name}.tmp"


def replace_arrays(folder, names, outdated, write, card_name=CARD):
    """Replace the arrays of a dataset folder, whose lock is held.

    names: files that `write` writes to their `temporary` places; outdated: files that are removed;
    write: function that returns the content of the data card `card_name` but for its checksum.
    Returns the content. Raises OSError naming a file.
    """
    try:
        card = write()
        card["checksum"] = checksum(card["files"])
        # While the new files take their places, the card says that they do not all fit.
        kind = {"measured": {}} if "measured" in card else {}
        write_json(folder / card_name, {"complete": False} | kind)
        for name in outdated:
            (folder / name).unlink(missing_ok=True)
        for name in names:
            temporary(folder, name).replace(folder / name)
        write_json(folder / card_name, card)
    except OSError as error:  # numpy's name no file
        error.filename = error.filename or str(folder)
        raise
    finally:
        for name in names:  # also of a process that was killed
            temporary(folder, name).unlink(missing_ok=True)
    return card
