"""Where measurements come from: single files, folders, and zip archives, which stay packed.

Every file has a name that does not depend on where the folder or archive stands on the disk. Names
of archives are never used as paths.
"""

import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from benchmark.command_line import InputError
from benchmark.files import begins_with
from benchmark.measurement_files import read_content, read_up_to_limit

MOST_UNPACKED = 100  # times its size: what an archive of measurements, which are text, unpacks to
SMALL = 2**20  # bytes that any archive may unpack to
ZIP = b"PK\x03\x04"
OFFICE = "[Content_Types].xml", "mimetype"  # members of documents that are zip archives, too
SYSTEM_FILES = "thumbs.db", "desktop.ini"
ARCHIVES = ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"
UTF_8_NAMES = 0x800  # flag of members of an archive


class Source(NamedTuple):
    """A file that may hold a measurement."""

    name: str  # the folder's or archive's name, then the path in it; of a single file, its name
    read: Callable  # without arguments; returns bytes, raises InputError
    of_system: bool = False  # made by macOS or Windows beside what people put there
    is_archive: bool = False  # inside a folder or archive, where it stays packed

    @property
    def file_name(self):
        return PurePosixPath(self.name).name


def find_sources(paths, output=None):
    """Return the Sources of files, folders and zip archives, by name.

    Folders are searched with all their subfolders, links among them, but for the folder `output`.
    Raises InputError for a path that does not exist or is a pipe or device, a folder or archive
    without any file, and an archive that is damaged or unpacks to far more than its size.
    """
    sources = []
    for path, name in names_of(paths).items():
        if path.is_dir():
            found = sources_of_folder(path, name, output)
        elif not path.exists():
            raise InputError(f"MEASURED is {path}, which does not exist")
        elif not path.is_file():  # it would be read once to tell an archive, and then be empty
            raise InputError(
                f"MEASURED is {path}, which is a pipe or device, accepted: files, folders and zip "
                f"archives"
            )
        elif begins_with(path, ZIP) and not is_document(path):
            found = sources_of_archive(path, name)
        else:
            found = [Source(name, lambda path=path: read_content(path))]
        if not found:
            raise InputError(f"{path} holds no file, accepted: measurements")
        sources += found
    return sorted(sources, key=lambda source: source.name)


def names_of(paths):
    """Return path -> its last part, with as many before it as tell all paths apart."""
    parts = {path: path.absolute() for path in map(Path, paths)}
    parts = {path: Path(os.path.normpath(absolute)).parts[1:] for path, absolute in parts.items()}
    count = 1
    while len({of_path[-count:] for of_path in parts.values()}) < len(set(parts.values())):
        count += 1
    different = {of_path: path for path, of_path in parts.items()}  # each file or folder once
    return {path: "/".join(of_path[-count:]) for of_path, path in different.items()}


def source_inside(given, inside, read):
    """Return the Source of a file; given: name of its folder or archive, inside: path in it."""
    path = PurePosixPath(inside)
    hidden = any(part.startswith(".") and part != ".." for part in path.parts)
    file_name = path.name.lower()
    system = hidden or "__MACOSX" in path.parts or file_name in SYSTEM_FILES
    return Source(f"{given}/{inside}", read, system, is_archive=file_name.endswith(ARCHIVES))


def sources_of_folder(folder, given, output=None):
    """Return the Sources of a folder and its subfolders, links among them.

    given: its name; output: a folder that is left out, as it holds what is made of the files.
    """
    found, left_out = [], output and Path(output).resolve()
    for parent, folders, files in os.walk(folder, onerror=raise_error, followlinks=True):
        parts = Path(parent).relative_to(folder).parts
        way = [Path(folder, *parts[:count]).resolve() for count in range(len(parts) + 1)]
        targets = {name: Path(parent, name).resolve() for name in folders}
        folders[:] = [
            name
            for name, target in targets.items()
            if target != left_out and not leads_back(target, way)
        ]
        for file in files:
            path = Path(parent, file)
            inside = path.relative_to(folder).as_posix()
            found.append(source_inside(given, inside, lambda path=path: read_regular(path)))
    return found


def leads_back(target, way):
    """Tell whether a link leads to a folder on the way to it, or above one: that has no end."""
    return any(step.is_relative_to(target) for step in way)


def raise_error(error):
    raise error


def read_regular(path):
    """Return the bytes of a file, but do not wait for what a pipe or device may send."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is a pipe or device, accepted: files")
    return read_content(path)


def is_document(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(OFFICE).isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def sources_of_archive(path, given):
    try:
        archive = zipfile.ZipFile(path)  # read by the sources, whenever that is
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path} is a damaged zip archive ({error})") from None
    members = [(member_name(member), member) for member in archive.infolist()]
    members = [(name, member) for name, member in members if not name.endswith("/")]
    unpacked, size = sum(member.file_size for _, member in members), path.stat().st_size
    if unpacked > max(SMALL, MOST_UNPACKED * size):
        raise InputError(
            f"{path} unpacks to {unpacked} bytes, {unpacked // size} times its size, accepted: "
            f"archives of measurements, which unpack to {MOST_UNPACKED} times their size at most"
        )
    return [
        source_inside(
            given,
            inside,
            lambda name=f"{given}/{inside}", member=member: read_member(name, archive, member),
        )
        for inside, member in members
    ]


def member_name(member):
    """Return the name of a file in an archive, in UTF-8 with / between folders.

    Some programs write UTF-8 without saying so, as macOS does, and some write backslashes.
    """
    name = member.filename
    if not member.flag_bits & UTF_8_NAMES:  # then zipfile has read it as CP437
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def read_member(name, archive, member):
    """Return the bytes of a file in an open archive. No file is written."""
    if member.flag_bits & 1:
        raise InputError(f"{name} is encrypted, accepted: archives without a password")
    try:
        with archive.open(member) as file:
            return read_up_to_limit(name, file)
    except NotImplementedError as error:
        raise InputError(f"{name} is packed in a way that is not read ({error})") from None
    except Exception as error:  # each way of packing has exceptions of its own
        if isinstance(error, (InputError, MemoryError)) or getattr(error, "errno", None):
            raise
        raise InputError(f"{name} is damaged in its archive ({error})") from None
