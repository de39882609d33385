"""Which pictures are made from which."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from contconv_cli.errors import PictureError
from contconv_cli.jobs import Job
from contconv_cli.pictures.formats import FORMATS, SUFFIXES, form_of

# Standard input or output; no argument of a command can hold it.
STANDARD = "\0"


@dataclass
class Plan:
    """All that is to do.

    Attributes:
        jobs: The pictures, in the order of their names.
        place: Where they go, for messages.
        passed_over: Files in folders that are no pictures by their names.
        failures: What cannot be made, and why, such as of a folder that cannot be read.
    """

    jobs: list[Job]
    place: str
    passed_over: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def plan(paths: list[str], output: str | None, label: str, form: str | None) -> Plan:
    """All pictures to make.

    A folder is searched with all that is in it, and comes out as it is; formats are
    kept unless another one is asked for.

    Args:
        paths: Files and folders. Without an output, the second of two is the output, as
            is the last of several if it is a folder.
        output: A file or a folder, or `STANDARD`. Without one, the pictures lie beside
            their sources, with the label in their names.
        label: Of the size, such as ``2.7x``.
        form: The format of all outputs.

    Raises:
        PictureError: If there is nothing to do, or it cannot be done.
        ValueError: If it is not said where the pictures go.
    """
    if "" in (*paths, output):
        raise ValueError("the name of a picture or a folder is empty")
    if not paths:
        raise ValueError("name a picture or a folder, or - for standard input")
    if output is None and len(paths) > 1:
        if len(paths) > 2 and not os.path.isdir(paths[-1]):
            raise ValueError(
                f"{len(paths) - 1} pictures need a folder to go to: -o FOLDER, or an "
                f"existing one as the last argument; {paths[-1]} is none"
            )
        *paths, output = paths
    elif output not in (None, STANDARD) and not Path(output).suffix:
        output += os.sep  # a folder, whether it is there already or not
    try:
        found = _plan(paths, output, label, form)
    except OSError as error:
        raise PictureError(_line(error)) from None
    _check_apart(found.jobs)
    return found


def _line(error: Exception) -> str:
    """One line, of the system's errors, too: such as of a name that is too long."""
    if isinstance(error, OSError):
        return f"{error.filename} cannot be used: {error.strerror}"
    return str(error)


def _real(path: Path) -> Path:
    """Where links lead; a link that leads to itself is its own place."""
    return Path(os.path.realpath(path))


def _is_of_a_picture(output: str) -> bool:
    """Whether it is the name of a picture, and of no folder that is there."""
    ends = output.endswith(("/", os.sep))
    return (
        not ends
        and Path(output).suffix.lower() in SUFFIXES
        and not Path(output).exists()
    )


def _plan(paths: list[str], output: str | None, label: str, form: str | None) -> Plan:
    if STANDARD in (*paths, output):
        return _of_streams(paths, output, form)
    if len(paths) == 1:
        source = Path(paths[0])
        if not _is_there(source):
            raise PictureError(f"{source} does not exist")
        if source.is_dir():
            if output and _is_of_a_picture(output):
                raise PictureError(
                    f"{source} is a folder, but {output} is the name of a picture; for "
                    f"a folder of this name, {output}/"
                )
            name = _real(source).name
            beside = _real(source).parent / f"{name}_{label}"
            target = Path(output) if output else beside
            return _of_folder(source, target, form)
        return _of_file(source, output, label, form)
    assert output is not None
    if _is_of_a_picture(output):
        raise PictureError(
            f"{len(paths)} pictures go to a folder, but {output} is the name of one; "
            f"for a folder of this name, -o {output}/"
        )
    return _of_several([Path(path) for path in paths], Path(output), form)


def _of_several(paths: list[Path], folder: Path, form: str | None) -> Plan:
    """Files and folders into a folder; what cannot be made does not stop the rest."""
    if folder.exists() and not folder.is_dir():
        raise PictureError(
            f"{len(paths)} pictures go to a folder, but {folder} is a file"
        )
    found = Plan([], str(folder))
    for path in paths:
        try:
            more = _of_one_of_several(path, folder, form)
        except (PictureError, OSError) as error:
            found.failures.append(_line(error))
            continue
        found.passed_over += more.passed_over
        found.failures += more.failures
        found.jobs += more.jobs
    return found


def _of_one_of_several(path: Path, folder: Path, form: str | None) -> Plan:
    if not _is_there(path):
        raise PictureError(f"{path} does not exist")
    if path.is_dir():
        return _of_folder(path, folder / _real(path).name, form)
    if path.suffix.lower() not in SUFFIXES and form is None:
        raise PictureError(f"{path} is no picture by its name")
    target = _in_form(folder / path.name, form)
    return Plan([Job(path, target, form_of(target), alone=False)], str(folder))


