"""The networks by their names in model_implementations, built for a dataset."""

import ast
import hashlib
import inspect
import json
import math
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.baseline_folder import KNOWN as METHODS
from benchmark.command_line import InputError, require, warn
from benchmark.machine import available_memory
from benchmark.tensorflow_startup import importing_tensorflow

PACKAGE = Path(__file__).parent.parent / "model_implementations"
SET_BY_TRAINING = "input_size", "classes", "lr"
WITHOUT_NAMES = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
PROBABILITIES = 0.02  # by which their sum may differ from 1, as they are rounded in bfloat16
# Exceptions that say that a builder is wrong, not the machine it runs on
MISTAKES = ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError
MISTAKES += RuntimeError, TypeError, ValueError
TENSORFLOW = 700 * 10**6  # bytes of a process that trains nothing yet
LONGEST_REASON = 200  # characters of what Keras says, which may be all of a network


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
    that the same network always has the same name. Raises InputError.
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

    with precision_kept(network.name):
        try:
            model = network.builder(
                input_size=dataset.datapoints,
                classes=dataset.classes,
                lr=float(learning_rate),
                **network.arguments,
            )
        except MISTAKES as error:
            raise InputError(
                f"{network.name} cannot be built for {dataset.datapoints} datapoints, "
                f"{dataset.classes} classes and learning rate {learning_rate:g}: "
                f"{type(error).__name__}: {error}{place_of(error)}"
            ) from error
    for fault, accepted in faults_of(model, dataset, learning_rate):
        raise InputError(f"{network.name} {fault}, accepted: {accepted}")
    try:
        keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:  # better now than after the training
        raise InputError(f"{network.name} cannot be saved: {error}") from error
    return model


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


def faults_of(model, dataset, learning_rate):
    """Yield what keeps a model from being trained under the protocol, and what is accepted."""
    import keras

    if not isinstance(model, keras.Model):
        yield f"is of type {type(model).__name__}", "a compiled Keras model"
    if not model.built:
        yield "is not built", "a model that begins with an Input"
    if not model.compiled:
        yield "is not compiled", "a compiled Keras model"
    if model.steps_per_execution != 1:
        yield f"takes {model.steps_per_execution} steps at once", "steps_per_execution=1"
    if not hasattr(model, "output_shape"):
        yield (
            "is not made of connected layers",
            "keras.Model(inputs, outputs) or Sequential, with layers of your own where needed",
        )
    yield from faults_of_shapes(model, dataset)
    yield from faults_of_precision(model)
    yield from faults_of_loss(model)
    optimizer = model.optimizer
    if isinstance(optimizer.get_config().get("learning_rate"), dict):
        yield "has a schedule of learning rates", "its argument lr, which the protocol reduces"
    rate = float(optimizer.learning_rate)
    if not math.isclose(rate, learning_rate, rel_tol=1e-6):
        yield f"trains with a learning rate of {rate:g}", f"{learning_rate:g}, its argument lr"
    spectra = np.random.default_rng(0).random((2, dataset.datapoints), np.float32)
    returned = model(spectra, training=False)
    if isinstance(returned, (dict, list, tuple)):
        yield f"returns a {type(returned).__name__}", "one array, as keras.Model(inputs, output)"
    returned = np.asarray(returned, np.float64)
    likely = (returned >= 0).all() and np.abs(returned.sum(axis=1) - 1).max() <= PROBABILITIES
    if not likely:
        row = ", ".join(f"{number:.3g}" for number in returned[0][:3])
        yield f"returns {row} and so on", "probabilities, as a softmax layer gives them"
    beside_another = model(np.stack([spectra[0], spectra[1] ** 9]), training=False)
    beside_another = np.asarray(beside_another, np.float64)
    if not np.allclose(beside_another[0], returned[0], rtol=1e-5, atol=1e-6, equal_nan=True):
        yield (
            "answers otherwise when asked again beside another spectrum of a batch",
            "the same answer",
        )


def faults_of_shapes(model, dataset):
    """Yield what is wrong with the arrays that a model takes and returns."""
    for what, tensors in ("takes", model.inputs), ("returns", model.outputs):
        if len(tensors) != 1:
            yield f"{what} {len(tensors)} arrays", "one"
    (taken,), (returned,) = model.inputs, model.outputs
    if taken.shape[0] is not None:
        yield f"takes batches of {taken.shape[0]} alone", "any, as Input takes without batch_size"
    size = dataset.datapoints
    accepted = ((points, *channel) for points in (size, None) for channel in ((), (1,)))
    if tuple(taken.shape[1:]) not in accepted:
        yield f"takes spectra of shape {tuple(taken.shape[1:])}", f"({size}, 1) or ({size},)"
    if tuple(returned.shape) != (None, dataset.classes):
        shape = tuple(returned.shape[1:])
        yield f"returns {shape} numbers", f"one for each of the {dataset.classes} classes"


def faults_of_precision(model):
    """Yield a layer that computes with other floating-point numbers than PRECISION asks for."""
    import keras

    wanted = keras.config.dtype_policy().compute_dtype
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from faults_of_precision(layer)
        own = layer.compute_dtype
        if "float" in own and own not in (wanted, "float32"):
            yield f"computes with {own} in its layer {layer.name}", f"{wanted}, as PRECISION says"


def faults_of_loss(model):
    """Yield what keeps a model's loss from comparing probabilities with one-hot labels."""
    loss = model.loss
    if loss is None:
        yield "is compiled without a loss", "categorical_crossentropy, say"
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if "sparse" in name.lower():
        yield f"is compiled with {name}", "a loss for one-hot labels, as categorical_crossentropy"
    settings = loss.get_config() if hasattr(loss, "get_config") else {}
    if settings.get("from_logits"):
        yield (
            f"is compiled with {name}(from_logits=True)",
            "a loss for probabilities, as a softmax layer gives them",
        )


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
    return (
        config | dict.fromkeys(config.keys() & {"config", "value"}) if is_lambda(config) else config
    )


def is_lambda(config):
    """Tell whether a part of a configuration is a lambda, which Keras writes in two ways."""
    if config.get("class_name") == "__lambda__":
        return True
    value = config.get("value") if config.keys() == {"value"} else None
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


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
