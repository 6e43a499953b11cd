"""Which settings of a config hold a path, and ``~`` in them."""

import os
import re
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

# As mmengine, mmdet, mmpretrain and this project call them: data_root,
# ann_file, data_prefix, work_dir, img_subdir, db_path, outfile_prefix, folder.
_PATH_NAME = re.compile(
    r'(?:.*_)?(?:root|dir|subdir|folder|file|path|prefix)'
    r'|checkpoint|load_from|pretrained'
)
_OTHER_NAMES = {'drop_path'}  # a share of layers


def holds_path(key: str) -> bool:
    """Whether a setting holds a path, or several.

    Args:
        key (str): The setting, a dotted path.

    Returns:
        bool: Decided by its last name (``data_root``), or by the one before
        in what lies below ``data_prefix``. Positions in a list do not count.
    """
    names = [part for part in key.split('.') if not part.isdigit()]
    is_path = any(map(_is_path_name, names[-1:]))
    return is_path or 'data_prefix' in names[-2:-1]


def expand_home(cfg: Config) -> None:
    """Put the home folder in the place of ``~`` in all settings with a path.

    A shell expands no ``~`` behind ``KEY=``, and neither mmengine nor mmdet
    does: ``work_dir='~/runs'`` would be a folder with the name ``~``.

    Args:
        cfg (Config): A whole config; changed.
    """
    _expand_in(cfg, is_prefix=False)


def _expand_in(node: Mapping | Config, is_prefix: bool) -> None:
    for name, value in list(node.items()):
        expanded = _expanded(
            value, str(name), is_prefix or _is_path_name(str(name))
        )
        if expanded is not value:
            node[name] = expanded


def _expanded(value: Any, name: str, is_path: bool) -> Any:
    if isinstance(value, str):
        return os.path.expanduser(value) if is_path else value
    if isinstance(value, Mapping):
        _expand_in(value, is_prefix=name == 'data_prefix')
    elif type(value) in (list, tuple):
        items = [_expanded(item, name, is_path) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            return type(value)(items)
    return value


def _is_path_name(name: str) -> bool:
    return bool(_PATH_NAME.fullmatch(name)) and name not in _OTHER_NAMES