def _is_there(path: Path) -> bool:
    """Whether there is such a file, or a link that leads nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _of_streams(paths: list[str], output: str | None, form: str | None) -> Plan:
    if len(paths) > 1:
        raise ValueError("- stands for one picture, and there are several")
    source = None if paths[0] == STANDARD else Path(paths[0])
    if source and not _is_there(source):
        raise PictureError(f"{source} does not exist")
    if source and source.is_dir():
        raise PictureError(f"{source} is a folder; - takes one picture")
    if output in (None, STANDARD):
        return Plan([Job(source, None, form, alone=True)], "standard output")
    target = Path(output or "")
    if target.is_dir():
        raise PictureError(f"{target} is a folder; say which file, such as out.png")
    return Plan([Job(source, target, _same(target, form), alone=True)], str(target))


def _of_file(source: Path, output: str | None, label: str, form: str | None) -> Plan:
    if output is None:
        same = form is None or SUFFIXES.get(source.suffix.lower()) == form
        suffix = source.suffix if same else FORMATS[form or ""].suffixes[0]
        target = source.with_name(f"{source.stem}_{label}{suffix}")
    elif Path(output).is_dir() or output.endswith(("/", os.sep)):
        target = _in_form(Path(output) / source.name, form)
    else:
        target = Path(output)
    if target.exists() and source.exists() and target.samefile(source):
        raise PictureError(f"{target} is the picture itself; choose another name")
    return Plan([Job(source, target, _same(target, form), alone=True)], str(target))


def _in_form(target: Path, form: str | None) -> Path:
    if form is None or SUFFIXES.get(target.suffix.lower()) == form:
        return target
    return target.with_suffix(FORMATS[form].suffixes[0])


def _same(target: Path, form: str | None) -> str:
    own = form_of(target)
    if form not in (None, own):
        raise ValueError(f"{target} says {own}, but --format says {form}")
    return own


def _of_folder(source: Path, target: Path, form: str | None) -> Plan:
    if target.exists() and not target.is_dir():
        raise PictureError(f"{source} is a folder, but {target} is a file")
    inner = _real(target)
    if inner == _real(source):
        raise PictureError(f"{target} is the folder itself; choose another one")
    if _real(source).is_relative_to(inner):
        raise PictureError(
            f"{source} lies in {target}, and pictures could overwrite each other; "
            "choose a folder outside"
        )
    found = Plan([], str(target))
    for path in _files(source, inner, found):
        if path.suffix.lower() in SUFFIXES and (path.is_file() or path.is_symlink()):
            to = _in_form(target / path.relative_to(source), form)
            found.jobs.append(Job(path, to, form_of(to), alone=False))
        else:
            found.passed_over.append(path)
    if not found.jobs and not found.failures:
        others = f", but {named(found.passed_over)}" if found.passed_over else ""
        raise PictureError(
            f"{source} holds no pictures ({', '.join(SUFFIXES)}){others}; nothing to do"
        )
    return found


def _files(source: Path, inner: Path, found: Plan) -> list[Path]:
    """All files below a folder, but for hidden ones and those of the target.

    Hidden pictures and folders, and links to folders, are passed over.
    """
    paths: list[Path] = []

    def unreadable(error: OSError) -> None:
        found.failures.append(f"{error.filename} cannot be read: {error.strerror}")

    for folder, folders, names in os.walk(source, onerror=unreadable):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if (here / name).is_symlink() or _real(here / name) != inner
        ]
        others = [
            name
            for name in folders
            if (here / name).is_symlink() or name.startswith(".")
        ]
        folders[:] = [name for name in folders if name not in others]
        found.passed_over += [here / name for name in others]
        for name in names:
            path = here / name
            if not name.startswith("."):
                paths.append(path)
            elif path.suffix.lower() in SUFFIXES:
                found.passed_over.append(path)
    return sorted(path for path in paths if not _real(path).is_relative_to(inner))


def named(paths: list[Path]) -> str:
    """How many files, and the names of the first."""
    names = ", ".join(path.name for path in paths[:5])
    more = ", ..." if len(paths) > 5 else ""
    return f"{len(paths)} other file{'s' * (len(paths) > 1)} ({names}{more})"


def _check_apart(jobs: list[Job]) -> None:
    """Raise PictureError if two pictures would go to one place, or onto a source."""
    places: dict[Path, Job] = {}
    sources = {_real(job.source) for job in jobs if job.source}
    for job in jobs:
        if job.target is None or job.alone:
            continue
        first = places.setdefault(job.target, job)
        if first is not job:
            raise PictureError(
                f"{first.name} and {job.name} would both become {job.target}; make "
                "them in two runs, to two folders"
            )
        if _real(job.target) in sources:
            raise PictureError(
                f"{job.target} is one of the pictures itself; choose another folder"
            )
