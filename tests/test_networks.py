"""The eight networks against Table 1 of the paper and the publications they come from."""

import hashlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import PROJECT

import model_implementations
from benchmark import networks
from benchmark.command_line import InputError
from benchmark.networks import (
    SET_BY_TRAINING,
    TENSORFLOW,
    Network,
    build,
    check_names,
    memory_needed,
    network_builders,
    network_names,
    read_network,
)
from benchmark.saved_networks import definition_of, unregistered
from benchmark.tensorflow_startup import release_memory

pytestmark = pytest.mark.usefixtures("tensorflow")

# name: (datapoints x channels after the last block, neurons of the hidden layers, dropout rates)
TABLE_1 = {
    "cnn2": ((139, 64), [2000, 500], [0.3] * 3),
    "cnn3": ((139, 64), [2500, 1000], [0.3] * 3),
    "cnn6": ((78, 64), [3100, 1200], [0.7] * 3),
    "vgg": ((312, 64), [120, 84, 186], [0.2] * 4),
    "cnn_bn": ((625, 64), [2048], [0.5] * 2),
    "resnet": ((79, 100), [], [0.5]),
    "inc3": ((139, 147), [2500, 1000], [0.3] * 3),
    "inc6": ((139, 332), [4000, 400], [0.3] * 3),
}

CNN3_TRUNK = [(64, 20, 1), "max 3/3", (64, 15, 1), "max 2/3", (64, 10, 2), "max 1/2"]


def inception(a, b, c, d, e, f):
    return [(a, 1, 1), (b, 1, 1), (c, 3, 1), (d, 1, 1), (e, 5, 1), (f, 1, 1)]


INC3_BLOCKS = (
    inception(22, 32, 42, 6, 12, 10)
    + inception(28, 43, 56, 7, 14, 14)
    + inception(37, 56, 73, 9, 18, 19)
)
INC6_BLOCKS = (
    inception(49, 74, 96, 12, 24, 25)
    + inception(65, 97, 126, 16, 32, 32)
    + inception(85, 128, 166, 19, 38, 43)
)

# Convolutions as (filters, kernel, stride) and max poolings as "max size/stride".
BLOCKS = {
    "cnn2": [(64, 50, 2), "max 3/2", (64, 25, 3), "max 2/3"],
    "cnn3": CNN3_TRUNK,
    "cnn6": [
        *[(64, 35, 1), "max 3/2", (64, 30, 1), "max 3/2", (64, 25, 1), "max 2/2"],
        *[(64, 20, 1), "max 1/2", (64, 15, 1), "max 1/2", (64, 10, 1), "max 1/2"],
    ],
    "vgg": [
        *[(6, 5, 1), "max 2/2", (16, 5, 1), (16, 5, 1), "max 2/2"],
        *[(32, 5, 1), (32, 5, 1), "max 2/2", (64, 5, 1), (64, 5, 1), "max 2/2"],
    ],
    "cnn_bn": [(16, 21, 1), "max 2/2", (32, 11, 1), "max 2/2", (64, 5, 1), "max 2/2"],
    # Per stage: first block with its 1-wide shortcut, second block.
    "resnet": [(64, 5, 1)] + [(100, 1, 2), (100, 5, 2), (100, 5, 1), (100, 5, 1), (100, 5, 1)] * 6,
    "inc3": CNN3_TRUNK + INC3_BLOCKS,
    "inc6": CNN3_TRUNK + INC3_BLOCKS + INC6_BLOCKS,
}


