import csv
import errno
import gc
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence, run_here, write_finished_run

import model_implementations
import train_models
from benchmark import training_time
from benchmark.checkpoint import Progress, Terminated
from benchmark.command_line import InputError, parse_flags
from benchmark.dataset_folder import hash_and_check, read_dataset, warn_of_own_splits
from benchmark.machine import available_cores
from benchmark.networks import Network, build, network_builders
from benchmark.run_folder import (
    Count,
    Identity,
    Protocol,
    read_run,
    record_of,
    run_name,
    write_run,
)
from benchmark.run_identity import changed_splits, matrix_of
from benchmark.tensorflow_startup import gpu_required, release_memory
from benchmark.training_time import duration
from model_implementations.basic_blocks import classifier
from train_models import complete_run

pytestmark = pytest.mark.usefixtures("tensorflow")

PROTOCOL = Protocol(
    batch_size=128,
    epochs=500,
    learning_rate=3e-4,
    lr_factor=0.5,
    lr_patience=10,
    stop_patience=25,
    min_delta=1e-4,
)
ENVIRONMENT = {"device": "test"}
SHORT = PROTOCOL._replace(batch_size=8, epochs=3, learning_rate=1e-2)


def linear(input_size, classes, lr):
    """The smallest network: softmax of a linear map."""
    spectrum = keras.Input((input_size, 1))
    return classifier(spectrum, spectrum, 0, (), classes, lr)


def hidden(input_size, classes, lr):
    spectrum = keras.Input((input_size, 1))
    return classifier(spectrum, spectrum, 0.5, (7,), classes, lr)


def squared(input_size, classes, lr):
    """A network with a layer that Keras does not restore from its file without being told to."""
    spectrum = keras.Input((input_size, 1))
    return classifier(spectrum, keras.layers.Lambda(lambda x: x**2)(spectrum), 0, (), classes, lr)


def train(folder, results, builder=linear, seed=0, protocol=SHORT, checkpoint_minutes=10):
    dataset = read_dataset(folder)
    record = record_of(dataset, hash_and_check(dataset))
    identity = Identity(builder.__name__, seed, protocol, record)
    run_folder = results / run_name(builder.__name__, seed)
    network = Network(builder.__name__, builder, {})
    run = complete_run(
        folder=run_folder,
        identity=identity,
        build_model=partial(build, network, dataset, protocol.learning_rate),
        dataset=dataset,
        environment=ENVIRONMENT,
        checkpoint_minutes=checkpoint_minutes,
    )
    return run, run_folder


def renamed(builder, name):
    def same(input_size, classes, lr):
        return builder(input_size, classes, lr)

    same.__name__ = name
    return same


def saved_weights(folder):
    return keras.models.load_model(folder / "model.keras").get_weights()


def test_constants_are_the_papers_protocol():
    settings = vars(parse_flags(train_models, []))
    assert Protocol(**{name: settings[name] for name in Protocol._fields}) == PROTOCOL
    assert settings["seeds"] == (0, 1, 2, 3, 4)
    networks = ["cnn2", "cnn3", "cnn6", "vgg", "cnn_bn", "resnet", "inc3", "inc6"]
    assert sorted(settings["models"]) == sorted(networks)
    # Beside these files there may be one's own.
    shipped = "basic_blocks", "ho", "lee", "liu", "szymanski", "wang"
    available = network_builders().items()
    found = [name for name, f in available if f.__module__.rpartition(".")[2] in shipped]
    assert sorted(found) == sorted(networks)


def test_training_is_what_keras_fit_does_bit_for_bit(dataset, tmp_path):
    protocol = SHORT._replace(learning_rate=0.3, epochs=40, lr_patience=2, stop_patience=6)
    run, folder = train(dataset, tmp_path, hidden, protocol=protocol)
    assert 6 < run.epochs < 40  # the learning rate fell, and training stopped early
    x, y = read_dataset(dataset).splits["train"]
    x_val, y_val = (np.array(array) for array in read_dataset(dataset).splits["val"])
    orders = [train_models.order_of_spectra(0, epoch, len(x), passes=1) for epoch in range(40)]

    def in_order():
        for rows in orders:
            for first in range(0, len(x), 8):
                batch = rows[first : first + 8]
                yield x[batch], keras.utils.to_categorical(y[batch], 4)

    keras.utils.set_random_seed(0)
    model = hidden(120, 4, 0.3)
    history = model.fit(
        in_order(),
        steps_per_epoch=len(x) // 8,
        epochs=40,
        validation_data=(x_val, keras.utils.to_categorical(y_val, 4)),
        validation_batch_size=8,
        shuffle=False,
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_delta=1e-4),
            keras.callbacks.EarlyStopping(patience=6, min_delta=1e-4, restore_best_weights=True),
        ],
        verbose=0,
    )
    with open(folder / "history.csv") as file:
        ours = list(csv.DictReader(file))
    for name, values in history.history.items():
        assert [float(row[name]) for row in ours] == values, name
    for a, b in zip(model.get_weights(), saved_weights(folder), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rate_halves_after_10_and_training_stops_after_25_epochs_without_improvement(
    dataset, tmp_path, monkeypatch
):
    seconds = []
    monkeypatch.setattr(
        train_models, "tell_epoch", lambda *_, seconds_left: seconds.append(seconds_left)
    )
    nothing_improves = PROTOCOL._replace(learning_rate=1e-12)
    run, folder = train(dataset, tmp_path, protocol=nothing_improves)
    assert (run.epochs, run.best_epoch) == (26, 1)
    assert [left > 0 for left in seconds] == [True] * 25 + [False]  # until it may stop
    with open(folder / "history.csv") as file:
        history = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in history] == list(range(1, 27))
    rates = [float(row["learning_rate"]) for row in history]
    expected = [1e-12] * 11 + [0.5e-12] * 10 + [0.25e-12] * 5
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_callbacks_follow_every_constant_of_the_protocol(tmp_path):
    protocol = PROTOCOL._replace(lr_factor=0.3, lr_patience=4, stop_patience=9, min_delta=0.02)
    plateau, stopping, _ = train_models.callbacks_of(protocol, tmp_path)
    assert (plateau.factor, plateau.patience, plateau.min_delta) == (0.3, 4, 0.02)
    assert (plateau.cooldown, plateau.min_lr) == (0, 0)
    assert (stopping.patience, stopping.min_delta, stopping.restore_best_weights) == (9, 0.02, True)
    assert plateau.monitor == stopping.monitor == "val_loss"


