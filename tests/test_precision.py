"""Lower precision is part of the protocol: recorded, never mixed, reproducible like the rest."""

import json
import subprocess
import sys

import keras
import pytest
from conftest import PROJECT, assert_one_sentence

from benchmark import tensorflow_startup
from benchmark.command_line import InputError
from benchmark.run_comparison import compare
from benchmark.run_folder import read_run

pytestmark = pytest.mark.usefixtures("tensorflow")


def command(dataset, results, *flags):
    script = [sys.executable, PROJECT / "train_models.py", "--dataset", dataset, "--results"]
    networks = "--models", "vgg", "cnn_bn", "--seeds", 0, "--batch-size", 4, "--threads", 1
    return list(map(str, [*script, results, *networks, *flags]))


BFLOAT16 = "--precision", "bfloat16", "--epochs", 4


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A dataset, and results of two networks trained with bfloat16."""
    folder = tmp_path_factory.mktemp("precision")
    generate = "--datapoints 120 --boundary 20 --classes 4 --max-peaks 3 --output"
    render = "--max-shift 5 --test-shift 3 --n-train 6 --n-val 2 --config"
    for script, *flags in (
        ("dataset_config_generator.py", *generate.split(), folder / "s.json"),
        ("spectra_from_config.py", *render.split(), folder / "s.json", "--output", folder / "d"),
    ):
        command_line = [sys.executable, PROJECT / script, *flags]
        subprocess.run(list(map(str, command_line)), check=True, capture_output=True)
    flags = command(folder / "d", folder / "r", *BFLOAT16)
    subprocess.run(flags, check=True, capture_output=True)
    return folder / "d", folder / "r"


def test_weights_and_probabilities_stay_float32(trained):
    for name in "vgg-seed0", "cnn_bn-seed0":
        model = keras.models.load_model(trained[1] / name / "model.keras")
        assert {weight.dtype for weight in model.weights} == {"float32"}
        dtypes = [layer.compute_dtype for layer in model.layers if layer.weights]
        assert dtypes[-1] == "float32"  # the softmax
        assert set(dtypes[:-1]) == {"bfloat16"}
        assert read_run(trained[1] / name).protocol.precision == "bfloat16"


def test_a_run_that_is_stopped_goes_on_to_the_same_bits(trained, tmp_path, capsys):
    dataset, results = trained
    flags = command(dataset, tmp_path, *BFLOAT16)
    for lines in 1, 6:  # how much of the log is read before the process is ended
        with subprocess.Popen(flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            for _ in range(lines):
                process.stdout.readline()
            process.terminate() if lines % 2 else process.kill()
    subprocess.run(flags, check=True, capture_output=True)
    for name in "vgg-seed0", "cnn_bn-seed0":
        assert compare(results / name, tmp_path / name) == 0
        assert "are identical" in capsys.readouterr().out


def test_precisions_are_never_mixed(run, trained, tmp_path):
    dataset, results = trained
    process = run(*command(dataset, results, "--epochs", 4)[1:])
    assert_one_sentence(process, 2, "was trained with PRECISION bfloat16, not float32")
    flags = command(dataset, tmp_path, "--epochs", 4)
    subprocess.run(flags, check=True, capture_output=True)
    (tmp_path / "vgg-seed0").rename(results / "vgg-other")
    process = run("evaluate.py", "--results", results)
    assert_one_sentence(process, 2, "different protocols")
    (results / "vgg-other").rename(tmp_path / "vgg-seed0")


def test_runs_without_a_recorded_precision_are_float32(trained, tmp_path):
    record = json.loads((trained[1] / "vgg-seed0" / "run.json").read_text())
    del record["protocol"]["precision"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert read_run(tmp_path).protocol.precision == "float32"


def test_tensorfloat32_without_a_gpu_is_refused(run, trained, tmp_path):
    process = run(*command(trained[0], tmp_path, "--precision", "tensorfloat32")[1:])
    assert_one_sentence(process, 2, "PRECISION is tensorfloat32", "float32 or bfloat16")


@pytest.fixture
def policy():
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.parametrize(("has", "warned"), [(False, True), (True, False), (None, False)])
def test_a_processor_without_bfloat16_is_warned_of(policy, monkeypatch, capsys, has, warned):
    monkeypatch.setattr(tensorflow_startup, "has_bfloat16", lambda: has)
    tensorflow_startup.set_precision("bfloat16", on_gpu=False)
    assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    assert ("is slower than float32" in capsys.readouterr().err) == warned
    tensorflow_startup.set_precision("float32", on_gpu=False)
    assert keras.mixed_precision.global_policy().name == "float32"
    with pytest.raises(InputError):
        tensorflow_startup.set_precision("tensorfloat32", on_gpu=False)
