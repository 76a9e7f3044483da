"""Files: replaced as a whole or not at all, locked, hashed, read as JSON, opened as arrays."""

import fcntl
import glob
import hashlib
import json
import math
import os
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from benchmark.command_line import LARGEST, InputError


@contextmanager
def replace_file(path):
    """Open a new binary file that takes the place of `path` once it is complete on disk.

    Whatever interrupts the writing, `path` holds its old content or all of the new one; its
    permissions stay. A symbolic link stays one; a device or pipe, which nothing can replace, is
    written to. Errors of the system name `path`.
    """
    path = Path(path)
    if path.is_symlink():
        path = path.resolve()
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder, accepted: the name of a file")
    if path.exists() and not path.is_file():
        try:
            with open(path, "wb") as file:
                yield file
        except OSError as error:
            error.filename = error.filename or str(path)
            raise
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        with open(temporary, "xb") as file:
            lock(file, fcntl.LOCK_EX)
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise


def refuse_input(name, path, inputs):
    """Raise InputError if the file to be written is one of those that are read.

    name: the constant that names the file; inputs: paths, or None.
    """
    if path is None or not Path(path).exists():
        return
    for other in inputs or ():
        if Path(other).exists() and Path(other).samefile(path):
            raise InputError(f"{name} is {path}, which is read, too, accepted: another file")


def remove_abandoned(path):
    """Remove what processes that were killed while they replaced `path` have left beside it."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        with suppress(OSError), open(temporary, "rb") as file:
            # The system takes the lock from a dead process. NFS locks exclusively only what is open
            # for writing.
            if lock(file, fcntl.LOCK_SH):
                temporary.unlink()


def read_json(path, writer):
    """Read a JSON file that holds one object; writer: the script that writes such files.

    Returns a dict. Raises FileNotFoundError, and InputError as `parse_json` does.
    """
    return parse_json(Path(path).read_bytes(), path, writer)


def parse_json(text, path, writer):
    """Return the one object, a dict, that the text of a JSON file holds; writer: see `read_json`.

    Raises InputError naming the file for anything that is not a JSON object or has a key twice.
    """
    again = f"{writer} writes such files"
    try:
        content = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); {again}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a list or a single value, accepted: an object; {again}")
    return content


def unique_keys(pairs):
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return content


def is_whole(value, lowest, highest=LARGEST):
    """Tell whether a value of a JSON file is a whole number within limits."""
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def is_number(value, lowest, highest=math.inf):
    """Tell whether a value of a JSON file is a finite number within limits."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    finite = number and abs(value) <= sys.float_info.max  # neither NaN nor more than a float holds
    return finite and lowest <= value <= highest


def are_names(names, classes):
    """Tell whether a value of a JSON file is a list of different texts, one for each class."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return False
    return len(names) == len(set(names)) == classes


def write_json(path, content):
    with replace_file(path) as file:
        file.write(json.dumps(content, indent=2, allow_nan=False).encode() + b"\n")


def lock(file, kind):
    """Try to lock an open file, `kind` being fcntl.LOCK_EX or LOCK_SH; returns whether it worked.

    Raises OSError naming the file where the file system has no locks.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        reason = f"cannot be locked ({error.strerror}); use a folder on a file system with flock"
        raise OSError(error.errno, reason, str(file.name)) from None
    return True


@contextmanager
def one_writer(folder):
    """Hold the folder's lock, which the system gives back when the process and its workers end."""
    with open(folder / ".lock", "w") as file:
        if not lock(file, fcntl.LOCK_EX):
            print(f"waiting for another process that writes into {folder}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_array(file, array):
    """Write an array into an open binary file, the bytes that np.save writes.

    On a full disk np.save may lose the end of a file without an error: it writes through a buffer
    of C, and does not look whether that could be emptied.
    """
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_array(path):
    """Open a .npy file as a read-only memory map. Raises InputError naming the file."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # numpy parses the header as Python: damaged, it raises anything
        reason = str(error) or type(error).__name__
    if "Python objects" in reason:
        raise InputError(
            f"{path} holds Python objects, accepted: numbers, such as class indices as integers"
        )
    if begins_with(path, b"PK\x03\x04"):
        raise InputError(f"{path} is an archive of arrays, accepted: a .npy file, one array")
    raise InputError(f"{path} is truncated or not a .npy file ({reason})")


def begins_with(path, magic):
    try:
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except ValueError:  # of a path that no file can have
        return False