def test_the_validation_loss_is_the_mean_over_all_validation_spectra(own_arrays, tmp_path):
    run, folder = train(own_arrays, tmp_path)  # ten of them, in batches of eight and two
    with open(folder / "history.csv") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    x, y = (np.array(array) for array in read_dataset(own_arrays).splits["val"])
    probabilities = keras.models.load_model(folder / "model.keras").predict(x, verbose=0)
    expected = -np.log(probabilities[np.arange(10), y]).mean()
    assert losses[run.best_epoch - 1] == pytest.approx(expected, rel=1e-5)


def test_best_weights_are_restored_and_saved(dataset, tmp_path):
    too_fast = SHORT._replace(learning_rate=3.0, epochs=12, stop_patience=6)
    run, folder = train(dataset, tmp_path, protocol=too_fast)
    with open(folder / "history.csv") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] > min(losses)  # otherwise the last weights would be the best
    assert run.best_epoch == 1 + losses.index(min(losses))
    model = keras.models.load_model(folder / "model.keras")
    x, y = read_dataset(dataset).splits["val"]
    loss = model.evaluate(np.array(x), keras.utils.to_categorical(y, 4), verbose=0)[0]
    assert loss == pytest.approx(min(losses), rel=1e-4)
    predictions = np.load(folder / "val_predictions.npy")
    np.testing.assert_array_equal(predictions, model.predict(np.array(x), verbose=0).argmax(1))


def test_every_network_sees_the_same_spectra_in_the_same_order(own_arrays, tmp_path):
    x = np.load(own_arrays / "x_train.npy")

    def seen_by(builder, seed, passes=1):
        class Recorder(keras.Model):
            def train_step(self, data):
                batches.append(data[0].numpy())
                return super().train_step(data)

        batches = []
        keras.utils.set_random_seed(seed)
        built = builder(30, 3, 1e-3)
        model = Recorder(built.inputs, built.outputs)
        model.compile("adam", "categorical_crossentropy", run_eagerly=True)
        protocol = SHORT._replace(batch_size=7, passes=passes)  # last batches are smaller
        identity = Identity("recorder", seed, protocol, record_of(read_dataset(own_arrays), {}))
        train_models.fit(model, read_dataset(own_arrays), tmp_path, identity, ENVIRONMENT, 10)
        return np.concatenate(batches)

    one, two, other = seen_by(linear, 0), seen_by(hidden, 0), seen_by(linear, 1)
    assert len(one) == 3 * len(x)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    orders = [train_models.order_of_spectra(0, epoch, len(x), passes=1) for epoch in range(3)]
    np.testing.assert_array_equal(one, x.astype(np.float32)[np.concatenate(orders)])
    for order in orders:
        assert sorted(order) == list(range(len(x)))
    assert not np.array_equal(orders[0], orders[1])
    twice = [train_models.order_of_spectra(0, epoch, len(x), passes=2) for epoch in range(3)]
    seen = seen_by(linear, 0, passes=2)
    np.testing.assert_array_equal(seen, x.astype(np.float32)[np.concatenate(twice)])


def test_the_order_of_spectra_is_fixed_for_all_time():
    order = train_models.order_of_spectra(seed=3, epoch=1, spectra=8, passes=1)
    assert order.tolist() == [3, 7, 2, 0, 6, 5, 1, 4]


