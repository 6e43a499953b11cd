"""``mmselfemd://NAME``: pre-trained backbones by name.

The names come from ``model-index.yml`` and the metafiles that it lists, the
same files that OpenMMLab's tools read.
"""

import difflib
import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import yaml

from mmselfemd.errors import (
    UserError,
    UserFileNotFoundError,
    UserValueError,
)

__all__ = [
    'INDEX',
    'WeightsNotPublishedError',
    'default_root',
    'file_name',
    'find_model',
    'read_model_index',
]

SCHEME = 'mmselfemd://'

#: The name of the index, at the root of a checkout.
INDEX = 'model-index.yml'

#: The environment variable that names a folder of weights, or a mirror.
ZOO = 'MMSELFEMD_ZOO'


class WeightsNotPublishedError(UserError):
    """A model of the index has no weights to download (yet)."""


def default_root() -> Path:
    """Find the folder of ``model-index.yml``: installed, or a checkout.

    Returns:
        Path: The folder.

    Raises:
        FileNotFoundError: If the package is not whole.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / '.mim', package.parent):
        if (root / INDEX).is_file():
            return root
    raise FileNotFoundError(
        f'model-index.yml is neither in {package / ".mim"} nor in '
        f'{package.parent}: mmselfemd is not installed whole. Install it '
        'again, or name the weights by their path.'
    )


def read_model_index(root: str | Path | None = None) -> dict[str, dict]:
    """Read every model that the index names.

    Args:
        root (str or Path, optional): The folder of ``model-index.yml``.
            Defaults to None, which means that of the installed package or
            of the checkout it is imported from.

    Returns:
        dict[str, dict]: A model's name and its entry (``Config``,
        ``Weights``, ...) in the order of the metafiles.
    """
    root = default_root() if root is None else Path(root)
    index = yaml.safe_load((root / INDEX).read_text('utf-8'))
    models = {}
    for metafile in index['Import']:
        content = yaml.safe_load((root / metafile).read_text('utf-8'))
        entries = content if isinstance(content, list) else content['Models']
        models.update((entry['Name'], entry) for entry in entries)
    return models


def find_model(filename: str, root: str | Path | None = None) -> dict:
    """Look up a model that has weights.

    ``Weights`` of the index is an address (with ``://``), or the path of a
    file that comes with the package, from the folder of ``model-index.yml``.

    Where the environment variable ``MMSELFEMD_ZOO`` names a folder, a file
    there comes first: of the published file's name, or ``NAME.pth`` for a
    model without published weights. Where it is an address, it stands in for
    the server and path of the published one.

    Args:
        filename (str): ``mmselfemd://NAME``.
        root (str or Path, optional): Same as :func:`read_model_index`.
            Defaults to None.

    Returns:
        dict: Its entry in the index. ``Weights`` is the place that they are
        taken from: a path or a URL.

    Raises:
        UserValueError: If the index has no such model.
        UserFileNotFoundError: If ``MMSELFEMD_ZOO`` is no folder, or a file
            that comes with the package is not there.
        WeightsNotPublishedError: If the model has no weights. The message
            says how to train it and how to use a file instead.
    """
    name = filename.removeprefix(SCHEME)
    root = default_root() if root is None else Path(root)
    models = read_model_index(root)
    if name not in models:
        near = difflib.get_close_matches(name, models, n=5, cutoff=0.5)
        raise UserValueError(
            f'{filename}: the model index has no {name!r}. '
            f'{"Near names" if near else "Names"}: '
            f'{", ".join(near or models) or "none"}.'
        )
    model = models[name]
    weights = _place_of(model, root)
    if not weights:
        command = (model.get('Metadata') or {}).get(
            'Training Command', f'tools/dist_train.sh {model["Config"]} 8'
        )
        raise WeightsNotPublishedError(
            f'{filename}: the weights of {name} are not published yet.\n'
            f'Train them: {command}\n'
            'or take a file of your own: --cfg-options pretrained=PATH\n'
            'or start from random weights: --cfg-options pretrained=None'
        )
    return dict(model, Weights=weights)


def file_name(url: str) -> str:
    """Take the name of the file out of an address.

    Args:
        url (str): The address.

    Returns:
        str: The last part of its path.
    """
    return os.path.basename(unquote(urlparse(url).path))


def _place_of(model: dict, root: Path) -> str | None:
    """The path or URL that a model's weights are taken from, if any."""
    published, zoo = model.get('Weights'), os.environ.get(ZOO)
    is_ours = bool(published) and '://' not in published
    file = file_name(published) if published else f'{model["Name"]}.pth'
    if zoo and '://' in zoo:
        if published and not is_ours:
            return f'{zoo.rstrip("/")}/{file}'
    elif zoo:
        if not os.path.isdir(zoo):
            raise UserFileNotFoundError(
                f'{ZOO}={zoo}: there is no such folder.'
            )
        path = os.path.join(zoo, file)
        if os.path.isfile(path):
            return path
    if is_ours:
        return str(_shipped(root / published, model['Name']))
    return published


def _shipped(path: Path, name: str) -> Path:
    """The file that comes with the package."""
    if not path.is_file():
        raise UserFileNotFoundError(
            f'{path} is not there: the weights of {name} come with '
            'mmselfemd, which is not installed whole. Install it again, or '
            f'name a folder that has them: {ZOO}=PATH.'
        )
    return path
