"""Published weights: fetched by name, checked, kept in torch's cache."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import torch
from filelock import FileLock  # torch needs it, too
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError, UserValueError

from .index import SCHEME, ZOO, file_name, find_model

__all__ = ['DownloadError', 'download_model', 'load_from_zoo', 'sha256_of']

#: Seconds after which a server that sends nothing is given up.
TIMEOUT = 60


class DownloadError(UserError, OSError):
    """Weights could not be fetched, or are not those of the index."""


def sha256_of(path: str | Path) -> str:
    """Compute a file's SHA-256.

    Args:
        path (str or Path): The file.

    Returns:
        str: 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def download_model(
    name: str,
    folder: str | Path | None = None,
    root: str | Path | None = None,
) -> Path:
    """Fetch the published weights of a model, unless they are there.

    The index gives their address (``Weights``) and their SHA-256
    (``SHA256``), both per model in its ``metafile.yml``; ``MMSELFEMD_ZOO``
    another place (see :func:`~mmselfemd.zoo.index.find_model`). A file
    appears under its name only when it is whole and its SHA-256 is right; a
    download that was cut off leaves nothing and starts again. Of several
    processes, those of other runs included, one downloads and the others
    wait for it.

    Args:
        name (str): ``NAME`` or ``mmselfemd://NAME``.
        folder (str or Path, optional): Where to put the file. Defaults to
            None, which means torch's cache, ``checkpoints`` in
            ``torch.hub.get_dir()``.
        root (str or Path, optional): Same as
            :func:`~mmselfemd.zoo.index.read_model_index`. Defaults to None.

    Returns:
        Path: The file.

    Raises:
        UserValueError: If the index has no such model, or gives no SHA-256.
        WeightsNotPublishedError: If the model has no weights.
        DownloadError: If they cannot be fetched, or are other than the
            index says.
    """
    model = find_model(name, root)
    source, sha256 = model['Weights'], model.get('SHA256')
    # With the package, or where MMSELFEMD_ZOO says.
    local = None if '://' in source else Path(source)
    if local:
        # Not resolved: a hub's cache has links to files of other names.
        source = local.absolute().as_uri()
    elif not sha256:
        raise UserValueError(
            f'{name}: the model index gives no SHA256 of {source}, so that '
            'nobody could tell what was downloaded. Report it; or download '
            'the file by hand, if you trust it, and name its path.'
        )
    folder = Path(folder or Path(torch.hub.get_dir(), 'checkpoints'))
    path = folder / file_name(source)
    if not _is_right(path, sha256):
        if local:
            _check_local(local, sha256)
        folder.mkdir(parents=True, exist_ok=True)
        # A lock of the operating system ends with the process that holds it.
        with FileLock(f'{path}.lock'):
            if not _is_right(path, sha256):  # nobody fetched it meanwhile
                _download(source, path, sha256)
    return path


def _is_right(path: Path, sha256: str | None) -> bool:
    return bool(sha256) and path.is_file() and sha256_of(path) == sha256


def _check_local(path: Path, sha256: str | None) -> None:
    """Raise if a file of this machine is another than the index says."""
    if not sha256 or (found := sha256_of(path)) == sha256:
        return
    raise DownloadError(
        f'{path} is not the file of the model index: its SHA-256 is {found}, '
        f'that of the index {sha256}. If it came with mmselfemd, install that '
        f'again, or name a folder that has the file: {ZOO}=PATH. If it is a '
        'copy of yours, copy it again, or give it another name.'
    )


def _download(source: str, path: Path, sha256: str | None) -> None:
    """Download by torch: to another name, hashed, then renamed."""
    print_log(f'Downloading {source} to {path}', logger='current')
    advice = (
        'Nothing was kept. Try again, or name a folder of weights or a '
        f'mirror: {ZOO}=PATH_OR_URL.'
    )
    try:
        with _timeout():
            torch.hub.download_url_to_file(source, str(path), sha256)
    except RuntimeError as error:  # torch's word for a wrong hash
        raise DownloadError(
            f'{source} was cut off on its way, or is not the file of the '
            f'model index, whose SHA-256 is {sha256}. {advice}'
        ) from error
    except HTTPError as error:
        raise DownloadError(
            f'{source}: the server answers {error.code} {error.reason}. '
            f'{advice}'
        ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, 'reason', None) or error
        raise DownloadError(
            f'{source} could not be fetched into {path.parent}: {reason}. '
            f'{advice}'
        ) from error


@contextmanager
def _timeout() -> Iterator[None]:
    """Let no connection wait for ever: torch sets no limit of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@CheckpointLoader.register_scheme(SCHEME, force=True)
def load_from_zoo(
    filename: str,
    map_location: str | None = None,
    root: str | Path | None = None,
) -> dict:
    """Load the weights of a model of this project by its name.

    They are downloaded into torch's cache the first time. A file that comes
    with the package, or lies in the folder that ``MMSELFEMD_ZOO`` names, is
    read where it lies.

    Args:
        filename (str): ``mmselfemd://NAME``.
        map_location (str, optional): Same as :func:`torch.load`.
            Defaults to None.
        root (str or Path, optional): Same as :func:`download_model`.
            Defaults to None.

    Returns:
        dict: The checkpoint.

    Raises:
        UserError: See :func:`download_model`.
    """
    model = find_model(filename, root)
    path, sha256 = model['Weights'], model.get('SHA256')
    if '://' in path:
        path = download_model(filename, root=root)
    else:
        _check_local(Path(path), sha256)
    return CheckpointLoader.load_checkpoint(
        str(path), map_location, logger='silent'
    )