def test_run_folder_holds_what_the_manual_says(dataset, tmp_path):
    run, folder = train(dataset, tmp_path)
    names = ["history.csv", "model.keras", "run.json", "tensorboard"]
    for split in "val", "test", "test_wide":
        names += [f"{split}_predictions.npy", f"{split}_confidences.npy"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert read_run(folder) == run
    assert (run.model, run.seed, run.epochs) == ("linear", 0, 3)
    assert run.protocol == SHORT
    assert run.weights == 120 * 4 + 4
    card = json.loads((dataset / "dataset.json").read_text())
    assert run.dataset.sha256 == {n: e["sha256"] for n, e in card["files"].items()}
    assert run.dataset.class_file == card["class_file"]
    assert run.environments == [ENVIRONMENT]
    for split in "val", "test", "test_wide":
        predictions = np.load(folder / f"{split}_predictions.npy")
        y = np.load(dataset / f"y_{split}.npy")
        assert predictions.dtype == np.int64
        assert run.misclassified[split] == Count(int(sum(predictions != y)), len(y))
        confidences = np.load(folder / f"{split}_confidences.npy")
        x = read_dataset(dataset).splits[split][0]
        probabilities = keras.models.load_model(folder / "model.keras").predict(x, verbose=0)
        assert confidences.dtype == np.float32
        np.testing.assert_allclose(confidences, probabilities.max(axis=1), rtol=1e-5)


def test_a_finished_run_is_not_trained_again(dataset, tmp_path, monkeypatch):
    run, folder = train(dataset, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(train_models, "fit", None)
    assert train(dataset, tmp_path)[0] == run
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_of_a_finished_run_nothing_stays_that_earlier_commands_left(dataset, tmp_path):
    run = write_finished_run(tmp_path / "vgg-seed0", dataset)
    left = "failed.txt", ".tmp.model.keras", "checkpoint.npz", ".checkpoint.npz.0123abcd.tmp"
    for name in left:
        (run.folder / name).write_text("of an earlier command\n")
    completed = complete_run(
        folder=run.folder,
        identity=Identity(run.model, run.seed, run.protocol, run.dataset),
        build_model=None,
        dataset=read_dataset(dataset),
        environment=ENVIRONMENT,
        checkpoint_minutes=10,
    )
    assert completed == run
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


def add_test_split(dataset):
    for axis in "xy":
        np.save(dataset / f"{axis}_test_mine.npy", np.load(dataset / f"{axis}_val.npy"))


@pytest.mark.parametrize("builder", [linear, squared])
def test_a_new_test_split_is_judged_with_the_saved_weights(
    dataset, tmp_path, monkeypatch, builder, capsys
):
    _, folder = train(dataset, tmp_path, builder)
    add_test_split(dataset)
    monkeypatch.setattr(train_models, "fit", None)
    run, _ = train(dataset, tmp_path, builder)
    assert run.misclassified["test_mine"] == run.misclassified["val"]
    np.testing.assert_array_equal(
        np.load(folder / "test_mine_predictions.npy"), np.load(folder / "val_predictions.npy")
    )
    assert read_run(folder) == run
    for axis in "xy":
        (dataset / f"{axis}_test_mine.npy").unlink()
    capsys.readouterr()
    run, _ = train(dataset, tmp_path, builder)
    assert "test_mine is no longer in" in capsys.readouterr().err
    assert "test_mine" not in run.misclassified


def test_a_network_that_has_changed_judges_nothing_and_gets_no_further_seeds(dataset, tmp_path):
    run, folder = train(dataset, tmp_path, hidden)
    assert run.definition.keys() == {"keras", "sha256"}

    def changed(input_size, classes, lr):
        spectrum = keras.Input((input_size, 1))
        return classifier(spectrum, spectrum, 0.5, (7,), classes, lr, activation="sigmoid")

    changed.__name__ = "hidden"
    message = "was trained with another definition of hidden than model_implementations has now"
    with pytest.raises(InputError, match=message):
        train(dataset, tmp_path, changed, seed=1)
    assert not (tmp_path / run_name("hidden", 1) / "history.csv").exists()
    add_test_split(dataset)
    with pytest.raises(InputError, match=message):
        train(dataset, tmp_path, changed)
    assert read_run(folder) == run
    with pytest.raises(
        InputError, match=r"twin is the network of .*hidden-seed0, hidden, under ano"
    ):
        train(dataset, tmp_path, renamed(hidden, "twin"))
    # Another version of Keras may write the same network otherwise.
    write_run(run._replace(definition=run.definition | {"keras": "3.0.0"}))
    train(dataset, tmp_path, changed, seed=1)


@pytest.mark.parametrize("keras_version", [keras.__version__, "3.0.0"])
def test_a_finished_run_does_not_pass_for_one_of_the_changed_network(
    dataset, tmp_path, monkeypatch, capsys, keras_version
):
    flags = ["--dataset", dataset, "--results", tmp_path, "--models", "vgg", "--seeds", 0]
    settings = parse_flags(train_models, [*map(str, flags), "--epochs", "1", "--batch-size", "40"])
    assert train_models.main(settings) == 0
    run = read_run(tmp_path / "vgg-seed0")
    write_run(run._replace(definition=run.definition | {"keras": keras_version}))
    assert train_models.main(settings) == 0

    def vgg(input_size, classes, lr):
        return hidden(input_size, classes, lr)

    monkeypatch.setattr(model_implementations, "vgg", vgg)
    if keras_version == keras.__version__:
        with pytest.raises(InputError, match=r"vgg-seed0 was trained with another definition of v"):
            train_models.main(settings)
    else:  # which may write the same network otherwise
        assert train_models.main(settings) == 0
    assert not (tmp_path / "vgg-seed0" / "failed.txt").exists()


def test_a_metric_must_be_one_number(dataset, tmp_path):
    def graded(input_size, classes, lr):
        model = linear(input_size, classes, lr)
        metric = keras.metrics.F1Score(name="f1")  # of each class
        model.compile(keras.optimizers.Adam(lr), "categorical_crossentropy", metrics=[metric])
        return model

    with pytest.raises(InputError, match="the metric f1 returns 4 numbers, accepted: one"):
        train(dataset, tmp_path, graded)


def test_weights_that_the_run_did_not_leave_judge_nothing(dataset, tmp_path):
    _, folder = train(dataset, tmp_path)
    _, other_seed = train(dataset, tmp_path, seed=1)
    _, other_network = train(dataset, tmp_path, hidden)
    add_test_split(dataset)
    weights = folder / "model.keras"
    for content in (
        (other_seed / "model.keras").read_bytes(),
        (other_network / "model.keras").read_bytes(),
        weights.read_bytes()[:1000],
    ):
        weights.write_bytes(content)
        with pytest.raises(InputError, match=r"not hold the weights that run\.json records"):
            train(dataset, tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match="is needed to judge test_mine, but it is missing"):
        train(dataset, tmp_path)


def test_a_network_that_cannot_be_saved_is_refused_before_it_is_trained(
    dataset, tmp_path, monkeypatch
):
    class Scale(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, x):
            return self.function(x)

    def scaled(input_size, classes, lr):
        spectrum = keras.Input((input_size, 1))
        return classifier(spectrum, Scale(lambda x: 2 * x)(spectrum), 0, (), classes, lr)

    monkeypatch.setattr(train_models, "fit", None)
    with pytest.raises(InputError, match="scaled cannot be saved"):
        train(dataset, tmp_path, scaled)


def test_networks_have_the_names_they_are_trained_by(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(train_models, "start_tensorflow", lambda *_: ENVIRONMENT)
    monkeypatch.setattr(train_models, "check_names", lambda models: None)
    networks = {"one": linear, "two": hidden}  # as after `import linear as one`
    monkeypatch.setattr(train_models, "network_builders", lambda: networks)
    flags = f"--dataset {dataset} --results {tmp_path} --models one two --seeds 0 --epochs 1"
    assert train_models.main(parse_flags(train_models, flags.split())) == 0
    for name in networks:
        run = json.loads((tmp_path / f"{name}-seed0" / "run.json").read_text())
        assert run["model"] == name


def test_what_the_command_says_reaches_every_run(dataset, tmp_path, monkeypatch, capsys):
    started, runs = [], []

    def complete(**given):
        runs.append(given)
        wanted = given["identity"]
        return write_finished_run(given["folder"], dataset, model=wanted.model, seed=wanted.seed)

    monkeypatch.setattr(
        train_models, "start_tensorflow", lambda *given: started.append(given) or ENVIRONMENT
    )
    monkeypatch.setattr(train_models, "complete_run", complete)
    add_test_split(dataset)
    flags = f"--dataset {dataset} --results {tmp_path / 'r'} --models vgg cnn2 --seeds 4 "
    flags += "--checkpoint-minutes 3 --threads 2 --require-gpu "
    flags += "--precision bfloat16 --batch-size 12 --lr-patience 7 --passes 2"
    settings = parse_flags(train_models, flags.split())
    assert train_models.main(settings) == 0
    assert "spectra of test_mine are in val, too" in capsys.readouterr().err
    assert started == [(2, True, "bfloat16")]
    protocol = PROTOCOL._replace(batch_size=12, lr_patience=7, passes=2, precision="bfloat16")
    for given, model in zip(runs, ("vgg", "cnn2"), strict=True):
        identity = given["identity"]
        assert (identity.model, identity.seed, identity.protocol) == (model, 4, protocol)
        assert given["folder"] == tmp_path / "r" / f"{model}-seed4"
        assert (given["checkpoint_minutes"], given["environment"]) == (3, ENVIRONMENT)
    with pytest.raises(InputError, match="vgg-seed4 was trained with BATCH_SIZE 128, not 12"):
        train_models.main(settings)  # the protocol of what stands in for finished runs
    other = flags.replace("--seeds 4", "--seeds 5").split()
    with pytest.raises(InputError, match="-seed4 was trained with BATCH_SIZE 128, not 12"):
        train_models.main(parse_flags(train_models, other))
    assert len(runs) == 2


def test_a_signal_gives_its_status_and_says_that_the_command_goes_on(
    dataset, tmp_path, monkeypatch, capsys
):
    def complete(**given):
        raise Terminated(signal.SIGTERM)

    monkeypatch.setattr(train_models, "start_tensorflow", lambda *_: ENVIRONMENT)
    monkeypatch.setattr(train_models, "complete_run", complete)
    flags = f"--dataset {dataset} --results {tmp_path / 'r'} --models vgg cnn2 --seeds 0"
    assert train_models.main(parse_flags(train_models, flags.split())) == 128 + signal.SIGTERM
    told = capsys.readouterr().err
    assert told == "stopped after a checkpoint; the same command goes on from it\n"


def test_task_counts_from_0_and_status_numbers_runs_alike(dataset, tmp_path, capsys):
    flags = f"--dataset {dataset} --results {tmp_path / 'r'} --models vgg cnn2 --seeds 0 1 --status"
    for task, name in enumerate(("vgg-seed0", "cnn2-seed0", "vgg-seed1", "cnn2-seed1")):
        train_models.main(parse_flags(train_models, [*flags.split(), "--task", str(task)]))
        assert capsys.readouterr().out.splitlines()[0].split() == [str(task), name, "waiting"]
    for task in "-1", "4":
        with pytest.raises(InputError, match=f"TASK is {task}, accepted: 0 to 3"):
            train_models.main(parse_flags(train_models, [*flags.split(), "--task", task]))


@pytest.mark.parametrize("changed", ["x_test.npy", "y_test.npy"])
def test_a_split_is_judged_again_whichever_of_its_files_has_changed(changed):
    hashes = dict.fromkeys(("x_val.npy", "y_val.npy", "x_test.npy", "y_test.npy"), "as before")
    run = SimpleNamespace(dataset=SimpleNamespace(sha256=hashes))
    assert changed_splits(run, hashes | {changed: "new"}, ["val", "test"]) == ["test"]


def test_a_split_that_was_renamed_or_removed_is_no_longer_counted(dataset, tmp_path, monkeypatch):
    for axis in "xy":
        np.save(dataset / f"{axis}_test_old.npy", np.load(dataset / f"{axis}_val.npy"))
    train(dataset, tmp_path)
    monkeypatch.setattr(train_models, "fit", None)
    for axis in "xy":
        (dataset / f"{axis}_test_old.npy").rename(dataset / f"{axis}_test_new.npy")
    run, folder = train(dataset, tmp_path)
    assert list(run.misclassified) == ["val", "test", "test_new", "test_wide"]
    for axis in "xy":
        (dataset / f"{axis}_test_new.npy").unlink()
    run, _ = train(dataset, tmp_path)
    assert list(run.misclassified) == ["val", "test", "test_wide"]
    assert run.dataset.sha256.keys() == {path.name for path in dataset.glob("*.npy")}
    assert read_run(folder) == run


def test_a_folder_holds_the_network_and_seed_of_its_name(dataset, tmp_path):
    _, folder = train(dataset, tmp_path)
    folder.rename(tmp_path / "linear-seed1")
    with pytest.raises(InputError, match="seed 0, not 1"):
        train(dataset, tmp_path, seed=1)
    (tmp_path / "linear-seed1").rename(tmp_path / "hidden-seed0")
    with pytest.raises(InputError, match="model linear, not hidden"):
        train(dataset, tmp_path, hidden)


def test_a_run_of_another_protocol_or_dataset_is_refused(dataset, own_arrays, tmp_path):
    train(dataset, tmp_path)
    with pytest.raises(InputError, match=r"LR_PATIENCE 10, not 11"):
        train(dataset, tmp_path, protocol=SHORT._replace(lr_patience=11))
    with pytest.raises(InputError, match=r"another x_train\.npy"):
        train(own_arrays, tmp_path)


@pytest.mark.parametrize("name", ["x_val.npy", "y_val.npy"])
def test_a_run_chosen_by_other_validation_spectra_is_refused(own_arrays, tmp_path, name):
    train(own_arrays, tmp_path)
    np.save(own_arrays / name, np.load(own_arrays / name)[::-1])
    with pytest.raises(InputError, match=f"was trained on another {name}"):
        train(own_arrays, tmp_path)


def test_own_arrays_without_test_split_train(own_arrays, tmp_path):
    run, folder = train(own_arrays, tmp_path)
    assert list(run.misclassified) == ["val"]
    assert run.dataset.class_file is None
    assert not (folder / "test_predictions.npy").exists()


def test_runs_come_seed_by_seed_in_the_order_of_the_networks():
    matrix = matrix_of(models=("cnn2", "vgg"), seeds=(0, 1), results=Path("r"))
    found = [(model, seed) for _, model, seed in matrix]
    assert found == [("cnn2", 0), ("vgg", 0), ("cnn2", 1), ("vgg", 1)]


def test_each_seed_begins_with_weights_of_its_own(dataset, tmp_path):
    still = SHORT._replace(epochs=1, learning_rate=1e-12)
    first, other = (train(dataset, tmp_path, seed=seed, protocol=still)[1] for seed in (0, 1))
    assert np.abs(saved_weights(first)[0] - saved_weights(other)[0]).max() > 0.01


def test_a_repeated_run_gives_the_same_bits(dataset, tmp_path):
    _, one = train(dataset, tmp_path / "one", hidden)
    train(dataset, tmp_path / "two", linear)
    _, two = train(dataset, tmp_path / "two", hidden)
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    for a, b in zip(saved_weights(one), saved_weights(two), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_trained_network_is_not_kept_in_memory(dataset, tmp_path):
    from tensorflow.python.framework.func_graph import FuncGraph

    kept = []
    for seed in range(3):
        train(dataset, tmp_path, hidden, seed)
        release_memory()
        kept.append(sum(isinstance(thing, FuncGraph) for thing in gc.get_objects()))
    assert kept == kept[:1] * 3


def test_arrays_with_nan_or_changed_content_are_refused(own_arrays, dataset):
    x = np.load(own_arrays / "x_val.npy")
    x[4, 7] = np.nan
    np.save(own_arrays / "x_val.npy", x)
    with pytest.raises(InputError, match=r"x_val\.npy holds nan in spectrum 4"):
        hash_and_check(read_dataset(own_arrays))
    x = np.load(dataset / "x_val.npy")
    x[0] = x[1]
    np.save(dataset / "x_val.npy", x)
    with pytest.raises(InputError, match=r"x_val\.npy is not the file that dataset\.json records"):
        hash_and_check(read_dataset(dataset))


def test_spectra_that_are_not_normalised_are_warned_of(own_arrays, capsys):
    hash_and_check(read_dataset(own_arrays))
    assert capsys.readouterr().err == ""
    np.save(own_arrays / "x_train.npy", 5 * np.load(own_arrays / "x_train.npy"))
    hash_and_check(read_dataset(own_arrays))
    assert "maximum is not 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--models", "cnn7"], ["MODELS", "cnn7", "cnn6"]),
        (["--seeds", "-1"], ["SEEDS", "-1"]),
        (["--threads", str(10**10)], ["THREADS", str(10**10), "1 to"]),
        (["--results", __file__], ["RESULTS", __file__, "a folder"]),
        (["--batch-size", "0"], ["BATCH_SIZE", "0"]),
        (["--learning-rate", "nan"], ["LEARNING_RATE", "nan"]),
        (["--lr-factor", "1"], ["LR_FACTOR", "1.0"]),
        (["--min-delta", "-1"], ["MIN_DELTA", "-1"]),
        (["--dataset", "absent"], ["absent", "does not exist"]),
    ],
)
def test_wrong_settings_end_in_one_sentence(run, dataset, tmp_path, flags, words):
    process = run("train_models.py", "--dataset", dataset, "--results", tmp_path / "r", *flags)
    assert_one_sentence(process, 2, *words)
    assert not (tmp_path / "r").exists()


