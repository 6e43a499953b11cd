"""Missing files, found before anything long starts."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmselfemd.errors import UserError

from .pipelines import type_name

#: What says where images are; the first is the root of the others.
PATH_SETTINGS = ('data_root', 'ann_file', 'data_prefix', 'db_path')


def check_data_paths(cfg: Config, splits: Sequence[str]) -> None:
    """Raise if a folder or annotation file of the data does not exist.

    Looked at are ``data_root``, ``ann_file`` and ``data_prefix`` of every
    dataset below ``{split}_dataloader``, joined as mmengine's
    ``BaseDataset`` does, the database of mmengine's ``LmdbBackend``, and
    ``ann_file`` of ``{split}_evaluator``. Other data behind another backend
    than the local disk are left to it.

    Args:
        cfg (Config): The config, with the command line's settings.
        splits (Sequence[str]): Of ``train``, ``val`` and ``test``.

    Raises:
        UserError: With the path, the setting that it came from, and how to
            change it.
    """
    for split in splits:
        loader = cfg.get(f'{split}_dataloader') or {}
        evaluator = cfg.get(f'{split}_evaluator') or {}
        for where, node in (
            *walk(loader, f'{split}_dataloader'),
            *walk(evaluator, f'{split}_evaluator'),
        ):
            if node.get('backend_args') is None:
                _check_paths(node, where)


def drop_absent_validation(cfg: Config) -> None:
    """Turn validation off where its images without labels are not there.

    A pre-training run has no need of it: one's own images are rarely put
    into two folders. What is validated with labels stays, and is missed by
    :func:`check_data_paths`.

    Args:
        cfg (Config): The config, with the command line's settings; changed.
    """
    dataset = (cfg.get('val_dataloader') or {}).get('dataset') or {}
    if not type_name(dataset).endswith('UnlabelledDataset'):
        return
    try:
        check_data_paths(cfg, ['val'])
    except UserError as error:
        print_log(
            'Training goes on without validation (matching accuracy on '
            f'held-out images): {error}',
            logger='current',
            level=logging.WARNING,
        )
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None


def walk(node: Any, where: str) -> Iterator[tuple[str, Mapping]]:
    """Go through a config.

    Args:
        node (Any): A part of it.
        where (str): The dotted path of the part.

    Yields:
        tuple[str, Mapping]: Every dict at or below the part, with its path.
    """
    if isinstance(node, Mapping):
        yield where, node
        for name, child in node.items():
            yield from walk(child, f'{where}.{name}')
    elif isinstance(node, list | tuple):
        for position, child in enumerate(node):
            yield from walk(child, f'{where}.{position}')


def _check_paths(node: Mapping, where: str) -> None:
    root = node.get('data_root') or ''
    if not isinstance(root, str):
        return
    if root:
        _check_path(root, f'{where}.data_root')
    for name in PATH_SETTINGS[1:]:
        for setting, path in _named(node.get(name), f'{where}.{name}'):
            if isinstance(path, str) and path:
                _check_path(os.path.join(root, path), setting)


def _named(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """A setting's one path, or each of several, with its dotted name."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield f'{where}.{name}', child
    elif isinstance(value, list | tuple):
        for position, child in enumerate(value):
            yield f'{where}.{position}', child
    else:
        yield where, value


def _check_path(path: str, setting: str) -> None:
    if '://' in path or os.path.exists(path):
        return
    parent = os.path.abspath(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    several = f'. Several are a list: "{setting}=[a,b]"' if ',' in path else ''
    raise UserError(
        f"no such file or folder: '{path}' (what exists is '{parent}'); "
        f'put the data there, or set the place: --cfg-options {setting}=...'
        f'{several}'
    )