POLICY = """import keras
keras.config.set_dtype_policy("mixed_bfloat16")
def f(input_size, classes, lr):
    pass
"""


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """Write files, name -> text, that take the place of model_implementations."""

    def write(files):
        package = tmp_path / "model_implementations"
        package.mkdir()
        for name, text in files.items():
            (package / name).write_text(text)
        monkeypatch.setattr(networks, "PACKAGE", package)
        monkeypatch.syspath_prepend(tmp_path)
        for name in [name for name in sys.modules if name.startswith("model_implementations")]:
            monkeypatch.delitem(sys.modules, name)

    return write


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("name", TABLE_1)
def test_network_is_the_one_of_table_1_at_full_size(name):
    conv_output, neurons, dropout = TABLE_1[name]
    model = getattr(model_implementations, name)()
    assert model.input_shape == (None, 5000, 1)
    assert model.output_shape == (None, 500)
    (flatten,) = layers_of(model, keras.layers.Flatten)
    assert flatten.input.shape[1:] == conv_output
    *hidden, output = layers_of(model, keras.layers.Dense)
    assert [layer.units for layer in hidden] == neurons
    expected = keras.activations.relu if name == "cnn6" else keras.activations.linear
    assert all(layer.activation is expected for layer in hidden)
    assert output.activation is keras.activations.softmax
    assert [layer.rate for layer in layers_of(model, keras.layers.Dropout)] == dropout
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D):
            found.append((layer.filters, *layer.kernel_size, *layer.strides))
            assert layer.padding == "same"
            assert layer.use_bias
        elif isinstance(layer, keras.layers.MaxPooling1D):
            found.append(f"max {layer.pool_size[0]}/{layer.strides[0]}")
            assert layer.padding == "valid"
    # Keras lists parallel branches in an order of its own.
    if name in ("resnet", "inc3", "inc6"):
        assert sorted(map(str, found)) == sorted(map(str, BLOCKS[name]))
    else:
        assert found == BLOCKS[name]
    keras.backend.clear_session()


def test_activations_and_normalisation_follow_the_publications():
    def names(model):
        return [type(layer).__name__ for layer in model.layers]

    cnn_bn = model_implementations.cnn_bn(200, classes=3)
    block = ["Conv1D", "BatchNormalization", "LeakyReLU", "MaxPooling1D"]
    assert names(cnn_bn)[1:13] == block * 3
    assert all(np.isclose(a.negative_slope, 0.1) for a in layers_of(cnn_bn, keras.layers.LeakyReLU))
    resnet = model_implementations.resnet(200, classes=3)
    for model in cnn_bn, resnet:
        for layer in layers_of(model, keras.layers.BatchNormalization):
            assert layer.momentum == 0.99
    assert names(resnet).count("BatchNormalization") == 1 + 5 * 6
    assert names(resnet).count("ReLU") == 4 * 6
    assert names(resnet).count("Add") == 2 * 6
    for linear in (cnn_bn, resnet):
        for layer in layers_of(linear, keras.layers.Conv1D):
            assert layer.activation is keras.activations.linear
    for relu in (model_implementations.cnn6, model_implementations.inc6, model_implementations.vgg):
        for layer in layers_of(relu(200, classes=3), keras.layers.Conv1D):
            assert layer.activation is keras.activations.relu
    pooling = layers_of(model_implementations.inc3(200, classes=3), keras.layers.AveragePooling1D)
    assert [(p.pool_size, p.strides, p.padding) for p in pooling] == [((3,), (1,), "same")] * 3


@pytest.mark.parametrize("name", TABLE_1)
def test_network_is_compiled_for_the_protocol(name):
    model = getattr(model_implementations, name)(input_size=200, classes=3)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(3e-4)
    assert (model.optimizer.beta_1, model.optimizer.beta_2) == (0.9, 0.999)
    assert model.loss == "categorical_crossentropy"


