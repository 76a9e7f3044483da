"""The true classes of a split: those that runs were judged by, and whether they seem right."""

import hashlib
import io
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmark.command_line import InputError, warn
from benchmark.data_card import array_names
from benchmark.dataset_folder import dataset_path
from benchmark.files import open_array


def read_true_classes(dataset, split, spectra, rendered=None, folder=None):
    """Return the true classes of a split, int64 (spectra,), those that the runs were judged by.

    dataset: DatasetRecord; rendered: the classes as rendering orders them, which need no file, and
    neither do equally many spectra of each class in their order. Those of other arrays are read
    from the dataset folder, and so are all if `folder` is given. Raises InputError if the runs were
    judged by others.
    """
    _, name = array_names(split)
    recorded = dataset.sha256.get(name)
    ordered = rendered
    if rendered is None and spectra % dataset.classes == 0:
        ordered = np.repeat(np.arange(dataset.classes), spectra // dataset.classes)
    if folder is None and ordered is not None and sha256_of_npy(ordered) == recorded:
        return ordered
    path = Path(folder or dataset_path(dataset.name), name)
    try:
        content = path.read_bytes()
    # A damaged run.json may hold a name that no file can have.
    except (FileNotFoundError, ValueError):
        raise InputError(
            f"{path} does not exist, but the labels of {split} are needed; DATASET names its folder"
        ) from None
    if hashlib.sha256(content).hexdigest() != recorded:
        raise InputError(f"{path} is not the file that the runs were judged by (SHA-256 differs)")
    return np.array(open_array(path), np.int64)


def sha256_of_npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return hashlib.sha256(content.getvalue()).hexdigest()


def warn_of_other_labels(predictions, labels, classes):
    """Warn of a split whose labels seem to number the classes otherwise than those of training.

    That is likely if most spectra of the best run are wrong, and other names for the predicted
    classes would make most of these right. predictions: split -> integers (runs, spectra); labels:
    split -> the true classes, int64 (spectra,); classes: their number.
    """
    for split, y in labels.items():
        misclassified = np.count_nonzero(predictions[split] != y, axis=1)
        best = predictions[split][misclassified.argmin()]
        wrong = misclassified.min()
        # With few spectra of a class, chance finds numbers that fit scattered answers.
        if wrong <= len(y) / 2 or len(y) < 3 * len(np.unique(y)):
            continue
        confused = np.zeros((classes, classes), np.int64)
        np.add.at(confused, (y, best), 1)
        left = len(y) - confused[linear_sum_assignment(confused, maximize=True)].sum()
        if left < wrong / 2:
            warn(
                f"of {len(y)} spectra of {split} the best run misclassifies {wrong}, but only "
                f"{left} if classes had other numbers: y_{split}.npy seems not to number them as "
                f"y_train.npy does"
            )
