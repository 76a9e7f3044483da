import csv
import json

import keras
import numpy as np
import pytest
from conftest import assert_one_sentence

import train_models
from dataset_config_generator import InputError, parse_flags
from model_implementations.basic_blocks import classifier
from spectra_from_config import read_dataset

PROTOCOL = {
    "batch_size": 128,
    "epochs": 500,
    "learning_rate": 3e-4,
    "lr_factor": 0.5,
    "lr_patience": 10,
    "stop_patience": 25,
    "min_delta": 1e-4,
}
SHORT = PROTOCOL | {"batch_size": 8, "epochs": 3, "learning_rate": 1e-2}


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    train_models.start_tensorflow()


def linear(input_size, classes, lr):
    """The smallest network: softmax of a linear map."""
    spectrum = keras.Input((input_size, 1))
    return classifier(spectrum, spectrum, 0, (), classes, lr)


def hidden(input_size, classes, lr):
    spectrum = keras.Input((input_size, 1))
    return classifier(spectrum, spectrum, 0.5, (7,), classes, lr)


def train(folder, results, builder=linear, seed=0, protocol=SHORT):
    dataset = read_dataset(folder)
    hashes = train_models.hash_and_check(dataset, folder)
    run_folder = results / f"{builder.__name__}-seed{seed}"
    run = train_models.train_run(run_folder, builder, seed, dataset, hashes, protocol)
    return run, run_folder


def test_constants_are_the_papers_protocol():
    settings = vars(parse_flags(train_models, []))
    assert {name: settings[name] for name in PROTOCOL} == PROTOCOL
    assert settings["seeds"] == (0, 1, 2, 3, 4)
    networks = ["cnn2", "cnn3", "cnn6", "vgg", "cnn_bn", "resnet", "inc3", "inc6"]
    assert sorted(settings["models"]) == sorted(networks)
    assert sorted(train_models.available_networks()) == sorted(networks)


def test_keras_is_told_the_protocol(dataset, monkeypatch):
    told = {}

    def fit(self, x, **arguments):
        told.update(arguments)
        raise InterruptedError

    monkeypatch.setattr(keras.Model, "fit", fit)
    read = read_dataset(dataset)
    model = linear(120, 4, 3e-4)
    with pytest.raises(InterruptedError):
        train_models.fit(model, read, 0, PROTOCOL, "")
    assert told["epochs"] == 500
    callbacks = {type(callback).__name__: callback for callback in told["callbacks"]}
    plateau, stopping = callbacks["ReduceLROnPlateau"], callbacks["EarlyStopping"]
    assert (plateau.factor, plateau.patience, plateau.min_delta) == (0.5, 10, 1e-4)
    assert (plateau.min_lr, plateau.cooldown, plateau.monitor) == (0, 0, "val_loss")
    assert (stopping.patience, abs(stopping.min_delta), stopping.monitor) == (25, 1e-4, "val_loss")
    assert stopping.restore_best_weights


def test_rate_halves_after_10_and_training_stops_after_25_epochs_without_improvement(
    dataset, tmp_path
):
    nothing_improves = PROTOCOL | {"learning_rate": 1e-12}
    run, folder = train(dataset, tmp_path, protocol=nothing_improves)
    assert (run["epochs"], run["best_epoch"]) == (26, 1)
    with open(folder / "history.csv") as file:
        history = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in history] == list(range(1, 27))
    rates = [float(row["learning_rate"]) for row in history]
    expected = [1e-12] * 11 + [0.5e-12] * 10 + [0.25e-12] * 5
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_best_weights_are_restored_and_saved(dataset, tmp_path):
    too_fast = SHORT | {"learning_rate": 3.0, "epochs": 12, "stop_patience": 6}
    run, folder = train(dataset, tmp_path, protocol=too_fast)
    with open(folder / "history.csv") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] > min(losses)  # otherwise the last weights would be the best
    assert run["best_epoch"] == 1 + losses.index(min(losses))
    model = keras.models.load_model(folder / "model.keras")
    x, y = read_dataset(dataset).splits["val"]
    loss = model.evaluate(np.array(x), keras.utils.to_categorical(y, 4), verbose=0)[0]
    assert loss == pytest.approx(min(losses), rel=1e-4)
    predictions = np.load(folder / "val_predictions.npy")
    np.testing.assert_array_equal(predictions, model.predict(np.array(x), verbose=0).argmax(1))


def test_every_network_sees_the_same_samples_in_the_same_order(own_arrays):
    x = np.load(own_arrays / "x_train.npy")

    def seen_by(builder, seed):
        class Recorder(keras.Model):
            def train_step(self, data):
                batches.append(data[0].numpy())
                return super().train_step(data)

        batches = []
        keras.utils.set_random_seed(seed)
        built = builder(30, 3, 1e-3)
        model = Recorder(built.inputs, built.outputs)
        model.compile("adam", "categorical_crossentropy", run_eagerly=True)
        train_models.fit(model, read_dataset(own_arrays), seed, SHORT, "")
        return np.concatenate(batches)

    one, two, other = seen_by(linear, 0), seen_by(hidden, 0), seen_by(linear, 1)
    assert len(one) == 3 * len(x)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    orders = [train_models.sample_order(0, epoch, len(x)) for epoch in range(3)]
    np.testing.assert_array_equal(one, x.astype(np.float32)[np.concatenate(orders)])
    for order in orders:
        assert sorted(order) == list(range(len(x)))
    assert not np.array_equal(orders[0], orders[1])


