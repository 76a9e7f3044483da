"""What keeps a network from being trained under the protocol: told before the training."""

import math

import numpy as np

PROBABILITIES = 0.02  # by which their sum may differ from 1, as they are rounded in bfloat16


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