def test_builders_keep_the_calling_convention():
    for name in TABLE_1:
        builder = getattr(model_implementations, name)
        expected = ["input_size", "dropout", "dense_neurons", "classes", "lr"]
        assert list(inspect.signature(builder).parameters)[:5] == expected
    model = model_implementations.inc3(
        input_size=200, dropout=0, dense_neurons=[37, 7], classes=4, lr=1e-3
    )
    assert [layer.units for layer in layers_of(model, keras.layers.Dense)] == [37, 7, 4]
    assert layers_of(model, keras.layers.Dropout) == []
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.parametrize("name", TABLE_1)
def test_network_trains_in_a_script_that_calls_it_as_the_authors_package(name):
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    x = 0.1 * rng.random((48, 96))
    x[np.arange(48), 20 + 25 * y] = 1  # 2-D spectra whose only peak tells the class
    model = getattr(model_implementations, name)(input_size=96, classes=3, lr=1e-3)
    labels = keras.utils.to_categorical(y, 3)
    history = model.fit(x, labels, batch_size=16, epochs=10, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history["accuracy"][-1] > 0.6
    assert model.predict(x[..., None], verbose=0).shape == (48, 3)
    keras.backend.clear_session()


def way_to(model, tensor, origin):
    """Return the layers from `origin` to a tensor, as text; it must be reached without forks."""
    way = []
    while tensor is not origin:
        (layer,) = (layer for layer in model.layers if layer.output is tensor)
        size = getattr(layer, "kernel_size", getattr(layer, "pool_size", ("",)))[0]
        stride = layer.strides[0] if isinstance(layer, keras.layers.Conv1D) else ""
        way.insert(0, f"{type(layer).__name__}{size}{stride and f'/{stride}'}")
        tensor = layer.input
    return way


def test_branches_of_inception_blocks_stand_side_by_side():
    model = model_implementations.inc6(200, classes=3)
    blocks = layers_of(model, keras.layers.Concatenate)
    origins = [layers_of(model, keras.layers.MaxPooling1D)[-1], *blocks[:-1]]
    filters = (22, 42, 12, 10), (28, 56, 14, 14), (37, 73, 18, 19)
    filters += (49, 96, 24, 25), (65, 126, 32, 32), (85, 166, 38, 43)
    for block, origin, widths in zip(blocks, origins, filters, strict=True):
        assert tuple(branch.shape[-1] for branch in block.input) == widths
        assert [way_to(model, branch, origin.output) for branch in block.input] == [
            ["Conv1D1/1"],
            ["Conv1D1/1", "Conv1D3/1"],
            ["Conv1D1/1", "Conv1D5/1"],
            ["AveragePooling1D3", "Conv1D1/1"],
        ]


def test_shortcuts_of_residual_blocks_begin_where_the_blocks_do():
    model = model_implementations.resnet(200, classes=3)
    origin = layers_of(model, keras.layers.BatchNormalization)[0].output
    for number, added in enumerate(layers_of(model, keras.layers.Add)):
        stride = 2 if number % 2 == 0 else 1
        normalised = ["BatchNormalization"]
        block = [f"Conv1D5/{stride}", *normalised, "ReLU", "Conv1D5/1", *normalised]
        shortcut = ["Conv1D1/2", *normalised] if stride == 2 else []
        assert [way_to(model, branch, origin) for branch in added.input] == [block, shortcut]
        (relu,) = (
            layer for layer in layers_of(model, keras.layers.ReLU) if layer.input is added.output
        )
        origin = relu.output


def test_trunk_of_the_inception_networks_is_cnn3():
    cnn3, inc3 = (getattr(model_implementations, name)(200, classes=3) for name in ("cnn3", "inc3"))
    names = [type(layer).__name__ for layer in cnn3.layers]
    trunk = slice(0, names.index("Flatten"))
    for ours, theirs in zip(inc3.layers[trunk], cnn3.layers[trunk], strict=True):
        assert type(ours) is type(theirs)
        for field in "kernel_size", "filters", "strides", "pool_size":
            assert getattr(ours, field, None) == getattr(theirs, field, None)


def test_the_network_of_the_readme_trains_under_the_protocol(
    dataset, tmp_path, monkeypatch, capsys
):
    readme = (PROJECT / "model_implementations" / "README.md").read_text()
    own, line = re.findall(r"```python\n(.*?)```", readme.partition("of your own")[2], re.DOTALL)
    for name in "benchmark", "model_implementations", "train_models.py":
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, tmp_path / name)
    (tmp_path / "model_implementations" / "mine.py").write_text(own)
    with open(tmp_path / "model_implementations" / "__init__.py", "a") as file:
        file.write(line)
    flags = "--models", "shallow", "--seeds", "0", "--epochs", "2", "--dataset", dataset
    command = [sys.executable, "train_models.py", *map(str, flags), "--results", "results"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    run = json.loads((tmp_path / "results/shallow-seed0/run.json").read_text())
    assert (run["model"], run["epochs"]) == ("shallow", 2)
    _, use = re.findall(r"```python\n(.*?)```", readme.partition("of your own\n")[0], re.DOTALL)
    for name, here in ("quick/vgg-seed0", "shallow-seed0"), ("datasets/quick", str(dataset)):
        assert name in use
        use = use.replace(name, here)
    monkeypatch.chdir(tmp_path)
    exec(use, {})
    assert capsys.readouterr().out.splitlines()[-1] == "True"


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize("name", TABLE_1)
def test_every_network_takes_an_activation_of_its_hidden_layers(name):
    builder = getattr(model_implementations, name)
    for activation in "linear", "relu":
        model = builder(200, classes=3, dense_neurons=(8, 6), hidden_activation=activation)
        *hidden, output = layers_of(model, keras.layers.Dense)
        assert [layer.activation.__name__ for layer in hidden] == [activation] * 2
        assert output.activation.__name__ == "softmax"
    default = inspect.signature(builder).parameters["hidden_activation"].default
    assert default == ("relu" if name == "cnn6" else "linear")


@pytest.mark.parametrize("name", TABLE_1)
def test_batch_normalisation_stands_between_every_convolution_and_its_activation(name):
    builder = getattr(model_implementations, name)
    plain = builder(200, classes=3, batch_norm=False)
    assert "BatchNormalization" not in kinds(plain)
    normalised = builder(200, classes=3, batch_norm=True, batch_norm_momentum=0.9)
    assert kinds(plain).count("Conv1D") == kinds(normalised).count("BatchNormalization")
    for layer in layers_of(normalised, keras.layers.BatchNormalization):
        assert layer.momentum == 0.9
        assert isinstance(layer.input._keras_history.operation, keras.layers.Conv1D)
        assert layer.input._keras_history.operation.activation is keras.activations.linear
    published = builder(200, classes=3)
    assert ("BatchNormalization" in kinds(published)) == (name in ("cnn_bn", "resnet"))

    def activations(model):
        convolutional = layers_of(model, keras.layers.Conv1D)
        relu = sum(layer.activation is keras.activations.relu for layer in convolutional)
        return relu + kinds(model).count("Activation")

    assert activations(plain) == activations(normalised)


def test_changes_of_the_second_paper_are_arguments():
    vgg = model_implementations.vgg(
        300, 0.3, (2000, 500), 3, hidden_activation="relu", kernel=20, pooling_dropout=0
    )
    assert [layer.kernel_size for layer in layers_of(vgg, keras.layers.Conv1D)] == [(20,)] * 7
    assert [layer.rate for layer in layers_of(vgg, keras.layers.Dropout)] == [0.3] * 3
    cnn6 = model_implementations.cnn6(300, dropout=0, classes=3, pooling_dropout=0.2)
    assert [layer.rate for layer in layers_of(cnn6, keras.layers.Dropout)] == [0.2] * 6
    resnet = model_implementations.resnet(
        300, classes=3, batch_norm=False, first_activation="relu", dense_neurons=(3100, 1200)
    )
    assert layers_of(resnet, keras.layers.Conv1D)[0].activation is keras.activations.relu


BUILDERS = {name: getattr(model_implementations, name) for name in TABLE_1}


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("cnn2", "cnn2", {}),
        ("cnn2:hidden_activation=linear", "cnn2", {}),
        ("cnn6:dropout=0.50", "cnn6:dropout=0.5", {"dropout": 0.5}),
        ("cnn6:dropout=0", "cnn6:dropout=0", {"dropout": 0}),
        (
            "inc3:hidden_activation=relu:dense_neurons=3700,740",
            "inc3:dense_neurons=3700,740:hidden_activation=relu",
            {"dense_neurons": (3700, 740), "hidden_activation": "relu"},
        ),
        (
            "cnn_bn:batch_norm_momentum=0.9:batch_norm=False",
            "cnn_bn:batch_norm=False:batch_norm_momentum=0.9",
            {"batch_norm": False, "batch_norm_momentum": 0.9},
        ),
        ("resnet:dense_neurons=7", "resnet:dense_neurons=7", {"dense_neurons": (7,)}),
    ],
)
def test_a_network_with_arguments_has_one_name(text, name, arguments):
    network = read_network(text, BUILDERS)
    assert network.name == name
    assert network.arguments == arguments
    assert read_network(network.name, BUILDERS) == network


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cnn2:drop=0.5", ["cnn2:drop=0.5", "cnn2:dropout=", "cnn2:batch_norm="]),
        ("cnn2:dropout", ["cnn2:dropout=..."]),
        ("cnn2:lr=0.1", ["cnn2:lr=0.1", "cnn2:dropout="]),
        ("cnn2:dropout=much", ["dropout= with a value like 0.3"]),
        ("cnn2:dropout=nan", ["dropout= with a value like 0.3"]),
        ("cnn2:dense_neurons=a,b", ["dense_neurons= with a value like 2000,500"]),
        ("cnn2:batch_norm=1", ["batch_norm=True or False"]),
        ("cnn2:hidden_activation=rolu", ["hidden_activation= one of Keras'", "relu"]),
        ("cnn2:dropout=0.1:dropout=0.2", ["dropout once"]),
        ("gone", ["accepted: cnn2, "]),
    ],
)
def test_unknown_arguments_and_values_have_their_sentence(text, words):
    with pytest.raises(InputError, match="MODELS is ") as error:
        read_network(text, BUILDERS)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("activation", "words"),
    [("threshold", "missing 2 required positional arguments"), ("glu", "expected axis -1")],
)
def test_activations_that_a_hidden_layer_cannot_have_end_in_one_sentence(activation, words):
    """Keras builds such networks, and fails with the arrays in its message when they are asked."""
    network = read_network(f"vgg:hidden_activation={activation}", BUILDERS)
    with pytest.raises(InputError, match=f"{network.name} cannot be built .*{words}") as error:
        build(network, SimpleNamespace(datapoints=40, classes=4), 3e-4)
    assert not re.search(r"\n|\x1b|array", str(error.value))


