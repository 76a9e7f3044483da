"""The networks by their names in model_implementations, built for a dataset."""

import ast
import hashlib
import inspect
import warnings
import zipfile
from pathlib import Path

import numpy as np

from benchmark.command_line import InputError, require

PACKAGE = Path(__file__).parent.parent / "model_implementations"


def network_names():
    """Return the names that model_implementations/__init__.py imports, without importing Keras."""
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return [alias.asname or alias.name for node in imports for alias in node.names]


def check_names(models):
    names = network_names()
    for name in models:
        require(name in names, "MODELS", name, ", ".join(names))


def network_builders():
    """Return the functions imported in model_implementations/__init__.py by name."""
    import model_implementations

    return dict(inspect.getmembers(model_implementations, inspect.isfunction))


def build(name, builder, dataset, learning_rate):
    """Build a network for a Dataset; returns a compiled Keras model.

    name: that of the network in model_implementations, which need not be that of the builder.
    Raises InputError if it cannot be built, or not be saved once it is trained.
    """
    import keras

    try:
        model = builder(
            input_size=dataset.datapoints, classes=dataset.classes, lr=float(learning_rate)
        )
    except ValueError as error:
        raise InputError(
            f"{name} cannot be built for {dataset.datapoints} datapoints, {dataset.classes} "
            f"classes and learning rate {learning_rate:g}: {str(error).splitlines()[0]}"
        ) from error
    try:
        keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:  # better now than after the training
        raise InputError(f"{name} cannot be saved: {str(error).splitlines()[0]}") from error
    return model


def hash_of_weights(model):
    sha256 = hashlib.sha256()
    for weight in model.get_weights():
        sha256.update(np.ascontiguousarray(weight))
    return sha256.hexdigest()


def load_weights(model, path, sha256, splits):
    """Load the saved weights of a finished run, which must be those that run.json records."""
    if not path.exists():
        raise InputError(f"{path} is needed to judge {', '.join(splits)}, but it is missing")
    model.optimizer.build(model.trainable_variables)  # its state is in the file, too
    try:
        with warnings.catch_warnings(action="ignore"):  # of what the hash tells, too
            model.load_weights(path)
        if hash_of_weights(model) != sha256:
            raise ValueError("SHA-256 differs")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} does not hold the weights that run.json records "
            f"({' '.join(str(error).split())}); delete this run to train it again"
        ) from error
