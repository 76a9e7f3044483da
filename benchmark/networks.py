"""The networks by their names in model_implementations, built for a dataset."""

import ast
import hashlib
import inspect
import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.command_line import InputError, require, warn
from benchmark.machine import available_memory
from benchmark.tensorflow_startup import importing_tensorflow

PACKAGE = Path(__file__).parent.parent / "model_implementations"
SET_BY_TRAINING = "input_size", "classes", "lr"
TENSORFLOW = 700 * 10**6  # bytes of a process that trains nothing yet


class Network(NamedTuple):
    """A network with its arguments, as MODELS names it."""

    name: str  # canonical, such as cnn2:hidden_activation=relu
    builder: Callable  # of input_size, classes, lr and the arguments
    arguments: dict


def network_names():
    """Return the names that model_implementations/__init__.py imports, without importing Keras."""
    tree = ast.parse((PACKAGE / "__init__.py").read_bytes())
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return [alias.asname or alias.name for node in imports for alias in node.names]


def check_names(models):
    names = network_names()
    for text in models:
        require(text.partition(":")[0] in names, "MODELS", text, ", ".join(names))


def network_builders():
    """Return the functions imported in model_implementations/__init__.py by name."""
    with importing_tensorflow():
        import model_implementations

    return dict(inspect.getmembers(model_implementations, inspect.isfunction))


def canonical_names(models):
    """Return the names of networks as results have them; Keras is imported only if needed."""
    if not any(":" in text for text in models):
        return list(models)
    builders = network_builders()
    return [read_network(text, builders).name for text in models]


def read_network(text, builders):
    """Read NAME or NAME:ARGUMENT=VALUE:ARGUMENT=VALUE; builders: name -> function.

    A value has the type of the builder's default, a tuple is written 2000,500. Returns a Network,
    whose name has the arguments in the builder's order and without those that are its defaults, so
    that the same network always has the same name. Raises InputError.
    """
    name, *parts = text.split(":")
    require(name in builders, "MODELS", text, ", ".join(builders))
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(builders[name]).parameters.values()
        if parameter.name not in SET_BY_TRAINING
    }
    given = {}
    for part in parts:
        argument, equals, value = part.partition("=")
        accepted = ", ".join(f"{name}:{known}=..." for known in defaults) or f"{name} alone"
        require(equals and argument in defaults, "MODELS", text, accepted)
        require(argument not in given, "MODELS", text, f"{argument} once")
        given[argument] = read_value(text, argument, value, defaults[argument])
    arguments = {
        argument: given[argument]
        for argument, default in defaults.items()
        if argument in given and given[argument] != default
    }
    written = (f"{argument}={written_value(value)}" for argument, value in arguments.items())
    return Network(":".join([name, *written]), builders[name], arguments)


def read_value(text, argument, value, default):
    """Return a value of the type of the argument's default. Raises InputError."""
    if isinstance(default, bool):
        require(value in ("True", "False"), "MODELS", text, f"{argument}=True or False")
        return value == "True"
    if argument.endswith("activation"):
        return read_activation(text, argument, value)
    if not isinstance(default, (tuple, int, float, str)):
        raise InputError(
            f"MODELS is {text}, accepted: arguments with a number, a text or a tuple as their "
            f"default; that of {argument} is set in the network's own file"
        )
    try:
        if isinstance(default, tuple):
            kind = type(default[0]) if default else int
            return tuple(kind(number) for number in value.split(",") if number)
        if isinstance(default, (int, float)):
            number = float(value)
            if not math.isfinite(number) or (number < 0 <= default):
                raise ValueError
            return int(number) if number == int(number) else number
        if not value.isprintable() or value.startswith(".") or "/" in value:
            raise ValueError  # it becomes part of the run folder's name
        return value
    except ValueError:
        accepted = f"{argument}= with a value like {written_value(default)}"
        raise InputError(f"MODELS is {text}, accepted: {accepted}") from None


def read_activation(text, argument, value):
    from keras import activations

    try:
        activations.get(value)
    except ValueError:
        accepted = f"{argument}= one of Keras' activations, such as relu or linear"
        raise InputError(f"MODELS is {text}, accepted: {accepted}") from None
    return value


def written_value(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def build(network, dataset, learning_rate):
    """Build a Network for a Dataset; returns a compiled Keras model.

    Raises InputError if it cannot be built, or not be saved once it is trained.
    """
    import keras

    try:
        model = network.builder(
            input_size=dataset.datapoints,
            classes=dataset.classes,
            lr=float(learning_rate),
            **network.arguments,
        )
    except ValueError as error:
        raise InputError(
            f"{network.name} cannot be built for {dataset.datapoints} datapoints, "
            f"{dataset.classes} classes and learning rate {learning_rate:g}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    try:
        keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:  # better now than after the training
        reason = str(error).splitlines()[0]
        raise InputError(f"{network.name} cannot be saved: {reason}") from error
    return model


def memory_needed(model, batch_size):
    """Return about how many bytes the training of a model takes.

    Weights are there nine times, with gradients, two moments of Adam, the best ones so far and what
    is on its way between numpy and TensorFlow; what layers return is held once, for the way back.
    Fitted to the eight networks of 500 classes and 5000 datapoints in batches of 128, whose
    processes took 0.8 to 1.15 times as much.
    """
    returned = sum(map(numbers_returned, model.layers))
    return TENSORFLOW + 4 * (9 * model.count_params() + batch_size * returned)


def numbers_returned(layer):
    """Return how many numbers a layer returns for a spectrum; 0 if it does not say."""
    import keras

    outputs = keras.tree.flatten(getattr(layer, "output", ()))
    return sum(math.prod(output.shape[1:]) for output in outputs)


def warn_of_memory(model, name, batch_size):
    """Say if the training is likely to need more memory than there is, before it runs out."""
    needed, free = memory_needed(model, batch_size), available_memory()
    if free is not None and needed > free:
        warn(
            f"{name} needs about {needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} are "
            f"free; fewer WORKERS or a smaller BATCH_SIZE need less"
        )


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


def load_network(path, sha256):
    """Load a saved network in Keras' safe mode, which runs no code that the file may hold.

    sha256: of the weights, as run.json records it. Returns a Keras model that is not compiled.
    Raises InputError.
    """
    import keras

    if not path.exists():
        raise InputError(
            f"{path} is missing, accepted: runs with the weights that training leaves there"
        )
    try:
        with warnings.catch_warnings(action="ignore"):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras parses the file as it is: damaged, it raises anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} cannot be loaded in Keras' safe mode ({reason})") from error
    if hash_of_weights(model) != sha256:
        raise InputError(
            f"{path} does not hold the weights that run.json records (SHA-256 differs)"
        )
    return model