def test_the_readme_explains_every_argument_of_the_networks():
    readme = (PROJECT / "model_implementations/README.md").read_text()
    lines = readme.splitlines()
    explained = " ".join(line.split("|")[1] for line in lines if line.startswith("| `"))
    for builder in BUILDERS.values():
        for argument in inspect.signature(builder).parameters.keys() - set(SET_BY_TRAINING):
            assert f"`{argument}`" in explained


@pytest.mark.parametrize("name", TABLE_1)
@pytest.mark.parametrize("momentum", [1, 2])
def test_running_averages_that_follow_no_batch_are_refused(name, momentum):
    network = read_network(f"{name}:batch_norm_momentum={momentum}", BUILDERS)
    with pytest.raises(InputError, match=f"momentum is {momentum}, accepted: from 0 to below 1"):
        build(network, SimpleNamespace(datapoints=40, classes=4), 3e-4)


@pytest.mark.parametrize("argument", ["cnn2:dropout=1", "vgg:pooling_dropout=1", "cnn6:dropout=2"])
def test_a_dropout_that_lets_nothing_pass_is_refused(argument):
    network = read_network(argument, BUILDERS)
    with pytest.raises(InputError, match=r"dropout is [12], accepted: from 0 to below 1"):
        build(network, SimpleNamespace(datapoints=200, classes=4), 3e-4)