def test_spectra_too_short_for_a_network_end_in_one_sentence(run, tmp_path):
    for split, elsewhere in ("train", 0), ("val", 0.5):
        np.save(tmp_path / f"x_{split}.npy", np.maximum(np.eye(6), elsewhere))
        np.save(tmp_path / f"y_{split}.npy", np.arange(6))
    flags = ["--dataset", tmp_path, "--results", tmp_path / "r", "--models", "cnn2", "--seeds", 0]
    process = run("train_models.py", *flags)
    assert_one_sentence(process, 2, "cnn2", "6 datapoints")


def test_training_and_evaluation_from_the_command_line(run, dataset, tmp_path):
    flags = ["--models", "vgg", "--seeds", 0, 1, "--epochs", 2]
    process = run("train_models.py", "--dataset", dataset, *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout.count("2 epochs") == 2
    other = ["--models", "vgg", "--seeds", 2, "--epochs", 3]
    process = run("train_models.py", "--dataset", dataset, *other, cwd=tmp_path)
    assert_one_sentence(process, 2, "vgg-seed0 was trained with EPOCHS 2, not 3", "RESULTS")
    assert not (tmp_path / "results/small/vgg-seed2").exists()
    process = run("evaluate.py", "--results", "results/small", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert_one_sentence(process, 0, "small.json", "CONFIG", "not explained")
    table = (tmp_path / "results/small/table.md").read_text()
    assert process.stdout.startswith("Misclassified spectra of small\n")
    assert "| vgg |  | 2 |" in table
    assert (tmp_path / "results/small/figures/learning_curves.png").exists()


def test_the_estimate_counts_what_is_left_to_train_and_trains_nothing(dataset, tmp_path, capsys):
    protocol = PROTOCOL._replace(batch_size=12, passes=2, epochs=40)
    finished = write_finished_run(tmp_path / "r/vgg-seed1", dataset, seed=1, protocol=protocol)
    flags = ["--dataset", dataset, "--results", tmp_path / "r", "--models", "vgg", "cnn2"]
    flags += ["--seeds", 0, 1, 2, "--batch-size", 12, "--passes", 2, "--epochs", 40, "--estimate"]
    assert train_models.main(parse_flags(train_models, list(map(str, flags)))) is None
    first, *networks, total = capsys.readouterr().out.splitlines()
    assert first == (
        "5 of 6 runs are to be trained: 24 spectra of 120 datapoints, 4 steps an epoch, at most 40 "
        "epochs"
    )
    assert [line.partition(":")[0] for line in networks] == ["vgg", "cnn2"]
    assert [line.rpartition(" ")[2] for line in networks] == ["2", "3"]
    assert re.fullmatch(
        r"in all about [^,]* if a run takes 30 epochs, [^,]* 40 epochs \(WORKERS 1\)", total
    )
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["vgg-seed1"]
    shared = [*flags, "--workers", 8, "--threads", available_cores()]
    train_models.main(parse_flags(train_models, list(map(str, shared))))
    assert "(WORKERS 5)" in capsys.readouterr().out  # no more than there are runs left
    few = [*flags, "--results", tmp_path / "few", "--epochs", 20]
    train_models.main(parse_flags(train_models, list(map(str, few))))
    assert re.search(r"in all about [^,]* if a run takes 20 epochs \(", capsys.readouterr().out)
    write_run(finished._replace(protocol=protocol._replace(lr_patience=5)))
    with pytest.raises(InputError, match="LR_PATIENCE 5, not 10"):  # as training would end
        train_models.main(parse_flags(train_models, list(map(str, flags))))
    flags[-1] = "--status"
    assert train_models.main(parse_flags(train_models, list(map(str, flags)))) is None
    refused, summary = capsys.readouterr().out.splitlines()[2::4]
    assert "vgg-seed1" in refused
    assert "LR_PATIENCE 5, not 10" in refused
    assert summary == "5 waiting, 1 refused"
    sha256 = finished.dataset.sha256
    other = sha256 | {"x_train.npy": sha256["x_train.npy"][::-1]}
    write_run(finished._replace(dataset=finished.dataset._replace(sha256=other)))
    assert train_models.main(parse_flags(train_models, list(map(str, flags)))) is None
    assert "was trained on another x_train.npy" in capsys.readouterr().out.splitlines()[2]
    with pytest.raises(InputError, match="STATUS and ESTIMATE are given, accepted: one of them"):
        train_models.main(parse_flags(train_models, [*map(str, flags), "--estimate"]))


def test_weights_that_cannot_be_saved_leave_nothing_half_written(dataset, tmp_path, monkeypatch):
    def full(model, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(dataset, tmp_path)
    assert not list(tmp_path.rglob("*.keras"))


def test_a_network_larger_than_memory_is_told_in_one_sentence(dataset, tmp_path):
    flags = ["--dataset", dataset, "--results", tmp_path / "results", "--estimate"]
    flags += ["--models", "cnn2:dense_neurons=1000000000000"]
    process = run_here(["python", "train_models.py", *map(str, flags)])
    assert_one_sentence(process, 1, "train_models.py: error: out of memory", "1000000000000]")
    assert "{{" not in process.stderr


def test_the_estimate_is_of_all_steps_and_of_validation_as_a_third_of_one(monkeypatch, capsys):
    monkeypatch.setattr(training_time, "seconds_of_step", lambda *_: 3.0)
    splits = {"train": (np.zeros((25, 9)), None), "val": (np.zeros((10, 9)), None)}
    runs = [(Path("none") / str(seed), "vgg") for seed in range(2)]
    training_time.estimate(
        [SimpleNamespace(name="vgg")],
        SimpleNamespace(splits=splits, datapoints=9),
        PROTOCOL._replace(batch_size=12, passes=2),
        runs,
        workers=2,
    )
    assert capsys.readouterr().out.splitlines() == [
        "2 of 2 runs are to be trained: 25 spectra of 9 datapoints, 5 steps an epoch, at most 500 "
        "epochs",
        "vgg: 3000 ms a step, 16 seconds an epoch; runs: 2",
        "in all about 8 minutes if a run takes 30 epochs, 32 minutes if a run takes 120 epochs "
        "(WORKERS 2)",
    ]


def test_a_step_takes_as_long_as_the_fastest_after_the_first(monkeypatch):
    shapes = []
    model = SimpleNamespace(train_on_batch=lambda x, y: shapes.append((x.shape, y.shape)))
    monkeypatch.setattr(training_time, "build", lambda *_: model)
    clock = iter([0, 1, 10, 17, 20, 25])  # of 1, 7 and 5 s
    monkeypatch.setattr(training_time, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    dataset = SimpleNamespace(splits={"train": (np.zeros((5, 9)), None)}, datapoints=9, classes=3)
    protocol = PROTOCOL._replace(batch_size=12, passes=2)
    assert training_time.seconds_of_step(None, dataset, protocol) == 5
    assert shapes == [((10, 9), (10, 3))] * 3  # all that there is, twice


def test_durations_are_told_in_the_unit_that_suits_them():
    told = [duration(s) for s in (0.04, 90, 150, 9000, 7 * 86400)]
    assert told == ["0.04 seconds", "90 seconds", "2.5 minutes", "2.5 hours", "7 days"]


def test_a_run_whose_loss_is_no_number_has_failed_and_says_from_which_epoch(run, dataset, tmp_path):
    flags = "--dataset", dataset, "--results", tmp_path, "--models", "vgg", "cnn2", "--seeds", 0
    process = run("train_models.py", *flags, "--learning-rate", 1e30)
    assert process.returncode == 1
    assert process.stderr.count("loss is nan in epoch 1; a smaller LEARNING_RATE may help") == 2
    for name in "vgg-seed0", "cnn2-seed0":
        assert f"{name}: failed: ArithmeticError: " in process.stderr
        assert not (tmp_path / name / "run.json").exists()
        assert "LEARNING_RATE" in (tmp_path / name / "failed.txt").read_text()
    status = run("train_models.py", *flags, "--status").stdout
    assert status.count("loss is nan in epoch 1") == 2
    assert status.endswith("2 failed\n")
    assert_one_sentence(run("evaluate.py", "--results", tmp_path), 2, "no finished run")


@pytest.mark.parametrize("name", ["loss", "val_loss"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_neither_loss_may_be_anything_but_a_number(tmp_path, name, value):
    losses = {"loss": 1.0, "val_loss": 1.0, "learning_rate": 1e-3} | {name: value}
    with pytest.raises(ArithmeticError, match=f"^{name} is {value} in epoch 1; a smaller LEARN"):
        train_models.end_epoch([], Progress(), losses, tmp_path)


def test_unfinished_runs_are_named_by_the_evaluation(run, class_file, dataset, tmp_path):
    flags = "--dataset", dataset, "--results", tmp_path, "--seeds", 0, "--epochs", 1
    assert run("train_models.py", *flags, "--models", "vgg").returncode == 0
    (tmp_path / "cnn2-seed0").mkdir()
    (tmp_path / "cnn2-seed0" / "failed.txt").write_text("reason")
    process = run("evaluate.py", "--results", tmp_path, "--no-figures", "--config", class_file[0])
    assert_one_sentence(process, 0, "left out", "cnn2-seed0")


@pytest.mark.parametrize("text", ["yes", "1", "TRUE"])
def test_the_environment_may_require_a_gpu(monkeypatch, text):
    monkeypatch.setenv("REQUIRE_GPU", text)
    assert gpu_required(None) is True
    assert gpu_required(False) is False


@pytest.mark.parametrize("text", ["", "0", "false", "No"])
def test_the_environment_may_say_that_no_gpu_is_required(monkeypatch, text):
    monkeypatch.setenv("REQUIRE_GPU", text)
    assert gpu_required(None) is False
    monkeypatch.delenv("REQUIRE_GPU")
    assert gpu_required(None) is False


def test_what_the_environment_cannot_mean_is_refused(run, dataset):
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "REQUIRE_GPU": "perhaps"}
    process = run("train_models.py", "--dataset", dataset, env=hidden)
    assert_one_sentence(process, 2, "REQUIRE_GPU", "'perhaps'", "0 or 1")


def test_an_array_replaced_after_it_was_opened_is_refused(own_arrays):
    opened = read_dataset(own_arrays)
    np.save(own_arrays / "x_new.npy", np.load(own_arrays / "x_train.npy")[::-1])
    (own_arrays / "x_new.npy").rename(own_arrays / "x_train.npy")
    with pytest.raises(InputError, match=r"x_train\.npy was replaced while it was read"):
        hash_and_check(opened)


@pytest.mark.parametrize("name", ["x_train.npy", "y_val.npy"])
def test_a_run_whose_arrays_are_written_over_does_not_count(
    own_arrays, tmp_path, monkeypatch, name
):
    array = np.load(own_arrays / name)
    end_epoch = train_models.end_epoch

    def overwrite(*arguments):
        end_epoch(*arguments)
        with open(own_arrays / name, "r+b") as file:
            np.save(file, array[::-1])

    monkeypatch.setattr(train_models, "end_epoch", overwrite)
    with pytest.raises(InputError, match=f"{name} was written over during the training"):
        train(own_arrays, tmp_path, checkpoint_minutes=0)
    folder = tmp_path / "linear-seed0"
    assert not (folder / "run.json").exists()
    assert not (folder / "checkpoint.npz").exists()


def test_a_run_whose_arrays_are_written_over_while_it_is_judged_does_not_count(
    own_arrays, tmp_path, monkeypatch
):
    def overwrite(*arguments):
        labels = np.load(own_arrays / "y_val.npy")
        with open(own_arrays / "y_val.npy", "r+b") as file:
            np.save(file, labels[::-1])
        return Count(0, len(labels))

    monkeypatch.setattr(train_models, "judge", overwrite)
    with pytest.raises(InputError, match=r"y_val\.npy was written over during the training"):
        train(own_arrays, tmp_path, protocol=SHORT._replace(epochs=1))
    assert not (tmp_path / "linear-seed0" / "run.json").exists()


def test_arrays_that_are_written_again_or_replaced_do_no_harm(own_arrays, tmp_path, monkeypatch):
    expected, _ = train(own_arrays, tmp_path / "expected")
    x, y = (np.load(own_arrays / name) for name in ("x_train.npy", "y_train.npy"))
    end_epoch = train_models.end_epoch

    def write_again(*arguments):
        end_epoch(*arguments)
        with open(own_arrays / "x_train.npy", "r+b") as file:
            np.save(file, x)
        np.save(own_arrays / "new.npy", y[::-1])
        (own_arrays / "new.npy").replace(own_arrays / "y_train.npy")

    monkeypatch.setattr(train_models, "end_epoch", write_again)
    run, _ = train(own_arrays, tmp_path / "again")
    assert run.weights_sha256 == expected.weights_sha256


def test_numbers_that_float32_cannot_hold_are_refused(own_arrays):
    x = np.load(own_arrays / "x_train.npy")
    x[7, 3] = 1e39
    np.save(own_arrays / "x_train.npy", x)
    with pytest.raises(InputError, match=r"x_train\.npy holds 1e\+39 in spectrum 7"):
        hash_and_check(read_dataset(own_arrays))


def test_a_misspelt_network_is_refused_before_anything_is_read(run, tmp_path):
    flags = "--dataset", tmp_path / "absent", "--models", "vgg", "cnn7"
    for flag in (), ("--status",):
        assert_one_sentence(run("train_models.py", *flags, *flag), 2, "MODELS", "cnn7", "cnn6")


def test_a_whole_number_is_a_learning_rate(dataset, tmp_path):
    run, _ = train(dataset, tmp_path, protocol=SHORT._replace(learning_rate=1))
    assert run.epochs == 3


def test_a_value_error_of_a_network_is_not_blamed_on_the_datapoints(dataset, tmp_path):
    def strange(input_size, classes, lr):
        raise ValueError("the moon is full")

    with pytest.raises(InputError, match=r"strange cannot be built for .*: the moon is full"):
        train(dataset, tmp_path, strange)


OWN_MEMORY = """
import re, sys
import numpy as np
sys.path[:0] = [{project!r}, {tests!r}]
spectra, folder = int(sys.argv[1]), sys.argv[2]
for split, n in ("train", spectra), ("val", 100):
    x = np.lib.format.open_memmap(f"{{folder}}/x_{{split}}.npy", "w+", np.float32, (n, 5000))
    x[:, 0] = 1
    x.flush()
    np.save(f"{{folder}}/y_{{split}}.npy", np.arange(n) % 2)
del x
from benchmark.tensorflow_startup import start_tensorflow
start_tensorflow(1)
import test_training
short = test_training.SHORT._replace(batch_size=100, epochs=1)
test_training.train(folder, test_training.Path(folder, "results"), protocol=short)
with open("/proc/self/status") as status:
    print(re.search(r"RssAnon:\\s+(\\d+) kB", status.read())[1])
"""


def test_a_script_without_threads_takes_those_that_a_notebook_computes_with():
    code = (
        "from benchmark.tensorflow_startup import start_tensorflow\n"
        "for threads in 3, None: print(start_tensorflow(threads)['threads'])\n"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["3", "3"]


def test_training_without_threads_takes_those_that_a_notebook_computes_with(dataset, tmp_path):
    flags = ["--dataset", str(dataset), "--results", str(tmp_path), "--models", "vgg"]
    code = (
        "import sys, train_models\n"
        "from benchmark.command_line import parse_flags\n"
        "for threads in ['--threads', '3'], []:\n"
        "    flags = [*sys.argv[1:], '--seeds', str(len(threads)), '--epochs', '1', *threads]\n"
        "    train_models.main(parse_flags(train_models, flags))\n"
    )
    command = [sys.executable, "-c", code, *flags]
    subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    for seed in 2, 0:
        record = json.loads((tmp_path / f"vgg-seed{seed}" / "run.json").read_text())
        assert [environment["threads"] for environment in record["environments"]] == [3]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_training_needs_no_more_memory_for_more_spectra(tmp_path):
    code = OWN_MEMORY.format(project=str(PROJECT), tests=str(PROJECT / "tests"))
    megabytes = []
    for spectra in 1000, 20_000:  # 20 and 400 MB
        folder = tmp_path / str(spectra)
        folder.mkdir()
        command = [sys.executable, "-c", code, str(spectra), str(folder)]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        megabytes.append(int(process.stdout.split()[-1]) / 1000)
    few, many = megabytes
    assert many < few + 100


def test_a_maximum_of_09_is_warned_of(own_arrays, capsys):
    np.save(own_arrays / "x_train.npy", 0.9 * np.load(own_arrays / "x_train.npy"))
    hash_and_check(read_dataset(own_arrays))
    assert "maximum is not 1" in capsys.readouterr().err


def test_spectra_of_ones_own_that_networks_have_learned_from_are_told(own_arrays, capsys):
    x, y = (np.load(own_arrays / f"{axis}_train.npy") for axis in "xy")
    for split, rows in ("test", slice(0, 40, 2)), ("test_new", slice(0, 0)), ("val", slice(0, 3)):
        new = np.random.default_rng(1).random((3, 30))
        np.save(own_arrays / f"x_{split}.npy", np.concatenate([x[rows], new / new.max(1)[:, None]]))
        np.save(own_arrays / f"y_{split}.npy", np.concatenate([y[rows], [0, 1, 2]]))
    warn_of_own_splits(read_dataset(own_arrays))
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].partition(":")[0].strip() for line in told] == [
        "3 of 6 spectra of val are in train, too",
        "20 of 23 spectra of test are in train, too",
        "5 of 23 spectra of test are in val, too",
        "3 of 3 spectra of test_new are in val, too",
    ]


def test_rendered_spectra_are_not_looked_through_but_further_splits_are(dataset, capsys):
    warn_of_own_splits(read_dataset(dataset))
    assert capsys.readouterr().err == ""
    add_test_split(dataset)  # a copy of val
    warn_of_own_splits(read_dataset(dataset))
    spectra = len(np.load(dataset / "y_val.npy"))
    told = f"{spectra} of {spectra} spectra of test_mine are in val, too"
    assert told in capsys.readouterr().err


def test_a_split_of_ones_own_without_some_class_is_told(own_arrays, capsys):
    np.save(own_arrays / "x_test.npy", np.eye(4, 30))
    for labels, told in (
        ([0, 1, 2, 2], None),
        ([0, 1, 1, 0], "test has no spectrum of class 2; its labels"),
        ([2, 2, 2, 2], "test has no spectrum of class 0 and of 1 more; its labels"),
    ):
        np.save(own_arrays / "y_test.npy", np.array(labels))
        warn_of_own_splits(read_dataset(own_arrays))
        warned = capsys.readouterr().err
        assert told in warned if told else warned == ""
