"""Training is killed, stopped, shared and repeated in every way: the results stay the same bits."""

import errno
import fcntl
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence, write_finished_run

import train_models
from benchmark import run_sharing
from benchmark.checkpoint import Checkpoint, Progress, Terminated, read_progress, storable
from benchmark.command_line import InputError, interrupts_held
from benchmark.dataset_folder import hash_and_check, read_dataset
from benchmark.networks import Network, build
from benchmark.run_comparison import compare
from benchmark.run_folder import DatasetRecord, Identity, Protocol, Run, record_of, write_history
from benchmark.run_identity import matrix_of
from benchmark.run_sharing import holder, note_failure, run_lock, share, state_of
from benchmark.workers import signals_passed_on
from model_implementations.basic_blocks import classifier, convolution
from train_models import complete_run

pytestmark = pytest.mark.usefixtures("tensorflow")

PROTOCOL = Protocol(
    batch_size=8,
    epochs=20,
    learning_rate=1.0,
    lr_factor=0.5,
    lr_patience=2,
    stop_patience=5,
    min_delta=1e-4,
)


def changeable(input_size, classes, lr):
    """A small network with all that changes in training: batch normalisation, dropout, weights."""
    spectrum = keras.Input((input_size, 1))
    x = convolution(spectrum, 2, 3, activation="linear", batch_norm=True)
    return classifier(spectrum, x, 0.5, (5,), classes, lr)


class Killed(BaseException):
    pass


def train(dataset, folder, protocol=PROTOCOL, minutes=0, environment=None):
    """Train `changeable`, by default with a checkpoint after every step."""
    read = read_dataset(dataset)
    identity = Identity("changeable", 0, protocol, record_of(read, hash_and_check(read)))
    network = Network("changeable", changeable, {})
    return complete_run(
        folder=folder,
        identity=identity,
        build_model=partial(build, network, read, protocol.learning_rate),
        dataset=read,
        environment=environment or {},
        checkpoint_minutes=minutes,
    )


def identical(a, b, capsys):
    capsys.readouterr()
    status = compare(a, b)
    return status == 0 and "are identical" in capsys.readouterr().out