def test_a_file_cannot_change_the_precision_of_other_networks(own_package):
    own_package({"__init__.py": "from .a import f", "a.py": POLICY})
    before = keras.config.dtype_policy().name
    with pytest.raises(InputError, match=r"a file in .* changes Keras' precision for all networks"):
        network_builders()
    assert keras.config.dtype_policy().name == before


def test_a_network_that_is_no_function_is_named(monkeypatch):
    monkeypatch.setattr(networks, "network_names", lambda: [*TABLE_1, "mine"])
    with pytest.raises(InputError, match="mine of model_implementations is no function"):
        read_network("mine:kernel=3", BUILDERS)


def own(
    input_size,
    classes,
    lr,
    tag="a",
    rates=(0.1, 0.2),
    offset=-1,
    head=None,
    kinds=["a"],  # noqa: B006
    flags=(True, False),
    parts=("a", "b"),
    blocks=((16, 21), (32, 11)),
    mixed=(1, 0.5),
    *others,
    **more,
):
    pass


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("tag=b", ("tag", "b")),
        ("rates=0.3,0.4", ("rates", (0.3, 0.4))),
        ("offset=-2", ("offset", -2)),
        ("tag=a/b", None),
        ("tag=../b", None),
        ("tag=b\nc", None),
        ("head=3", None),
        ("kinds=b", None),
        ("flags=False,False", ("flags", (False, False))),
        ("flags=0,1", None),
        ("parts=c,d", ("parts", ("c", "d"))),
        ("parts=a/b,c", None),
        ("parts=../b", None),
        ("blocks=16,21", None),
        ("mixed=2,0.25", ("mixed", (2, 0.25))),
        ("rates=nan,0.1", None),
        ("more=1", None),
    ],
)
def test_arguments_of_own_networks_are_read_by_their_defaults(text, argument):
    if argument is None:
        with pytest.raises(InputError, match="MODELS is own:"):
            read_network(f"own:{text}", {"own": own})
    else:
        assert read_network(f"own:{text}", {"own": own}).arguments == dict([argument])


def simple(outputs=4, activation="softmax", built=True, compiled=True, learning_rate=None, **more):
    """Return a builder of a network of one layer."""

    def builder(input_size, classes, lr):
        begin = [keras.Input((input_size, 1))] if built else []
        layers = [keras.layers.Flatten(), keras.layers.Dense(outputs, activation)]
        model = keras.Sequential([*begin, *layers])
        if compiled:
            rate = lr if learning_rate is None else learning_rate
            model.compile(keras.optimizers.SGD(rate), "categorical_crossentropy", **more)
        return model

    return builder


