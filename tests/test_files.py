"""Files are replaced as a whole, keep what is theirs, and damaged ones are told in a sentence."""

import errno
import fcntl
import hashlib
import math
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import PROJECT, assert_one_sentence

from benchmark import files
from benchmark.command_line import InputError
from benchmark.files import (
    is_number,
    one_writer,
    open_array,
    read_json,
    remove_abandoned,
    replace_file,
    write_array,
)


def write(path, content=b"new"):
    with replace_file(path) as file:
        file.write(content)


def test_an_empty_file_has_a_hash(tmp_path):
    (tmp_path / "empty").touch()
    assert files.sha256_of(tmp_path / "empty") == hashlib.sha256().hexdigest()


def test_what_a_float_cannot_hold_is_no_number():
    assert is_number(1.7e308, 0)
    for value in 10**400, -(10**400), math.inf, -math.inf, math.nan, True, "1":
        assert not is_number(value, -math.inf)


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "table.md"
    for mode in 0o664, 0o600:
        path.write_text("old")
        path.chmod(mode)
        write(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.read_bytes() == b"new"


def test_an_error_names_the_file_and_not_its_temporary_one(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        write(tmp_path / "table.md")
    assert error.value.filename == str(tmp_path / "table.md")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_named(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError) as error:
        write(tmp_path / "table.md")
    assert error.value.filename == str(tmp_path / "table.md")


def test_a_file_too_large_for_the_user_is_named(run, tmp_path):
    process = run(
        "dataset_config_generator.py",
        *("--output", tmp_path / "mine.json"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert_one_sentence(process, 1, tmp_path / "mine.json", "File too large")


def test_an_array_is_written_as_numpy_does_or_not_at_all(tmp_path):
    """Its last bytes may be those that the disk has no space for."""
    path, array = tmp_path / "a.npy", np.arange(600)
    np.save(tmp_path / "numpy.npy", array)
    expected = (tmp_path / "numpy.npy").read_bytes()
    limits = 100, 700, 4096, len(expected) - 1
    code = f"""
import resource
import numpy as np
from benchmark.files import replace_file, write_array
for limit in {limits}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with replace_file({str(path)!r}) as file:
            write_array(file, np.arange(600))
    except OSError as error:
        print(error.strerror)
"""
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert process.stdout == len(limits) * "File too large\n"
    assert not path.exists()
    for other in array, np.ones((3, 0), "<f4"), np.ones((4, 5), "<f4").T:
        with replace_file(path) as file:
            write_array(file, other)
        np.save(tmp_path / "numpy.npy", np.ascontiguousarray(other))
        assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_no_script_saves_arrays_by_a_way_that_loses_their_end():
    sources = [*PROJECT.glob("*.py"), *PROJECT.glob("benchmark/*.py")]
    assert not [path for path in sources if "np.save(file" in path.read_text()]


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else_is(tmp_path):
    path = tmp_path / "table.md"
    code = f"""
import os, signal
from benchmark.files import replace_file
with replace_file({str(path)!r}) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False)
    assert process.returncode == -signal.SIGKILL
    kept = [tmp_path / name for name in ("backup.npy.tmp", ".table.md.tmp", ".other.deadbeef.tmp")]
    for other in kept:
        other.write_text("mine")
    assert len(list(tmp_path.iterdir())) == 4
    with replace_file(path) as running:  # another process that is still writing
        running.write(b"first")
        write(path, b"second")
    assert path.read_bytes() == b"first"
    assert sorted(tmp_path.iterdir()) == sorted([path, *kept])


def test_what_a_killed_process_left_is_removed_from_nfs_too(tmp_path, monkeypatch):
    """NFS locks a file exclusively only if it is open for writing."""
    flock = fcntl.flock

    def of_nfs(file, kind):
        if kind & fcntl.LOCK_EX and fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, kind)

    monkeypatch.setattr(fcntl, "flock", of_nfs)
    left = tmp_path / ".table.md.deadbeef.tmp"
    left.write_text("half")
    with replace_file(tmp_path / "table.md") as running:
        running.write(b"first")
        (temporary,) = set(tmp_path.iterdir()) - {left}
        remove_abandoned(tmp_path / "table.md")
        assert temporary.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["table.md"]


def test_a_file_system_without_locks_is_said_to_be_so(tmp_path, monkeypatch):
    def unsupported(file, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with pytest.raises(OSError, match=r"cannot be locked \(No locks available\)") as error:
        write(tmp_path / "run.json")
    assert "run.json" in error.value.filename


def saved(tmp_path, array):
    path = tmp_path / "x_val.npy"
    np.save(path, array, allow_pickle=True)
    return path


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"PK\x03\x04" + 100 * b"x", "archive"),
        (b"", "not a .npy file"),
        (
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (",
            "not a .npy",
        ),
    ],
)
def test_files_that_are_no_arrays_are_refused(tmp_path, header, words):
    path = tmp_path / "x.npy"
    path.write_bytes(header)
    with pytest.raises(InputError, match=words):
        open_array(path)


def test_any_flipped_bit_of_a_header_gives_an_array_or_one_sentence(tmp_path):
    content = saved(tmp_path, np.ones((3, 4))).read_bytes()
    path = tmp_path / "flipped.npy"
    for bit in range(8 * 128):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numpy, about headers as Python 2 wrote them
            try:
                open_array(path)
            except InputError as error:
                assert "flipped.npy" in str(error)
                assert "allow_pickle" not in str(error)


@pytest.mark.parametrize("shape", [(10**18,), (3, 10**10), (2**63, 2**63), (-3, 4), (10**400,)])
def test_shapes_that_the_file_does_not_hold_are_refused(tmp_path, shape):
    path = tmp_path / "huge.npy"
    with open(path, "wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        file.write(bytes(96))
    with pytest.raises(InputError, match=r"huge\.npy"):
        open_array(path)


def test_arrays_of_objects_are_refused_with_advice(tmp_path):
    path = saved(tmp_path, np.array(["a", 1], dtype=object))
    with pytest.raises(InputError, match="holds Python objects, accepted: numbers") as error:
        open_array(path)
    assert "pickle" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[1, 2]", "holds a list"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands there twice"),
        (b'{"a": {"b": 1, "b": 2}}', "the key 'b' stands there twice"),
        (b'{"a": ' + 100_000 * b"[", "not valid JSON"),
        (b'{"a": 1' + 5000 * b"0" + b"}", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"a": 1', "not valid JSON"),
    ],
)
def test_damaged_json_is_told_in_a_sentence(tmp_path, text, words):
    path = tmp_path / "run.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=words) as error:
        read_json(path, "train_models.py")
    assert str(path) in str(error.value)


def test_random_damage_of_json_never_escapes(tmp_path):
    content = (PROJECT / "dataset_configs/quick.json").read_bytes()
    path = tmp_path / "quick.json"
    moments = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(moments.randint(1, 4)):
            damaged[moments.randrange(len(damaged))] = moments.randrange(256)
        path.write_bytes(damaged)
        try:
            read_json(path, "dataset_config_generator.py")
        except InputError:
            continue


def test_a_second_writer_says_that_it_waits_for_the_first(tmp_path, monkeypatch):
    said, order = [], []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=said.append))

    def write_second():
        with one_writer(tmp_path):
            order.append("second")

    second = threading.Thread(target=write_second)
    with one_writer(tmp_path):
        second.start()
        deadline = time.monotonic() + 10
        while "\n" not in said and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
    second.join()
    assert "".join(said) == f"waiting for another process that writes into {tmp_path}\n"
    assert order == ["first", "second"]
