import ast
import importlib
import json
import os
import subprocess
import sys
from typing import Annotated, Literal

import pytest
from conftest import PROJECT, assert_one_sentence, run_here

import class_file_from_peaks
import measured_dataset
import rank_correlation
import sample_size
import train_models
from benchmark.command_line import InputError, parse_flags, require_folder

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


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    require_folder("OUTPUT", tmp_path)
    require_folder("OUTPUT", tmp_path / "new/folder")
    for path, what in (
        (tmp_path / "file", "a folder, not a file"),
        (tmp_path / "file/below/it", f"a folder; {tmp_path / 'file'} is a file"),
        (tmp_path / "link", "a folder, not a file"),
    ):
        with pytest.raises(InputError, match=f"OUTPUT is {path}, accepted: {what}"):
            require_folder("OUTPUT", path)


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
def test_help_gives_every_constant_its_sentence(script, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # argparse breaks lines within words with hyphens
    module = importlib.import_module(script)
    process = run(f"{script}.py", "--help")
    assert process.returncode == 0, process.stderr
    shown = " ".join(process.stdout.split())
    for name, hint in module.__annotations__.items():
        if name.isupper():
            assert "--" + name.lower().replace("_", "-") in shown
            assert hint.__metadata__[0] in shown


def test_a_locale_without_utf_8_changes_nothing(run, tmp_path):
    locale = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    process = run("dataset_config_generator.py", "--output", tmp_path / "a.json", env=locale)
    assert process.returncode == 0, process.stderr
    published = "from benchmark.published_results import PUBLISHED as p; print(ascii(p['paper']))"
    command = [sys.executable, "-c", published]
    shown = [
        subprocess.run(command, capture_output=True, check=True, cwd=PROJECT, env=env).stdout
        for env in (locale, os.environ)
    ]
    assert shown[0] == shown[1]


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
    process = subprocess.run(
        [*command, "--json", "/dev/full"], capture_output=True, text=True, check=False
    )
    assert_one_sentence(process, 1, "/dev/full: No space left on device")


def test_importing_a_script_runs_nothing(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", f"import sys, {', '.join(SCRIPTS)}; print('keras' in sys.modules)"],
        env={"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout == "False\n"
    assert process.stderr == ""
    assert list(tmp_path.iterdir()) == []


EDITED = [
    ("train_models.py", "SEEDS = 0", "a tuple"),
    ("train_models.py", 'SEEDS = ("0", "1")', "a whole number"),
    ("train_models.py", "SEEDS = (0.0,)", "a whole number"),
    ("train_models.py", "SEEDS = ()", "once or more"),
    ("train_models.py", 'MODELS = ("cnn2")', "a tuple"),
    ("train_models.py", "BATCH_SIZE = 64.0", "a whole number"),
    ("train_models.py", "BATCH_SIZE = True", "a whole number"),
    ("train_models.py", "THREADS = 1.5", "a whole number"),
    ("train_models.py", "STOP_PATIENCE = None", "a whole number"),
    ("train_models.py", 'LEARNING_RATE = "fast"', "a number"),
    ("train_models.py", "STATUS = 1", "True or False"),
    ("measured_spectra.py", 'MEASURED = "a.txt"', "a tuple"),
    ("measured_spectra.py", "RANGE = (30)", "a tuple"),
    ("measured_spectra.py", 'RANGE = ("30", "40")', "a number"),
    ("measured_spectra.py", "RANGE = (30, 40, 50)", "2 times"),
    ("measured_spectra.py", "DATAPOINTS = 100.0", "a whole number"),
    ("measured_spectra.py", "FIGURE = None", "text"),
    ("spectra_from_config.py", "KERNEL_RANGE = 3", "a tuple"),
    ("spectra_from_config.py", "MAX_SHIFT = 2.5", "a whole number"),
    ("spectra_from_config.py", "N_TRAIN = 4.0", "a whole number"),
    ("dataset_config_generator.py", "CLASSES = 6.0", "a whole number"),
    ("dataset_config_generator.py", 'PEAK_COUNT_DISTRIBUTION = "beta"', "'uniform', 'gamma'"),
]


@pytest.mark.parametrize(("script", "assignment", "accepted"), EDITED)
def test_a_constant_edited_to_a_wrong_type_ends_in_one_sentence(
    monkeypatch, script, assignment, accepted
):
    name, _, value = assignment.partition(" = ")
    module = importlib.import_module(script.removesuffix(".py"))
    monkeypatch.setattr(module, name, ast.literal_eval(value))
    assert_one_sentence(run_here([None, script]), 2, script, f"{name} is ", accepted)


def test_lists_ranges_and_whole_numbers_for_numbers_are_fine(monkeypatch):
    module = sys.modules[__name__]
    for name, value in ("ITEMS", ["y", "z"]), ("LIMITS", [1, 2]), ("RATE", 1):
        monkeypatch.setattr(module, name, value)
    assert parse()["items"] == ("y", "z")
    assert parse()["limits"] == (1, 2)
    assert parse()["rate"] == 1


def test_a_flag_that_is_given_again_adds_its_values():
    assert parse("--items", "y", "--items", "z", "w")["items"] == ("y", "z", "w")
    assert parse("--count", "4", "--count", "5")["count"] == 5


@pytest.mark.parametrize("number", ["-1e1", "-1E+2", "-.5", "-5"])
def test_negative_numbers_are_no_flags(number):
    assert parse("--rate", number)["rate"] == float(number)
    assert parse("--limits", number, "2")["limits"] == (float(number), 2)


def test_an_empty_text_is_refused(capsys):
    for flags in ["--name", ""], ["--items", "y", ""]:
        with pytest.raises(SystemExit) as end:
            parse(*flags)
        assert end.value.code == 2
        assert f"argument {flags[0]}: '' is empty" in capsys.readouterr().err


def test_a_percent_sign_in_a_sentence_is_shown(monkeypatch, capsys):
    sentence = "Share in %, such as 5 % (of %d)."
    hints = __annotations__ | {"COUNT": Annotated[int, sentence]}
    monkeypatch.setattr(sys.modules[__name__], "__annotations__", hints)
    with pytest.raises(SystemExit):
        parse("--help")
    assert sentence in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_ends_with_the_same_call(script):
    """So that what holds for one of them on closed streams and full disks holds for all."""
    last = (PROJECT / script).with_suffix(".py").read_text().rpartition("\n\n\n")[2]
    assert last == 'if __name__ == "__main__":\n    run_script(sys.modules[__name__], main)\n'


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_change_no_status(redirection):
    for flags, status in ("--help", 0), ("--not-a-flag", 2):
        command = f"{sys.executable} {PROJECT}/class_overlap.py {flags} {redirection}"
        process = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert process.returncode == status
        assert "Traceback" not in process.stderr


def test_help_into_a_full_disk_ends_in_one_sentence():
    command = f"{sys.executable} {PROJECT}/class_overlap.py --help >/dev/full"
    process = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert_one_sentence(process, 1, "standard output", "No space left on device")


def test_a_closed_error_stream_does_not_receive_its_output_in_a_file(tmp_path):
    """The next file that is opened takes the number of a closed stream."""
    output = tmp_path / "classes.json"
    command = f"{sys.executable} {PROJECT}/dataset_config_generator.py --output {output} >&- 2>&-"
    subprocess.run(command, shell=True, check=True)
    assert output.read_bytes() == (PROJECT / "dataset_configs/dataset500.json").read_bytes()


NOTEBOOK = """
import io, runpy, sys
sys.stdout = sys.stderr = stream = io.StringIO()  # as in Jupyter and Spyder: no file behind it
sys.argv = [{script!r}, *{flags!r}]
try:
    runpy.run_path({script!r}, run_name="__main__")
except SystemExit as exit:
    status = exit.code
sys.__stdout__.write(f"{{status}}\\n{{stream.getvalue()}}")
"""


def test_scripts_run_in_a_notebook():
    flags = ["--config", "dataset_configs/quick.json"]
    code = NOTEBOOK.format(script="class_overlap.py", flags=flags)
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert process.stdout.startswith("None\n"), process.stdout + process.stderr
    assert "overlapping pairs among" in process.stdout


def test_a_value_of_a_million_characters_is_not_printed_whole(run, tmp_path):
    (tmp_path / "long.json").write_text(json.dumps({"datapoints": "9" * 10**6}))
    process = run("class_overlap.py", "--config", tmp_path / "long.json")
    assert_one_sentence(process, 2, "long.json", "datapoints", "accepted: a whole number")
    assert len(process.stderr) < 2000


def test_a_message_of_several_lines_is_one_line(run, tmp_path):
    process = run("class_overlap.py", "--config", "two\nlines.json")
    assert_one_sentence(process, 2, "two lines.json")


def test_a_constant_that_lost_its_annotation_is_named(monkeypatch):
    hints = dict(train_models.__annotations__)
    del hints["BATCH_SIZE"]
    monkeypatch.setattr(train_models, "__annotations__", hints)
    settings = parse_flags(train_models, [])
    with pytest.raises(InputError, match=r"BATCH_SIZE has no annotation, accepted: BATCH_SIZE: "):
        train_models.main(settings)
    assert not hasattr(settings, "anything")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_standard_output_is_named_without_a_buffer(tmp_path):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-u", "dataset_config_generator.py", "--output", tmp_path / "a.json"],
            cwd=PROJECT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert_one_sentence(process, 1, "standard output: No space left on device")


def test_defaults_are_those_that_results_were_made_with():
    expected = {
        measured_dataset: {
            "range": (200, 1200),
            "datapoints": 1000,
            "min_samples": 3,
            "val_share": 0.2,
            "test_share": 0.2,
            "seed": 0,
            "background": "none",
        },
        class_file_from_peaks: {"prominence": 0.04, "min_height": 0.02, "max_peaks": 12},
        sample_size: {
            "n_train": (2, 5, 10, 20, 50, 100, 200),
            "target": 0.99,
            "split": "test",
            "seeds": (0, 1, 2),
        },
        rank_correlation: {"resamples": 2000},
    }
    for script, defaults in expected.items():
        assert vars(parse_flags(script, [])).items() >= defaults.items()