def of_shapes(taken=(20, 1), inputs=1, outputs=1, dtype=None, wrap=lambda array: array):
    """Return a builder of a network of one layer, with arrays as they are given."""

    def builder(input_size, classes, lr):
        spectra = [keras.Input(taken) for _ in range(inputs)]
        flat = keras.layers.Flatten()(spectra[0])
        dense = [keras.layers.Dense(classes, "softmax", dtype=dtype) for _ in range(outputs)]
        model = keras.Model(
            spectra if inputs > 1 else spectra[0], wrap([layer(flat) for layer in dense])
        )
        model.compile(keras.optimizers.SGD(lr), "categorical_crossentropy")
        return model

    return builder


def with_loss(loss):
    def builder(input_size, classes, lr):
        model = simple(compiled=False)(input_size, classes, lr)
        model.compile(keras.optimizers.SGD(lr), loss)
        return model

    return builder


class Subclassed(keras.Model):
    """A network whose layers are connected only when it is called."""

    def __init__(self, classes):
        super().__init__()
        self.dense = keras.layers.Dense(classes, "softmax")

    def call(self, x):
        return self.dense(x)


def subclassed(input_size, classes, lr):
    model = Subclassed(classes)
    model(np.zeros((1, input_size), np.float32))
    model.compile(keras.optimizers.SGD(lr), "categorical_crossentropy")
    return model


def failing(input_size, classes, lr):
    return {}[input_size]


SCHEDULE = keras.optimizers.schedules.ExponentialDecay(3e-4, 10, 0.9)


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (lambda input_size, classes, lr: None, "is of type NoneType, accepted: a compiled Keras"),
        (lambda classes: None, "cannot be built for 20 datapoints, 4 classes"),
        (simple(built=False), "is not built, accepted: a model that begins with an Input"),
        (simple(compiled=False), "is not compiled"),
        (simple(steps_per_execution=2), "takes 2 steps at once"),
        (simple(outputs=1), r"returns \(1,\) numbers, accepted: one for each of the 4 classes"),
        (simple(activation=None), "and so on, accepted: probabilities, as a softmax"),
        (simple(activation="sigmoid"), "and so on, accepted: probabilities, as a softmax"),
        (simple(learning_rate=0.05), "a learning rate of 0.05, accepted: 0.0003, its argument lr"),
        (simple(learning_rate=SCHEDULE), "has a schedule of learning rates"),
        (failing, "cannot be built for 20 datapoints, 4 classes and .*: KeyError: 20"),
        (subclassed, r"is not made of connected layers, accepted: keras.Model\(inputs, outputs\)"),
        (of_shapes(taken=(20, 3)), r"takes spectra of shape \(20, 3\), accepted: \(20, 1\) or"),
        (of_shapes(taken=(5000, 1)), r"takes spectra of shape \(5000, 1\), accepted: \(20, 1\)"),
        (of_shapes(inputs=2), "takes 2 arrays, accepted: one"),
        (of_shapes(outputs=2), "returns 2 arrays, accepted: one"),
        (of_shapes(wrap=lambda arrays: {"p": arrays[0]}), "returns a dict, accepted: one array"),
        (
            of_shapes(dtype="float16"),
            "computes with float16 in its layer dense.*: float32, as PREC",
        ),
        (with_loss(None), "is compiled without a loss"),
        (with_loss("sparse_categorical_crossentropy"), "is compiled with sparse_.* for one-hot"),
        (
            with_loss(keras.losses.CategoricalCrossentropy(from_logits=True)),
            r"is compiled with CategoricalCrossentropy\(from_logits=True\), accepted: a loss",
        ),
    ],
)
def test_networks_that_the_protocol_cannot_train_are_refused_at_once(builder, words):
    dataset = SimpleNamespace(datapoints=20, classes=4)
    assert build(Network("mine", simple(), {}), dataset, 3e-4).count_params() == 84
    with pytest.raises(InputError, match=f"mine .*{words}"):
        build(Network("mine", builder, {}), dataset, 3e-4)


def mixing(input_size, classes, lr):
    """A network that tells classes by their neighbours in the batch."""
    spectrum = keras.Input((input_size, 1))
    x = keras.layers.Lambda(lambda x: x - 0.9 * x[::-1])(keras.layers.Flatten()(spectrum))
    model = keras.Model(spectrum, keras.layers.Dense(classes, "softmax")(x))
    model.compile(keras.optimizers.Adam(lr), "categorical_crossentropy")
    return model


