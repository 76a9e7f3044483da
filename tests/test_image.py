"""The container image, read without building it: pinned packages, contents, how it starts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import PurePath

import pytest
from conftest import PROJECT

PIN = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(text):
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


def lock():
    return (PROJECT / "requirements.lock").read_text()


def instructions(name):
    """Return the arguments of every instruction of this name in the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [line.partition(" ")[2].strip() for line in lines if line.startswith(f"{name} ")]


def enters_image(path):
    """Say whether .dockerignore lets a file into the image: the last pattern that fits decides."""
    entering = True
    for line in (PROJECT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").split("/")
            if len(pattern) <= len(path.parts) and all(map(fnmatchcase, path.parts, pattern)):
                entering = line.startswith("!")
    return entering


def test_the_lock_has_the_versions_of_requirements_txt_and_no_test_tools():
    benchmark, tools = (PROJECT / "requirements.txt").read_text().split("# Tests")
    assert pins(benchmark).items() <= pins(lock()).items()
    assert not pins(tools).keys() & pins(lock()).keys()
    assert "nvidia-cudnn-cu12" in pins(lock())


def test_every_locked_package_has_a_hash_and_no_address():
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", lock(), flags=re.MULTILINE).strip())
    assert len(entries) == len(pins(lock()))
    for entry in entries:
        first, *hashes = (line.removesuffix("\\").strip() for line in entry.splitlines())
        assert PIN.fullmatch(first), first
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", h) for h in hashes), first
    assert "--require-hashes" in instructions("RUN")[0]


def test_every_script_network_and_class_file_enters_the_image():
    assert "--chmod=755 . ." in instructions("COPY")
    packages = [path.parent for path in PROJECT.glob("*/__init__.py")]
    needed = [
        PROJECT / "LICENSE",
        PROJECT / "requirements.lock",
        PROJECT / "dataset_configs" / "dataset500.json",
        *PROJECT.glob("*.py"),
        *(path for package in packages for path in package.rglob("*.py")),
    ]
    assert len(needed) > 10
    for path in needed:
        assert enters_image(path.relative_to(PROJECT)), path


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".venv/lib/python3.11/site-packages/numpy/__init__.py",
        "datasets/dataset500/x_train.npy",
        "datasets/dataset500/dataset.json",
        "results/shipped/dataset500/vgg-seed0/run.json",
        "tests/test_image.py",
        "model_implementations/__pycache__/wang.cpython-311.pyc",
        "__pycache__/evaluate.cpython-311.pyc",
        "Dockerfile",
    ],
)
def test_nothing_else_enters_the_image(path):
    assert not enters_image(PurePath(path))


def test_what_enters_the_image_is_enough_to_go_from_classes_to_tables(tmp_path):
    """Run the scripts in a folder that holds what the image holds, and nothing else."""
    app = tmp_path / "app"
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        if enters_image(PurePath(name)):
            (app / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, app / name)
    small = (
        "--datapoints 120 --boundary 20 --classes 4 --max-peaks 3 --output dataset_configs/s.json"
    )
    commands = (
        f"dataset_config_generator.py {small}",
        "spectra_from_config.py --config dataset_configs/s.json --max-shift 5 --test-shift 3",
        "train_models.py --dataset datasets/s --models vgg --seeds 0 --epochs 2",
        "baselines.py --dataset datasets/s",
        "evaluate.py --results results/s",
    )
    for command in commands:
        process = subprocess.run(
            [sys.executable, *command.split()],
            cwd=app,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
    assert "\nvgg  " in process.stdout
    assert (app / "results/s/figures/misclassifications.pdf").exists()


def test_the_image_trains_as_an_ordinary_user_and_receives_signals_itself():
    (entrypoint,) = instructions("ENTRYPOINT")
    assert json.loads(entrypoint) == ["python", "train_models.py"]  # a shell would keep SIGTERM
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert instructions("FROM") == ["python:3.11-slim"]
    assert int(instructions("USER")[-1].partition(":")[0]) > 0


def test_every_cuda_library_is_named_to_the_dynamic_linker():
    (install,) = instructions("RUN")
    assert re.search(
        r"/nvidia/\*/lib > /etc/ld\.so\.conf\.d/\S+ && ldconfig$", " ".join(install.split())
    )


def test_the_image_needs_a_gpu_no_home_and_is_deterministic():
    words = shlex.split(" ".join(instructions("ENV")))
    environment = dict(word.split("=", 1) for word in words)
    expected = {
        "REQUIRE_GPU": "1",
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
        "TF_DETERMINISTIC_OPS": "1",
        "PYTHONHASHSEED": "0",
        "HOME": "/tmp",
    }
    assert expected.items() <= environment.items()