def test_a_run_killed_after_any_step_goes_on_to_the_same_bits(
    dataset, tmp_path, monkeypatch, capsys
):
    impatient = PROTOCOL._replace(batch_size=12, lr_patience=1, stop_patience=2)
    run = train(dataset, tmp_path / "whole", impatient, minutes=1000)
    assert 3 < run.epochs < impatient.epochs
    rates = (tmp_path / "whole" / "history.csv").read_text().splitlines()
    assert float(rates[-1].rpartition(",")[2]) < 1  # the learning rate fell
    steps = 2 * run.epochs
    save = Checkpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        raise Killed

    for step in range(1, steps + 1):  # one process after another makes a single step
        monkeypatch.setattr(Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            train(dataset, tmp_path / "killed", impatient)
        assert (tmp_path / "killed" / "checkpoint.npz").exists(), step
    monkeypatch.setattr(Checkpoint, "save", save)
    assert train(dataset, tmp_path / "killed", impatient).epochs == run.epochs
    assert identical(tmp_path / "whole", tmp_path / "killed", capsys)
    assert not (tmp_path / "killed" / "checkpoint.npz").exists()


def interrupted(dataset, folder, monkeypatch, steps=4):
    save, left = Checkpoint.save, [steps]

    def save_or_die(checkpoint):
        save(checkpoint)
        left[0] -= 1
        if not left[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", save_or_die)
        with pytest.raises(Killed):
            train(dataset, folder)
    return folder / "checkpoint.npz"


def test_a_checkpoint_of_a_network_that_has_changed_is_not_taken_up(dataset, tmp_path, monkeypatch):
    interrupted(dataset, tmp_path, monkeypatch)

    original = changeable

    def changed(input_size, classes, lr):
        model = original(input_size, classes, lr)
        model.layers[-1].trainable = False
        return model

    monkeypatch.setattr(sys.modules[__name__], "changeable", changed)
    with pytest.raises(InputError, match="another definition of changeable"):
        train(dataset, tmp_path)


def test_weights_in_bfloat16_are_stored_exactly():
    variable = keras.Variable(np.linspace(-3, 3, 7), dtype="bfloat16")
    before = variable.numpy()
    stored = storable(before)
    assert stored.dtype == np.float32
    variable.assign(stored)
    np.testing.assert_array_equal(variable.numpy(), before)


def test_status_refuses_the_checkpoint_that_training_would_refuse(dataset, tmp_path, monkeypatch):
    path = interrupted(dataset, tmp_path, monkeypatch)
    read = read_dataset(dataset)
    identity = Identity("changeable", 0, PROTOCOL, record_of(read, hash_and_check(read)))
    write_history(tmp_path, {"loss": [3, 2, 1, 1, 1, 1]})  # in which only the checkpoint counts
    epoch = read_progress(path)[1].epoch
    assert epoch < 6
    assert state_of(tmp_path, identity) == ("waiting", f"{epoch} epochs done")
    other = identity._replace(protocol=PROTOCOL._replace(lr_patience=77))
    state, why = state_of(tmp_path, other)
    assert state == "refused"
    assert "LR_PATIENCE" in why
    path.write_bytes(b"")
    state, why = state_of(tmp_path, identity)
    assert state == "refused"
    assert "checkpoint.npz is damaged" in why
    assert "it is no archive of arrays" in why


def test_a_damaged_or_foreign_checkpoint_is_refused(dataset, tmp_path, monkeypatch):
    checkpoint = interrupted(dataset, tmp_path / "run", monkeypatch)
    with pytest.raises(InputError, match="was trained with EPOCHS 20, not 8"):
        train(dataset, tmp_path / "run", PROTOCOL._replace(epochs=8))
    content = checkpoint.read_bytes()
    for damaged in content[:-100], b"", content[:200] + b"?" * 50 + content[250:]:
        checkpoint.write_bytes(damaged)
        with pytest.raises(InputError, match=r"checkpoint\.npz is damaged"):
            train(dataset, tmp_path / "run")


def test_run_json_records_every_environment_a_run_was_trained_in(dataset, tmp_path, monkeypatch):
    interrupted(dataset, tmp_path / "run", monkeypatch)
    run = train(dataset, tmp_path / "run", environment={"device": "another"})
    assert run.environments == [{}, {"device": "another"}]


def test_the_seconds_of_all_processes_are_added_up(dataset, tmp_path, monkeypatch):
    path = interrupted(dataset, tmp_path / "run", monkeypatch)
    with np.load(path) as content:
        arrays = dict(content)
    kept = json.loads(arrays["text"].tobytes())
    assert kept["progress"]["seconds"] > 0
    kept["progress"]["seconds"] = 1e6
    np.savez(path, **arrays | {"text": np.frombuffer(json.dumps(kept).encode(), np.uint8)})
    run = train(dataset, tmp_path / "run", minutes=1000)
    assert 1e6 < run.seconds < 1.1e6
    assert run.environments == [{}]  # of both processes, once


def test_a_checkpoint_stays_until_all_splits_are_judged(dataset, tmp_path, monkeypatch):
    path = interrupted(dataset, tmp_path, monkeypatch)
    monkeypatch.setattr(train_models, "judge", stop)
    with pytest.raises(Killed):
        train(dataset, tmp_path, minutes=1000)
    assert path.exists()


def idle(folder, minutes=10):
    """Return the Checkpoint of a training that changes nothing."""
    plateau = SimpleNamespace(best=0, wait=0, cooldown_counter=0)
    stopping = SimpleNamespace(best=0, wait=0, best_epoch=0, best_weights=None)
    record = DatasetRecord("small", 120, 4, None, None, {})
    identity = Identity("changeable", 0, PROTOCOL, record)
    model = SimpleNamespace(stop_training=False)
    return Checkpoint(folder, identity, model, plateau, stopping, minutes)


def test_a_checkpoint_restores_all_counters_and_how_far_the_training_has_come(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("benchmark.checkpoint.changing_variables", lambda model: [])
    left, taken_up = idle(tmp_path), idle(tmp_path)
    left.plateau.best, left.plateau.wait, left.plateau.cooldown_counter = 0.25, 7, 2
    left.stopping.best, left.stopping.wait, left.stopping.best_epoch = 0.2, 11, 30
    left.stopping.best_weights = [np.arange(3.0), np.ones((2, 2))]
    left.model.stop_training = True
    left.progress = Progress(41, 5, {"loss": 0.5}, {"loss": [1.0]}, 60, [{"device": "another"}])
    left.save()
    taken_up.resume()
    assert taken_up.plateau == left.plateau
    for restored, best in zip(
        taken_up.stopping.__dict__.pop("best_weights"),
        left.stopping.__dict__.pop("best_weights"),
        strict=True,
    ):
        np.testing.assert_array_equal(restored, best)
    assert taken_up.stopping == left.stopping
    assert taken_up.model == left.model
    assert 60 < taken_up.progress.seconds < 120
    taken_up.progress.seconds = 60
    assert taken_up.progress == left.progress


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    def half(file, **arrays):
        file.write(b"half a checkpoint")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("benchmark.checkpoint.changing_variables", lambda model: [])
    training = idle(tmp_path)
    training.save()
    before = training.path.read_bytes()
    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="No space left"):
        training.save()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
    assert training.path.read_bytes() == before


def test_checkpoints_are_as_many_minutes_apart_as_they_are_to_be(tmp_path, monkeypatch):
    now = [0]
    monkeypatch.setattr("benchmark.checkpoint.changing_variables", lambda model: [])
    monkeypatch.setattr("benchmark.checkpoint.time", SimpleNamespace(monotonic=lambda: now[0]))
    every_ten = idle(tmp_path, minutes=10)
    for now[0], due in (599, False), (600, True), (1199, False), (1200, True):
        every_ten.after_step()
        assert every_ten.path.exists() == due
        every_ten.path.unlink(missing_ok=True)


def test_a_signal_is_seen_after_the_step_at_hand_and_after_each_validated_batch(tmp_path):
    stopped = idle(tmp_path)
    stopped.signals.append(signal.SIGTERM)
    with pytest.raises(Terminated) as error:
        stopped.after_step()
    assert error.value.number == signal.SIGTERM
    model = changeable(30, 3, 1.0)
    spectra = train_models.batches(np.ones((10, 30)), np.zeros(10, int), 3, batch_size=4)
    looks = []
    watch = SimpleNamespace(check_signals=lambda: looks.append(None))
    losses = train_models.validate(model, spectra, watch)
    assert losses.keys() == {"val_loss", "val_accuracy"}
    assert len(looks) == 3


def test_a_second_signal_ends_the_process_at_once_and_handlers_are_given_back(tmp_path):
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    training = idle(tmp_path)
    with pytest.raises(KeyboardInterrupt), training.saved_when_stopped():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert training.signals == [signal.SIGINT]
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.fixture
def without_interrupts():
    """Ignore Ctrl-C, as jobs do that a shell script starts in the background."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, previous)


def test_a_signal_that_the_process_ignores_ends_nothing(tmp_path, without_interrupts):
    training = idle(tmp_path)
    with training.saved_when_stopped(), interrupts_held(), signals_passed_on([]) as passed_on:
        signal.raise_signal(signal.SIGINT)
    assert training.signals == passed_on == []


def test_a_signal_while_spectra_are_validated_changes_no_bit(
    dataset, tmp_path, monkeypatch, capsys
):
    train(dataset, tmp_path / "whole", minutes=1000)
    validate = train_models.validate

    def validate_after_a_signal(model, validation, checkpoint):
        if checkpoint.progress.epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return validate(model, validation, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(train_models, "validate", validate_after_a_signal)
        with pytest.raises(Terminated):
            train(dataset, tmp_path / "stopped", minutes=1000)
    train(dataset, tmp_path / "stopped", minutes=1000)
    assert identical(tmp_path / "whole", tmp_path / "stopped", capsys)


def test_a_signal_after_the_last_epoch_adds_no_further_one(dataset, tmp_path, monkeypatch, capsys):
    run = train(dataset, tmp_path / "whole", minutes=1000)
    end_epoch = train_models.end_epoch

    def end_epoch_and_training(callbacks, progress, losses, folder):
        end_epoch(callbacks, progress, losses, folder)
        if progress.epoch == run.epochs:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(train_models, "end_epoch", end_epoch_and_training)
        with pytest.raises(Terminated):
            train(dataset, tmp_path / "stopped", minutes=1000)
    assert train(dataset, tmp_path / "stopped", minutes=1000).epochs == run.epochs
    assert identical(tmp_path / "whole", tmp_path / "stopped", capsys)


def command(dataset, results, *flags):
    script = [sys.executable, PROJECT / "train_models.py", "--dataset", dataset]
    return list(map(str, [*script, "--results", results, "--batch-size", 4, *flags]))


NETWORKS = "cnn2", "vgg", "cnn_bn"
ONE = "--seeds", 0, "--epochs", 4, "--models", NETWORKS[0]
MATRIX = *ONE, *NETWORKS[1:]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Dataset and results of the three networks, trained in one go; and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    config = folder / "small.json"
    generator = [sys.executable, PROJECT / "dataset_config_generator.py", "--output", config]
    size = ["--datapoints", "120", "--boundary", "20", "--classes", "4", "--max-peaks", "3"]
    subprocess.run([*generator, *size], check=True, capture_output=True)
    renderer = [sys.executable, PROJECT / "spectra_from_config.py", "--config", config]
    size = ["--n-train", "20", "--n-val", "3", "--max-shift", "5", "--test-shift", "3"]
    flags = ["--output", folder / "data"]
    subprocess.run([*renderer, *flags, *size], check=True, capture_output=True)
    start = time.perf_counter()
    process = subprocess.run(
        command(folder / "data", folder / "results", *MATRIX),
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / "data", folder / "results", process, time.perf_counter() - start


def assert_same_as_undisturbed(undisturbed, results, capsys):
    for network in NETWORKS:
        name = f"{network}-seed0"
        assert identical(undisturbed[1] / name, results / name, capsys), name


def test_sigkill_at_random_moments_changes_no_bit(undisturbed, tmp_path, capsys):
    dataset, _, _, duration = undisturbed
    results = tmp_path / "results"
    moments = random.Random(1)
    kills = 0
    while kills < 2:
        process = subprocess.Popen(
            command(dataset, results, *MATRIX, "--checkpoint-minutes", 0.002),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.3, 1) * duration)
        process.kill()
        if process.wait() == -signal.SIGKILL:
            kills += 1
            continue
        assert process.returncode == 0
        if kills:
            break
        shutil.rmtree(results)  # faster than the undisturbed one: the moment was too late
        duration *= 0.7
    subprocess.run(command(dataset, results, *MATRIX), check=True, capture_output=True)
    assert_same_as_undisturbed(undisturbed, results, capsys)
    assert not list(results.glob("*/*checkpoint*"))


def test_a_kill_while_a_checkpoint_is_written_costs_nothing(undisturbed, tmp_path, capsys):
    killed = """
import os, signal, sys
import numpy as np
import train_models
from benchmark.command_line import parse_flags
savez, left = np.savez, 30
def half(file, **arrays):
    global left
    left -= 1
    if left == 0:
        file.write(b"half a checkpoint")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    savez(file, **arrays)
np.savez = half
train_models.main(parse_flags(train_models, sys.argv[1:]))
"""
    _, _, *flags = command(undisturbed[0], tmp_path, *MATRIX)
    arguments = [sys.executable, "-c", killed, *flags, "--checkpoint-minutes", "0"]
    process = subprocess.run(arguments, cwd=PROJECT, check=False, stdout=subprocess.DEVNULL)
    assert process.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("cnn2-seed0/*checkpoint*"))) == 2  # a whole one, and a half
    _, *flags = command(undisturbed[0], tmp_path, *MATRIX)
    subprocess.run([sys.executable, *flags], check=True, capture_output=True)
    assert_same_as_undisturbed(undisturbed, tmp_path, capsys)
    assert not list(tmp_path.glob("*/.*tmp*"))


def test_sigterm_writes_a_checkpoint_and_the_same_command_goes_on(undisturbed, tmp_path, capsys):
    dataset = undisturbed[0]
    long = "--models", "vgg", "--seeds", 0, "--epochs", 15
    process = subprocess.Popen(
        command(dataset, tmp_path / "stopped", *long),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert "epoch 1" in process.stdout.readline()
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.strip().splitlines() == [
        "stopped after a checkpoint; the same command goes on from it"
    ]
    assert (tmp_path / "stopped" / "vgg-seed0" / "checkpoint.npz").exists()
    for results in "stopped", "whole":
        flags = command(dataset, tmp_path / results, *long)
        subprocess.run(flags, check=True, capture_output=True)
    assert identical(tmp_path / "stopped/vgg-seed0", tmp_path / "whole/vgg-seed0", capsys)


def test_two_processes_share_the_matrix_and_take_over_from_a_dead_one(
    undisturbed, tmp_path, capsys
):
    dataset = undisturbed[0]
    flags = command(dataset, tmp_path, *MATRIX)
    start = partial(subprocess.Popen, flags, stdout=subprocess.PIPE, text=True)
    first, second, third = start(), start(), start()
    assert "epoch 1" in first.stdout.readline()
    first.kill()
    first.communicate()
    outputs = [process.communicate(timeout=200)[0] for process in (second, third)]
    # The one that ends first may leave a run to the other, and says so.
    assert sorted([second.returncode, third.returncode]) in ([0, 0], [0, 1])
    assert_same_as_undisturbed(undisturbed, tmp_path, capsys)
    trained = "".join(outputs)
    for network in NETWORKS:
        assert trained.count(f"{network} seed 0, epoch 4") <= 1, trained


def test_output_is_readable_in_a_log_file(undisturbed):
    process = undisturbed[2]
    assert process.stderr == ""
    assert "\r" not in process.stdout
    lines = process.stdout.splitlines()
    assert len(lines) == 3 * (4 + 1)
    assert lines[0].startswith("cnn2 seed 0, epoch 1: loss ")
    for word in "val_loss", "val_accuracy", "learning rate", "stops in":
        assert word in lines[0]
    assert "cnn2-seed0: 4 epochs in" in lines[4]


def test_tensorboard_shows_every_epoch(undisturbed):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, results, _, _ = undisturbed
    run = json.loads((results / "cnn2-seed0" / "run.json").read_text())
    for part, name in ("train", "epoch_loss"), ("validation", "epoch_loss"):
        events = EventAccumulator(str(results / "cnn2-seed0" / "tensorboard" / part))
        events.Reload()
        assert len(events.Tensors(name)) == run["epochs"]


def test_task_trains_one_run_of_the_matrix(run, undisturbed, tmp_path, capsys):
    dataset, results, _, _ = undisturbed
    _, *flags = command(dataset, tmp_path, *MATRIX)
    process = run(*flags, "--task", 1)
    assert process.returncode == 0, process.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["vgg-seed0"]
    assert identical(results / "vgg-seed0", tmp_path / "vgg-seed0", capsys)
    assert_one_sentence(run(*flags, "--task", 3), 2, "TASK", "3", "0 to 2")


def test_status_says_what_is_finished_running_waiting_and_failed(run, undisturbed, tmp_path):
    dataset, _, _, _ = undisturbed
    _, *flags = command(dataset, tmp_path, *MATRIX)
    assert "3 waiting" in run(*flags, "--status").stdout
    broken = tmp_path / "cnn2-seed0"
    note_failure(tmp_path / "cnn2-seed0", ValueError("no\nidea"))
    assert (broken / "failed.txt").read_text().startswith("ValueError: no")
    with run_lock(tmp_path / "vgg-seed0") as mine:
        assert mine
        with run_lock(tmp_path / "vgg-seed0") as again:
            assert not again
        process = run(*flags, "--status")
    lines = process.stdout.splitlines()
    assert "failed" in lines[0]
    assert "ValueError: no" in lines[0]
    assert "running" in lines[1]
    assert f"process {os.getpid()}" in lines[1]
    assert "waiting" in lines[2]
    assert lines[3] == "1 failed, 1 running, 1 waiting"
    assert run(*flags[:4], undisturbed[1], *flags[5:], "--status").stdout.count("finished") == 4
    (broken / "run.json").touch()  # a finished run that could not be judged on a further split
    assert "failed" in run(*flags, "--status").stdout.splitlines()[0]


def finished(folder):
    unknown = dict.fromkeys(Run._fields)
    return Run(**unknown | {"folder": folder, "epochs": 1, "seconds": 1, "misclassified": {}})


def test_a_failed_run_does_not_stop_the_others(tmp_path, capsys):
    began = []

    def train(folder):
        began.append(folder.name)
        if folder.name == "a":
            raise ValueError("the network cannot be built")
        return finished(folder)

    assert share([tmp_path / name for name in "abc"], train) == 1
    assert began == ["a", "b", "c"]
    assert "a: failed: ValueError: the network cannot be built" in capsys.readouterr().err
    assert "Traceback" in (tmp_path / "a" / "failed.txt").read_text()


@pytest.mark.parametrize(("error", "status"), [(InputError, 2), (ValueError, 1)])
def test_a_run_that_fails_by_its_input_gives_status_2_any_other_1(tmp_path, error, status):
    def train(folder):
        raise error("reason")

    assert share([tmp_path / "a"], train) == status


def test_a_trained_run_that_has_not_judged_a_further_split_waits(dataset, tmp_path):
    run = write_finished_run(tmp_path / "vgg-seed0", dataset)
    splits = list(run.misclassified)
    assert state_of(run.folder, None, splits)[0] == "finished"
    state, why = state_of(run.folder, None, [*splits, "test_mine"])
    assert state == "waiting"
    assert why.endswith("but has not judged test_mine")
    with run_lock(run.folder):
        assert state_of(run.folder, None, [*splits, "test_mine"])[0] == "running"


def test_without_a_checkpoint_the_epochs_of_the_history_are_lost(tmp_path):
    write_history(tmp_path, {"loss": [3, 2, 1]})
    assert state_of(tmp_path) == ("waiting", "starts anew, as 3 epochs done left no checkpoint")


def test_predictions_that_differ_or_are_missing_are_told(dataset, tmp_path, capsys):
    train(dataset, tmp_path / "a", PROTOCOL._replace(epochs=1))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    path = tmp_path / "b" / "val_predictions.npy"
    np.save(path, 1 + np.load(path))
    (tmp_path / "b" / "test_confidences.npy").unlink()
    record = json.loads((tmp_path / "b" / "run.json").read_text())
    record["weights_sha256"] = "0" * 64
    record["misclassified"] = dict(reversed(record["misclassified"].items()))  # means nothing
    (tmp_path / "b" / "run.json").write_text(json.dumps(record))
    capsys.readouterr()
    assert compare(tmp_path / "a", tmp_path / "b") == 1
    assert capsys.readouterr().out.splitlines() == [
        "weights: they differ",
        f"test_confidences.npy: only in {tmp_path / 'a'}",
        "val_predictions.npy: they differ",
        "all recorded settings are the same",
    ]


def test_a_failure_of_an_earlier_command_is_tried_again_whatever_its_time(tmp_path):
    failure = tmp_path / "a" / "failed.txt"
    failure.parent.mkdir()
    failure.write_text("reason")
    ahead = time.time() + 60  # the clock of a file server
    os.utime(failure, (ahead, ahead))

    def train(folder):
        return finished(folder)

    assert share([tmp_path / "a"], train) == 0


def test_a_run_that_failed_in_another_process_meanwhile_is_not_tried_again(tmp_path):
    began = []

    def train(folder):
        began.append(folder.name)
        note_failure(tmp_path / "b", ValueError("in another process"))
        return finished(folder)

    assert share([tmp_path / "a", tmp_path / "b"], train) == 1
    assert began == ["a"]


def test_a_run_found_locked_is_looked_at_again_after_each_round(tmp_path):
    began, other = [], run_lock(tmp_path / "a")

    def train(folder):
        began.append(folder.name)
        if folder.name == "b":
            other.__exit__(None, None, None)  # the other process has ended
        return finished(folder)

    assert other.__enter__()
    assert share([tmp_path / "a", tmp_path / "b"], train) == 0
    assert began == ["b", "a"]


def test_runs_that_another_process_trains_are_told_with_its_number(tmp_path, capsys):
    with run_lock(tmp_path / "a"):
        assert share([tmp_path / "a"], finished) == 1
        first, last = capsys.readouterr().err.splitlines()
        who = f"{platform.node()}, process {os.getpid()}"
        assert first == f"{tmp_path / 'a'}: being trained by {who}"
        assert last == "1 of 1 runs are not finished yet; evaluate when they are"
        assert share([tmp_path / "a"], finished, alone=False) == 0  # its parent looks after it
    assert capsys.readouterr().err == ""


def test_an_output_that_nobody_reads_is_no_failure_of_a_run(tmp_path):
    began = []

    def train(folder):
        began.append(folder.name)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        share([tmp_path / "a", tmp_path / "b"], train)
    assert began == ["a"]
    assert not (tmp_path / "a" / "failed.txt").exists()


def test_a_reason_may_hold_a_file_name_that_is_no_text(tmp_path):
    assert note_failure(tmp_path, ValueError(os.fsdecode(b"\xff.txt"))).startswith("ValueError: ")
    assert (tmp_path / "failed.txt").read_bytes().startswith(b"ValueError: ?.txt\n")


def test_refused_input_gives_status_2_whatever_fails_after_it(tmp_path):
    def train(folder):
        raise InputError("reason") if folder.name == "a" else ValueError("reason")

    assert share([tmp_path / "a", tmp_path / "b"], train) == 2


def test_a_failure_that_cannot_be_noted_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def train(folder):
        if folder.name == "a":
            raise ValueError("reason")
        return finished(folder)

    monkeypatch.setattr(run_sharing, "replace_file", full)
    assert share([tmp_path / "a", tmp_path / "b"], train) == 1
    told = capsys.readouterr()
    assert "a: failed: ValueError: reason" in told.err
    assert "b: 1 epochs" in told.out


def test_looking_at_a_run_does_not_keep_others_from_it(tmp_path, monkeypatch):
    with run_lock(tmp_path):
        pass
    with open(tmp_path / ".lock") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert holder(tmp_path) is None
        ended = SimpleNamespace(sleep=lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        monkeypatch.setattr(run_sharing, "time", ended)
        with run_lock(tmp_path) as mine:
            assert mine


def test_status_tells_minutes_and_that_a_failed_run_is_tried_again(dataset, tmp_path):
    run = write_finished_run(tmp_path / "vgg-seed0", dataset, epochs=30, seconds=90.0)
    assert state_of(run.folder) == ("finished", "30 epochs in 1.5 min")
    state, why = state_of(run.folder, Identity(run.model, run.seed, PROTOCOL, run.dataset))
    assert state == "refused"
    assert why.endswith("vgg-seed0 was trained with BATCH_SIZE 128, not 8")
    note_failure(run.folder, ValueError("reason"))
    assert state_of(run.folder) == ("failed", "ValueError: reason")
    with run_lock(run.folder):
        assert state_of(run.folder)[0] == "running"


def test_a_closed_output_fails_no_run_and_costs_no_step(undisturbed, tmp_path, capsys):
    flags = command(undisturbed[0], tmp_path, *MATRIX)
    with subprocess.Popen(flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # as `| head` does
        assert b"Broken pipe" in process.stderr.read()
    assert process.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cnn2-seed0"]
    assert (tmp_path / "cnn2-seed0" / "checkpoint.npz").exists()
    assert not (tmp_path / "cnn2-seed0" / "failed.txt").exists()
    subprocess.run(command(undisturbed[0], tmp_path, *ONE), check=True, capture_output=True)
    assert identical(undisturbed[1] / "cnn2-seed0", tmp_path / "cnn2-seed0", capsys)


def test_a_log_on_a_full_disk_fails_no_run_and_costs_no_step(undisturbed, tmp_path, capsys):
    flags = command(undisturbed[0], tmp_path, *MATRIX)
    with open("/dev/full", "w") as full:
        process = subprocess.run(flags, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert_one_sentence(process, 1, "standard output", "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["cnn2-seed0"]
    assert (tmp_path / "cnn2-seed0" / "checkpoint.npz").exists()
    assert not (tmp_path / "cnn2-seed0" / "failed.txt").exists()
    subprocess.run(command(undisturbed[0], tmp_path, *ONE), check=True, capture_output=True)
    assert identical(undisturbed[1] / "cnn2-seed0", tmp_path / "cnn2-seed0", capsys)


def test_a_signal_ends_the_process_though_the_disk_is_full(tmp_path, capsys):
    """It would go on with the next run otherwise."""
    folders, begun = [tmp_path / "vgg-seed0", tmp_path / "vgg-seed1"], []

    def train(folder):
        begun.append(folder)
        checkpoint = Checkpoint(folder, None, None, None, None, minutes=10)

        def save():
            raise OSError(errno.ENOSPC, "No space left on device", str(checkpoint.path))

        checkpoint.save = save
        with checkpoint.saved_when_stopped():
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(OSError, match="No space left on device") as error:
        share(folders, train)
    assert error.value.filename == str(folders[0] / "checkpoint.npz")
    assert begun == folders[:1]
    assert not capsys.readouterr().err


def test_compare_says_from_which_epoch_on_and_which_setting_differs(dataset, tmp_path, capsys):
    train(dataset, tmp_path / "a", PROTOCOL._replace(epochs=3))
    train(dataset, tmp_path / "b", PROTOCOL._replace(epochs=3, lr_patience=3))
    run = json.loads((tmp_path / "b" / "run.json").read_text())
    run["environments"] = [{"onednn": False}]
    (tmp_path / "b" / "run.json").write_text(json.dumps(run))
    lines = (tmp_path / "b" / "history.csv").read_text().splitlines(keepends=True)
    (tmp_path / "b" / "history.csv").write_text("".join([*lines[:2], "2,other\n", *lines[3:]]))
    assert compare(tmp_path / "a", tmp_path / "b") == 1
    told = capsys.readouterr().out
    assert "history: they differ from epoch 2 on" in told
    assert "recorded setting protocol.lr_patience: 2 and 3" in told
    assert "recorded setting environments.0.onednn: None and False" in told
    with pytest.raises(InputError, match="holds no finished run"):
        compare(tmp_path / "a", tmp_path)


def test_what_run_json_records_and_lost_predictions_are_compared_too(dataset, tmp_path, capsys):
    for name in "ab":
        train(dataset, tmp_path / name, PROTOCOL._replace(epochs=2))
    assert compare(tmp_path / "a", tmp_path / "b") == 0
    path = tmp_path / "b" / "run.json"
    record = json.loads(path.read_text())
    record["misclassified"]["test"]["misclassified"] += 1
    path.write_text(json.dumps(record | {"epochs": 1, "best_epoch": 1}))
    for name in "ab":
        (tmp_path / name / "test_predictions.npy").unlink()
    capsys.readouterr()
    assert compare(tmp_path / "a", tmp_path / "b") == 1
    told = capsys.readouterr().out
    assert "identical" not in told
    for name in "epochs", "best_epoch", "misclassified":
        assert f"{name}: run.json records different ones" in told
    assert "test_predictions.npy: in neither folder" in told


def test_networks_and_seeds_that_are_named_twice_are_trained_once(tmp_path):
    models = "vgg", "cnn2", "cnn2:hidden_activation=linear"
    matrix = matrix_of(models=models, seeds=(1, 0, 1), results=tmp_path)
    found = [(model, seed) for _, model, seed in matrix]
    assert found == [("vgg", 1), ("cnn2", 1), ("vgg", 0), ("cnn2", 0)]


def test_a_missing_gpu_is_one_sentence_where_one_is_required(run, undisturbed, tmp_path):
    dataset = undisturbed[0]
    _, *flags = command(dataset, tmp_path, *MATRIX)
    words = "REQUIRE_GPU", "driver", "--gpus all"
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    assert_one_sentence(run(*flags, "--require-gpu", env=hidden), 1, *words)
    process = run(*flags, env=hidden | {"REQUIRE_GPU": "1"})
    assert_one_sentence(process, 1, *words)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_with_any_flipped_bit_is_the_same_or_refused(dataset, tmp_path, monkeypatch):
    checkpoint = interrupted(dataset, tmp_path / "run", monkeypatch)
    content = checkpoint.read_bytes()
    moments = random.Random(0)
    monkeypatch.setattr(train_models, "train_steps", stop)
    for _ in range(15):
        bit = moments.choice([*range(8 * 200), *range(8 * (len(content) - 2000), 8 * len(content))])
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        checkpoint.write_bytes(damaged)
        with pytest.raises((Killed, InputError)) as error:
            train(dataset, tmp_path / "run")
        if error.type is InputError:
            assert "checkpoint.npz is damaged" in str(error.value)
            assert "delete it" in str(error.value)


def stop(*arguments):
    raise Killed


def test_status_and_compare_take_damaged_texts(run, undisturbed, tmp_path, capsys):
    dataset, results, _, _ = undisturbed
    shutil.copytree(results / "vgg-seed0", tmp_path / "vgg-seed0")
    (tmp_path / "vgg-seed0" / "history.csv").write_bytes(b"\xff\xfe\x00\n\x80")
    assert compare(tmp_path / "vgg-seed0", results / "vgg-seed0") == 1
    assert "history: they differ from epoch 0 on" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"history\.csv holds no finished"):
        compare(tmp_path / "vgg-seed0" / "history.csv", results / "vgg-seed0")
    broken = tmp_path / "cnn2-seed0"
    broken.mkdir()
    for name in "history.csv", "failed.txt":
        (broken / name).write_bytes(b"\xff\xfe\x00\n\x80")
    _, *flags = command(dataset, tmp_path, *MATRIX, "--status")
    process = run(*flags)
    assert process.returncode == 0, process.stderr
    assert "failed" in process.stdout.splitlines()[0]


def test_a_process_that_leaves_runs_to_others_does_not_pass_for_finished(
    run, undisturbed, tmp_path
):
    dataset = undisturbed[0]
    _, *flags = command(dataset, tmp_path, *MATRIX)
    with run_lock(tmp_path / "vgg-seed0") as mine:
        assert mine
        process = run(*flags)
    assert process.returncode == 1
    assert "vgg-seed0: being trained by" in process.stderr
    assert "1 of 3 runs are not finished yet" in process.stderr
    assert run(*flags).returncode == 0


def test_ctrl_c_while_tensorflow_starts_is_told_in_a_word(undisturbed, tmp_path):
    for seconds in 0, 1:
        flags = command(undisturbed[0], tmp_path, *MATRIX)
        process = subprocess.Popen(flags, stderr=subprocess.PIPE, text=True)
        while "tensorflow" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        if "stopped after a checkpoint" not in errors:  # a fast machine is further
            assert errors == "train_models.py: error: interrupted\n"
            assert process.returncode == 130
