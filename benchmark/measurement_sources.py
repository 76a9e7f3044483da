"""Where measurements come from: single files, folders, and zip archives, which stay packed.

Every file has a name that does not depend on where the folder or archive stands on the disk. Names
of archives are never used as paths.
"""

import os
import zipfile
import zlib
from collections.abc import Callable
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


class Source(NamedTuple):
    """A file that may hold a measurement."""

    name: str  # the folder's or archive's name, then the path in it; of a single file, its name
    read: Callable  # without arguments; returns bytes, raises InputError
    of_system: bool  # made by macOS or Windows beside what people put there

    @property
    def file_name(self):
        return PurePosixPath(self.name).name


def find_sources(paths):
    """Return the Sources of files, folders and zip archives, by name.

    Raises InputError for a path that does not exist, a folder or archive without any file, and an
    archive that is damaged or unpacks to far more than its size.
    """
    sources = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sources_of_folder(path)
        elif not path.exists():
            raise InputError(f"MEASURED is {path}, which does not exist")
        elif begins_with(path, ZIP) and not is_document(path):
            found = sources_of_archive(path)
        else:
            found = [source(path.name, lambda path=path: read_content(path))]
        if not found:
            raise InputError(f"{path} holds no file, accepted: measurements")
        sources += found
    return sorted(sources, key=lambda source: source.name)


def source(name, read):
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") and part != ".." for part in parts)
    system = hidden or "__MACOSX" in parts or parts[-1].lower() in SYSTEM_FILES
    return Source(name, read, system)


def sources_of_folder(folder):
    base = Path(os.path.abspath(folder)).name  # noqa: PTH100, as resolve() follows links
    found = []
    for parent, _, files in os.walk(folder, onerror=raise_error):
        for file in files:
            path = Path(parent, file)
            name = PurePosixPath(base, *path.relative_to(folder).parts)
            found.append(source(str(name), lambda path=path: read_content(path)))
    return found


def raise_error(error):
    raise error


def is_document(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(OFFICE).isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def sources_of_archive(path):
    try:
        archive = zipfile.ZipFile(path)  # read by the sources, whenever that is
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(f"{path} is a damaged zip archive ({error})") from None
    members = [member for member in archive.infolist() if not member.is_dir()]
    unpacked, size = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > max(SMALL, MOST_UNPACKED * size):
        raise InputError(
            f"{path} unpacks to {unpacked} bytes, {unpacked // size} times its size, accepted: "
            f"archives of measurements, which unpack to {MOST_UNPACKED} times their size at most"
        )
    return [
        source(
            f"{path.name}/{member.filename}",
            lambda member=member: read_member(path.name, archive, member),
        )
        for member in members
    ]


def read_member(archive_name, archive, member):
    """Return the bytes of a file in an open archive. No file is written."""
    name = f"{archive_name}/{member.filename}"
    if member.flag_bits & 1:
        raise InputError(f"{name} is encrypted, accepted: archives without a password")
    try:
        with archive.open(member) as file:
            return read_up_to_limit(name, file)
    except NotImplementedError as error:
        raise InputError(f"{name} is packed in a way that is not read ({error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is damaged in its archive ({error})") from None
