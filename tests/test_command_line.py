import importlib
import subprocess
import sys
from typing import Annotated, Literal

import pytest
from conftest import PROJECT, assert_one_sentence

from benchmark.command_line import parse_flags

SCRIPTS = sorted(path.stem for path in PROJECT.glob("*.py"))

# Every type a constant may have; parse_flags reads them as it reads a script's.
COUNT: Annotated[int, "How many."] = 3
RATE: Annotated[float, "How fast."] = 0.5
NAME: Annotated[str | None, "What it is called."] = None
KIND: Annotated[Literal["a", "b"], "Which kind."] = "a"
LIMITS: Annotated[tuple[float, float], "From and to."] = (2, 5)
ITEMS: Annotated[tuple[str, ...], "Which ones."] = ("x",)
CHECKED: Annotated[bool, "Whether to check."] = False
NOT_A_FLAG = 1


def parse(*arguments):
    return vars(parse_flags(sys.modules[__name__], list(arguments)))


def test_constants_are_the_defaults():
    assert parse() == {
        "count": 3,
        "rate": 0.5,
        "name": None,
        "kind": "a",
        "limits": (2, 5),
        "items": ("x",),
        "checked": False,
    }


def test_flags_override_constants_with_their_types():
    flags = "--count 4 --rate 1e-3 --name me --kind b --limits 1 2.5 --items y z --checked"
    assert parse(*flags.split()) == {
        "count": 4,
        "rate": 0.001,
        "name": "me",
        "kind": "b",
        "limits": (1.0, 2.5),
        "items": ("y", "z"),
        "checked": True,
    }


@pytest.mark.parametrize(
    "flags",
    ["--count 1.5", "--rate fast", "--kind c", "--limits 1", "--not-a-flag 2", "--coun 4"],
)
def test_wrong_flags_exit_with_status_2_and_one_line(flags, capsys):
    with pytest.raises(SystemExit) as exit:
        parse(*flags.split())
    assert exit.value.code == 2
    message = capsys.readouterr().err
    assert len(message.strip().splitlines()) == 1
    assert flags.split()[0] in message


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_gives_every_constant_its_sentence(script, run):
    module = importlib.import_module(script)
    process = run(f"{script}.py", "--help")
    assert process.returncode == 0, process.stderr
    shown = " ".join(process.stdout.split())
    for name, hint in module.__annotations__.items():
        if name.isupper():
            assert "--" + name.lower().replace("_", "-") in shown
            assert hint.__metadata__[0] in shown


def test_an_output_that_takes_nothing_ends_in_one_sentence():
    config = PROJECT / "dataset_configs/quick.json"
    command = [sys.executable, str(PROJECT / "class_overlap.py"), "--config", str(config)]
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert_one_sentence(process, 1, "standard output: No space left on device")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"class_overlap.py: error: standard output: Broken pipe\n"


@pytest.mark.parametrize("script", SCRIPTS)
def test_importing_a_script_runs_nothing(script, tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", f"import {script}, sys; print('tensorflow' in sys.modules)"],
        env={"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "False\n"
    assert process.stderr == ""
    assert list(tmp_path.iterdir()) == []