def test_answers_must_not_depend_on_the_rest_of_the_batch():
    dataset = SimpleNamespace(datapoints=20, classes=4)
    with pytest.raises(InputError, match="answers otherwise when asked again beside another"):
        build(Network("mine", mixing, {}), dataset, 3e-4)


def shifting(input_size, classes, lr):
    """A network that shifts the spectra it is trained with, by a layer that does so by default."""
    spectrum = keras.Input((input_size, 1))
    x = keras.layers.Reshape((input_size, 1, 1))(spectrum)
    x = keras.layers.Flatten()(keras.layers.RandomTranslation(0.3, 0)(x))
    model = keras.Model(spectrum, keras.layers.Dense(classes, "softmax")(x))
    model.compile(keras.optimizers.Adam(lr), "categorical_crossentropy")
    return model


def test_layers_that_change_spectra_in_training_alone_are_accepted():
    build(Network("mine", shifting, {}), SimpleNamespace(datapoints=20, classes=4), 3e-4)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_builder_cannot_change_the_precision_of_other_networks(policy):
    def builder(input_size, classes, lr):
        keras.config.set_dtype_policy(policy)
        return simple()(input_size, classes, lr)

    before = keras.config.dtype_policy().name
    with pytest.raises(InputError, match="mine changes Keras' precision for all networks"):
        build(Network("mine", builder, {}), SimpleNamespace(datapoints=20, classes=4), 3e-4)
    assert keras.config.dtype_policy().name == before


class Unregistered(keras.layers.ReLU):
    pass


@keras.saving.register_keras_serializable("tests")
class Registered(keras.layers.ReLU):
    pass


def bend(x):
    return x**2


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (Registered, []),
        (Unregistered, ["Unregistered"]),
        (lambda: keras.layers.Dense(3, "relu"), []),
        (lambda: keras.layers.Activation(bend), ["bend"]),
        (lambda: keras.layers.Activation(lambda x: x), ["a lambda"]),
        (lambda: keras.layers.Lambda(lambda x: x), ["a lambda"]),
        (lambda: keras.layers.TimeDistributed(Unregistered()), ["Unregistered"]),
        (lambda: keras.Sequential([keras.Input((20, 1)), Unregistered()]), ["Unregistered"]),
    ],
)
def test_what_keeps_a_network_from_being_loaded_is_known_before_it_is_trained(layer, names):
    spectrum = keras.Input((20, 1))
    model = keras.Model(spectrum, layer()(spectrum))
    model.compile("adam", bend)  # a loss is not loaded
    assert unregistered(model) == names


def nested(input_size, classes, lr):
    inner = keras.Sequential([keras.Input((input_size,)), keras.layers.Dense(3, "relu")])
    spectrum = keras.Input((input_size, 1))
    x = keras.layers.Activation("relu")(inner(keras.layers.Flatten()(spectrum)))
    model = keras.Model(spectrum, keras.layers.Dense(classes, "softmax")(x))
    model.compile(keras.optimizers.Adam(lr), "categorical_crossentropy")
    return model


def squaring(power):
    """A network with a lambda, of which Keras stores the bytecode and the file's name."""

    def builder(input_size, classes, lr):
        x = spectrum = keras.Input((input_size, 1))
        source = f"lambda x: x**{power}"
        square = eval(compile(source, f"file{power}", "eval"))
        x = keras.layers.Flatten()(keras.layers.Lambda(square)(x))
        model = keras.Model(spectrum, keras.layers.Dense(classes, "softmax")(x))
        model.compile(keras.optimizers.Adam(lr), "categorical_crossentropy")
        return model

    return builder


def test_definitions_of_networks_of_ones_own_do_not_depend_on_what_was_built_before():
    dataset = SimpleNamespace(datapoints=20, classes=4)
    builders = nested, simple(), squaring(2), squaring(3)
    found = []
    for _ in range(2):
        for builder in builders:
            release_memory()
            found.append(definition_of(build(Network("mine", builder, {}), dataset, 3e-4)))
    assert found[:4] == found[4:]
    assert found[2] == found[3]  # what a lambda does is not looked at
    assert len({definition["sha256"] for definition in found}) == 3


