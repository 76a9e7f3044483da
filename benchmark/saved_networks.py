"""Trained networks as files: what tells them apart, saving, and loading."""

import hashlib
import json
import warnings
import zipfile

import numpy as np

from benchmark.command_line import InputError, warn
from benchmark.networks import network_builders

LONGEST_REASON = 200  # characters of what Keras says, which may be all of a network


def definition_of(model):
    """Return what tells a compiled model from others with as many weights.

    A dict: the version of Keras and the SHA-256 of layers, connections, loss and optimiser as this
    version writes them. It is the same wherever `release_memory` was called right before the model
    was built, as Keras numbers its names from then on, and nothing was trained or loaded since.
    """
    import keras

    config = keras.saving.serialize_keras_object(model)
    text = json.dumps(config, sort_keys=True, default=lambda other: type(other).__name__)
    config = json.loads(text, object_hook=without_bytecode)
    text = json.dumps(config, sort_keys=True)
    return {"keras": keras.__version__, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def without_bytecode(config):
    """Return a part of a network's configuration without what depends on Python and folders."""
    if not is_lambda(config):
        return config
    return config | dict.fromkeys(config.keys() & {"config", "value"})


def is_lambda(config):
    """Tell whether a part of a configuration is a lambda, which Keras writes in two ways."""
    if config.get("class_name") == "__lambda__":
        return True
    value = config.get("value") if config.keys() == {"value"} else None
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


def unregistered(model):
    """Return the names of layers and functions that keep a saved model from being loaded."""
    import keras

    with warnings.catch_warnings(action="ignore"):
        found = dict.fromkeys(names_unregistered(keras.saving.serialize_keras_object(model)))
    return list(found)


def names_unregistered(config):
    """Yield names in a network's configuration that Keras would not know when it loads it."""
    if isinstance(config, (list, tuple)):
        config = dict(enumerate(config))
    if not isinstance(config, dict):
        return
    kind, name = config.get("class_name"), config.get("registered_name")
    if is_lambda(config):
        yield "a lambda"
    elif kind == "function" and name == "function":
        yield config["config"]
    elif name and ">" not in name and not (config.get("module") or "").startswith("keras"):
        yield kind
    for key, part in config.items():
        if key != "compile_config":  # which is not loaded
            yield from names_unregistered(part)


def warn_of_loading(model, name):
    """Say if the trained network could be used here, but not loaded from its file."""
    names = unregistered(model)
    if names:
        warn(
            f"{name} has {', '.join(names)} without @keras.saving.register_keras_serializable(), "
            f"so identify.py cannot load it once it is trained"
        )


def hash_of_weights(model):
    sha256 = hashlib.sha256()
    for weight in model.get_weights():
        sha256.update(np.ascontiguousarray(weight))
    return sha256.hexdigest()


def unfinished(path):
    """Return where a network is written before its file is whole; Keras wants its own ending."""
    return path.with_name(f".tmp.{path.name}")


def save_network(model, path):
    """Save a network; whoever looks at its file finds all of it."""
    try:
        model.save(unfinished(path))
        unfinished(path).replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        unfinished(path).unlink(missing_ok=True)  # if the disk is full, say


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


def load_network(path, sha256):
    """Load a saved network in Keras' safe mode, which runs no code that the file may hold.

    sha256: of the weights, as run.json records it. Returns a Keras model that is not compiled.
    Raises InputError.
    """
    import keras

    network_builders()  # whose files may hold layers of their own
    if not path.exists():
        raise InputError(
            f"{path} is missing, accepted: runs with the weights that training leaves there"
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras parses the file as it is: damaged, it raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason.rpartition("Exception encountered: ")[2][:LONGEST_REASON]
        raise InputError(
            f"{path} cannot be loaded in Keras' safe mode ({reason}); own layers and functions "
            f"need @keras.saving.register_keras_serializable() in model_implementations, and a "
            f"get_config() that holds the arguments of __init__"
        ) from error
    if hash_of_weights(model) != sha256:
        raise InputError(
            f"{path} does not hold the weights that run.json records (SHA-256 differs)"
        )
    return model
