"""``mmselfemd://NAME``: pre-trained backbones by name.

The names come from ``model-index.yml`` and the metafiles that it lists, the
same files that OpenMMLab's tools read.
"""

import difflib
from pathlib import Path

import yaml
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError, UserValueError

__all__ = [
    'WeightsNotPublishedError',
    'find_model',
    'load_from_zoo',
    'read_model_index',
]

SCHEME = 'mmselfemd://'


class WeightsNotPublishedError(UserError):
    """A model of the index has no weights to download (yet)."""


def _default_root() -> Path:
    """Find the folder of ``model-index.yml``: installed, or a checkout."""
    package = Path(__file__).resolve().parents[1]
    for root in (package / '.mim', package.parent):
        if (root / 'model-index.yml').is_file():
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
    root = _default_root() if root is None else Path(root)
    index = yaml.safe_load((root / 'model-index.yml').read_text('utf-8'))
    models = {}
    for metafile in index['Import']:
        content = yaml.safe_load((root / metafile).read_text('utf-8'))
        entries = content if isinstance(content, list) else content['Models']
        models.update((entry['Name'], entry) for entry in entries)
    return models


def find_model(filename: str, root: str | Path | None = None) -> dict:
    """Look up a model that has weights.

    Args:
        filename (str): ``mmselfemd://NAME``.
        root (str or Path, optional): Same as :func:`read_model_index`.
            Defaults to None.

    Returns:
        dict: Its entry in the index, with ``Weights``.

    Raises:
        UserValueError: If the index has no such model.
        WeightsNotPublishedError: If the model has no weights. The message
            says how to train it and how to use a file instead.
    """
    name = filename.removeprefix(SCHEME)
    models = read_model_index(root)
    if name not in models:
        near = difflib.get_close_matches(name, models, n=5, cutoff=0.5)
        raise UserValueError(
            f'{filename}: the model index has no {name!r}. '
            f'{"Near names" if near else "Names"}: '
            f'{", ".join(near or models) or "none"}.'
        )
    model = models[name]
    if not model.get('Weights'):
        raise WeightsNotPublishedError(
            f'{filename}: the weights of {name} are not published yet.\n'
            f'Train them: tools/dist_train.sh {model["Config"]} 8\n'
            'or take a file of your own: --cfg-options pretrained=PATH\n'
            'or start from random weights: --cfg-options pretrained=None'
        )
    return model


@CheckpointLoader.register_scheme(SCHEME, force=True)
def load_from_zoo(
    filename: str,
    map_location: str | None = None,
    root: str | Path | None = None,
) -> dict:
    """Load the weights of a model of this project by its name.

    Args:
        filename (str): ``mmselfemd://NAME``.
        map_location (str, optional): Same as :func:`torch.load`.
            Defaults to None.
        root (str or Path, optional): Same as :func:`read_model_index`.
            Defaults to None.

    Returns:
        dict: The checkpoint.

    Raises:
        UserError: See :func:`find_model`.
    """
    # The place for mirrors and for a check of the entry's SHA-256.
    weights = find_model(filename, root)['Weights']
    return CheckpointLoader.load_checkpoint(weights, map_location)