def test_a_definition_is_that_of_the_network_whatever_was_built_before():
    dataset, builders = SimpleNamespace(datapoints=500, classes=4), network_builders()

    def definition(text, rate=3e-4):
        release_memory()
        return definition_of(build(read_network(text, builders), dataset, rate))["sha256"]

    names = network_names()
    known = {name: definition(name) for name in names}
    assert len(set(known.values())) == len(names)
    known["vgg:batch_norm=True"] = definition("vgg:batch_norm=True")
    for name in "vgg:batch_norm=True", "vgg", "cnn_bn":
        assert definition(name) == known[name]
    assert definition("cnn2:dropout=0.4") != known["cnn2"]
    assert definition("cnn2:hidden_activation=sigmoid") != known["cnn2"]
    assert definition("vgg:kernel=7") != known["vgg"]
    assert definition("cnn2", rate=1e-4) != known["cnn2"]
    assert definition("cnn2:batch_norm_momentum=0.9") == known["cnn2"]  # which has no such layer


def test_a_network_for_spectra_of_any_length_can_be_estimated():
    spectrum = keras.Input((None, 1))
    x = keras.layers.Conv1D(2, 3)(spectrum)
    model = keras.Model(spectrum, keras.layers.GlobalAveragePooling1D()(x))
    assert memory_needed(model, 8) > TENSORFLOW


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"__init__.py": "from .my-net import shallow"}, "__init__.py, line 1: "),
        ({"__init__.py": "from .a import f\nfrom .b import f"}, "imports f twice"),
        ({"__init__.py": "from .a import cosine"}, "cosine, the name of a method of baselines.py"),
        ({"__init__.py": "\nfrom .a import *"}, r"__init__.py, line 2 imports \*, accepted: names"),
        ({"__init__.py": "from .a import f", "a.py": "\nx = y"}, "a.py, line 2: NameError"),
        ({"__init__.py": "from .a import g", "a.py": "f = 1"}, "__init__.py, line 1: ImportError"),
    ],
)
def test_faults_in_files_of_ones_own_networks_are_named(own_package, files, words):
    own_package(files)
    with pytest.raises(InputError, match=words):
        check_names(networks.network_names())
        network_builders()


def test_memory_is_estimated_for_layers_that_return_several_arrays():
    x = keras.Input((20,))
    state = keras.layers.GRU(4, return_state=True)(keras.layers.Reshape((20, 1))(x))[1]
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax")(state))
    returned = 20 + 20 + 2 * 4 + 3
    assert memory_needed(model, 8) == TENSORFLOW + 4 * (9 * model.count_params() + 8 * returned)


def test_a_network_with_arguments_goes_from_training_to_table(run, dataset, tmp_path):
    models = "vgg", "vgg:hidden_activation=relu:dense_neurons=20"
    flags = "--dataset", dataset, "--results", tmp_path, "--models", *models, "--seeds", 0
    process = run("train_models.py", *flags, "--epochs", 2)
    assert process.returncode == 0, process.stderr
    folder = tmp_path / "vgg+dense_neurons=20+hidden_activation=relu-seed0"
    name = "vgg:dense_neurons=20:hidden_activation=relu"
    assert json.loads((folder / "run.json").read_text())["model"] == name
    model = keras.models.load_model(folder / "model.keras")
    hidden, _ = layers_of(model, keras.layers.Dense)
    assert (hidden.units, hidden.activation.__name__) == (20, "relu")
    assert "2 finished" in run("train_models.py", *flags, "--epochs", 2, "--status").stdout
    process = run("evaluate.py", "--results", tmp_path, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert f"\n{name} " in process.stdout


INITIAL_WEIGHTS = {  # how their SHA-256 begins: seed 0, 200 datapoints, 4 classes
    "cnn2": "4896bc32cd83da0b",
    "cnn3": "fba40e1243820efb",
    "cnn6": "0262f0bbaa2deb36",
    "vgg": "b4aa0bbf32b71924",
    "cnn_bn": "08e2c100b2a86f16",
    "resnet": "2c385c2118348e55",
    "inc3": "0b4469b107daa09a",
    "inc6": "7909766de1fbd8af",
}


@pytest.mark.parametrize("name", INITIAL_WEIGHTS)
def test_a_seed_gives_the_initial_weights_that_the_shipped_runs_began_with(name):
    """They change with the order in which layers are made, each of which draws its own seed."""
    keras.utils.set_random_seed(0)
    model = BUILDERS[name](input_size=200, classes=4)
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(weights.tobytes())
    assert digest.hexdigest().startswith(INITIAL_WEIGHTS[name])