def test_sample_order_is_fixed_for_all_time():
    assert train_models.sample_order(3, 1, 8).tolist() == [3, 7, 2, 0, 6, 5, 1, 4]


def test_run_folder_holds_what_the_manual_says(dataset, tmp_path):
    run, folder = train(dataset, tmp_path)
    names = ["history.csv", "model.keras", "run.json"]
    names += [f"{split}_predictions.npy" for split in ("val", "test", "test_wide")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert json.loads((folder / "run.json").read_text()) == run
    assert (run["model"], run["seed"], run["epochs"]) == ("linear", 0, 3)
    assert run["protocol"] == SHORT
    assert run["parameters"] == 120 * 4 + 4
    card = json.loads((dataset / "dataset.json").read_text())
    assert run["dataset"]["sha256"] == {n: e["sha256"] for n, e in card["files"].items()}
    assert run["dataset"]["class_file"] == card["class_file"]
    assert run["versions"]["keras"] == keras.__version__
    for split in "val", "test", "test_wide":
        predictions = np.load(folder / f"{split}_predictions.npy")
        y = np.load(dataset / f"y_{split}.npy")
        assert predictions.dtype == np.int64
        counted = {"spectra": len(y), "misclassified": int(sum(predictions != y))}
        assert run["misclassified"][split] == counted


def test_a_finished_run_is_not_trained_again(dataset, tmp_path, monkeypatch):
    run, folder = train(dataset, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(train_models, "fit", None)
    assert train(dataset, tmp_path)[0] == run
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_new_test_split_is_judged_with_the_saved_weights(dataset, tmp_path, monkeypatch):
    _, folder = train(dataset, tmp_path)
    x, y = np.load(dataset / "x_val.npy"), np.load(dataset / "y_val.npy")
    np.save(dataset / "x_test_mine.npy", x)
    np.save(dataset / "y_test_mine.npy", y)
    monkeypatch.setattr(train_models, "fit", None)
    run, _ = train(dataset, tmp_path)
    assert run["misclassified"]["test_mine"] == run["misclassified"]["val"]
    np.testing.assert_array_equal(
        np.load(folder / "test_mine_predictions.npy"), np.load(folder / "val_predictions.npy")
    )
    assert json.loads((folder / "run.json").read_text()) == run


def test_a_run_of_another_protocol_or_dataset_is_refused(dataset, own_arrays, tmp_path):
    train(dataset, tmp_path)
    with pytest.raises(InputError, match=r"LR_PATIENCE 10, not 11"):
        train(dataset, tmp_path, protocol=SHORT | {"lr_patience": 11})
    with pytest.raises(InputError, match=r"another x_train\.npy"):
        train(own_arrays, tmp_path)


def test_own_arrays_without_test_split_train(own_arrays, tmp_path):
    run, folder = train(own_arrays, tmp_path)
    assert list(run["misclassified"]) == ["val"]
    assert run["dataset"]["class_file"] is None
    assert not (folder / "test_predictions.npy").exists()


def test_a_repeated_run_gives_the_same_bits(dataset, tmp_path):
    _, one = train(dataset, tmp_path / "one", hidden)
    train(dataset, tmp_path / "two", linear)
    _, two = train(dataset, tmp_path / "two", hidden)
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    weights = [keras.models.load_model(f / "model.keras").get_weights() for f in (one, two)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_arrays_with_nan_or_changed_content_are_refused(own_arrays, dataset):
    x = np.load(own_arrays / "x_val.npy")
    x[4, 7] = np.nan
    np.save(own_arrays / "x_val.npy", x)
    with pytest.raises(InputError, match=r"x_val\.npy holds NaN or infinity in spectra 0 to 9"):
        train_models.hash_and_check(read_dataset(own_arrays), own_arrays)
    x = np.load(dataset / "x_val.npy")
    x[0] = x[1]
    np.save(dataset / "x_val.npy", x)
    with pytest.raises(InputError, match=r"x_val\.npy is not the file that dataset\.json records"):
        train_models.hash_and_check(read_dataset(dataset), dataset)


def test_spectra_that_are_not_normalised_are_warned_of(own_arrays, capsys):
    train_models.hash_and_check(read_dataset(own_arrays), own_arrays)
    assert capsys.readouterr().err == ""
    np.save(own_arrays / "x_train.npy", 5 * np.load(own_arrays / "x_train.npy"))
    train_models.hash_and_check(read_dataset(own_arrays), own_arrays)
    assert "maximum is not 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--models", "cnn7"], ["MODELS", "cnn7", "cnn6"]),
        (["--seeds", "-1"], ["SEEDS", "-1"]),
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
    for split in "train", "val":
        np.save(tmp_path / f"x_{split}.npy", np.eye(6))
        np.save(tmp_path / f"y_{split}.npy", np.arange(6))
    process = run("train_models.py", "--dataset", tmp_path, "--results", tmp_path / "r")
    assert_one_sentence(process, 2, "cnn2", "6 datapoints")


def test_training_and_evaluation_from_the_command_line(run, dataset, tmp_path):
    flags = ["--models", "vgg", "--seeds", 0, 1, "--epochs", 2]
    process = run("train_models.py", "--dataset", dataset, *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert process.stdout.count("2 epochs") == 2
    process = run("evaluate.py", "--results", "results/small", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    table = (tmp_path / "results/small/table.md").read_text()
    assert process.stdout == table
    assert "| vgg | 2 |" in table
