"""The networks by their names in model_implementations, built for a dataset."""

import ast
import inspect
import math
import re
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmark.baseline_folder import KNOWN as METHODS
from benchmark.command_line import InputError, require, warn
from benchmark.machine import available_memory
from benchmark.network_faults import faults_of
from benchmark.tensorflow_startup import importing_tensorflow

PACKAGE = Path(__file__).parent.parent / "model_implementations"
SET_BY_TRAINING = "input_size", "classes", "lr"
WITHOUT_NAMES = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
# Exceptions that say that a builder is wrong, not the machine it runs on
MISTAKES = ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError
MISTAKES += RuntimeError, TypeError, ValueError
TENSORFLOW = 700 * 10**6  # bytes of a process that trains nothing yet


class Network(NamedTuple):
    """A network with its arguments, as MODELS names it."""

    name: str  # canonical, such as cnn2:hidden_activation=relu
    builder: Callable  # of input_size, classes, lr and the arguments
    arguments: dict


def network_names():
    """Return the names that model_implementations/__init__.py imports, without importing Keras."""
    path = PACKAGE / "__init__.py"
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}") from None
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.names[0].name == "*":
            raise InputError(
                f"{path}, line {node.lineno} imports *, accepted: names, as from .mine import "
                f"shallow"
            )
    return [alias.asname or alias.name for node in imports for alias in node.names]


def check_names(models):
    names = network_names()
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{PACKAGE / '__init__.py'} imports {name} twice, accepted: each name once, as "
                f"from .mine import {name} as my_{name}"
            )
        if name in METHODS:  # of which tables would take it for one
            raise InputError(
                f"{PACKAGE / '__init__.py'} imports {name}, the name of a method of baselines.py, "
                f"accepted: another one, as from .mine import {name} as my_{name}"
            )
    for text in models:
        require(text.partition(":")[0] in names, "MODELS", text, ", ".join(names))


def network_builders():
    """Return the functions imported in model_implementations/__init__.py by name.

    Raises InputError if a file there cannot be imported.
    """
    try:
        with importing_tensorflow(), precision_kept(f"a file in {PACKAGE}"):
            import model_implementations
    except InputError:
        raise
    except Exception as error:  # of a file of the user's own, anything
        own = own_frames(error)
        if not own:  # Keras or TensorFlow is at fault
            raise
        raise InputError(
            f"{own[-1].filename}, line {own[-1].lineno}: {type(error).__name__}: {error}"
        ) from error

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
    that the same arguments always give the same name. Raises InputError.
    """
    name, *parts = text.split(":")
    if name not in builders and name in network_names():
        raise InputError(
            f"{name} of model_implementations is no function, accepted: one that returns a "
            f"compiled Keras model, made with def"
        )
    require(name in builders, "MODELS", text, ", ".join(builders))
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(builders[name]).parameters.values()
        if parameter.name not in SET_BY_TRAINING and parameter.kind not in WITHOUT_NAMES
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
    first = default[0] if isinstance(default, tuple) and default else default
    if first != () and not isinstance(first, (int, float, str)):
        raise InputError(
            f"MODELS is {text}, accepted: arguments with a number, a text or a tuple as their "
            f"default; that of {argument} is set in the network's own file"
        )
    try:
        if isinstance(default, tuple):
            texts = [text for text in value.split(",") if text]
            if isinstance(first, (bool, str)):
                return tuple(read_value(text, argument, item, first) for item in texts)
            kind = float if any(isinstance(item, float) for item in default) else int
            numbers = tuple(map(kind, texts))
            if not all(map(math.isfinite, numbers)):
                raise ValueError
            return numbers
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

    Raises InputError if it cannot be built, does not do what the protocol asks of a network, or
    cannot be saved once it is trained.
    """
    import keras

    told = partial(mistakes_told, network.name, dataset, learning_rate)
    with precision_kept(network.name), told():
        model = network.builder(
            input_size=dataset.datapoints,
            classes=dataset.classes,
            lr=float(learning_rate),
            **network.arguments,
        )
    with told():  # some mistakes show only when it is asked about a spectrum
        fault = next(faults_of(model, dataset, learning_rate), None)
    if fault:
        what, accepted = fault
        raise InputError(f"{network.name} {what}, accepted: {accepted}")
    try:
        keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:  # better now than after the training
        raise InputError(f"{network.name} cannot be saved: {error}") from error
    return model


@contextmanager
def mistakes_told(name, dataset, learning_rate):
    """Raise InputError if the block, which builds or asks a network, says that it is wrong."""
    try:
        yield
    except MISTAKES as error:
        raise InputError(
            f"{name} cannot be built for {dataset.datapoints} datapoints, {dataset.classes} "
            f"classes and learning rate {learning_rate:g}: {reason_of(error)}{place_of(error)}"
        ) from error


def reason_of(error):
    """Return type and message of an error, without colours and arrays, which Keras adds."""
    message = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received by")[0]
    return f"{type(error).__name__}: {' '.join(message.split())}"


@contextmanager
def precision_kept(who):
    """Raise InputError if the block changes Keras' precision, which all networks would have."""
    import keras

    policy, floats = keras.config.dtype_policy(), keras.config.floatx()
    try:
        yield
        changed = keras.config.dtype_policy() != policy or keras.config.floatx() != floats
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floats)
    if changed:
        raise InputError(
            f"{who} changes Keras' precision for all networks, accepted: the PRECISION of training"
        )


def place_of(error):
    """Return the last line in model_implementations that led to an error, "" if none did."""
    frames = own_frames(error)
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def own_frames(error):
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if Path(frame.filename).parent == PACKAGE]


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
    return sum(math.prod(size or 1 for size in output.shape[1:]) for output in outputs)


def warn_of_memory(model, name, batch_size):
    """Say if the training is likely to need more memory than there is, before it runs out."""
    needed, free = memory_needed(model, batch_size), available_memory()
    if free is not None and needed > free:
        warn(
            f"{name} needs about {needed / 1e9:.1f} GB of memory, of which {free / 1e9:.1f} are "
            f"free; fewer WORKERS or a smaller BATCH_SIZE need less"
        )
