"""Settings from the command line, checked before they enter a config.

mmengine merges whatever it is given: ``model.bakcbone.depth=3`` adds a new
dict that nobody reads, and the run goes on with another backbone than the
user believes. Here a setting has to name something that exists, or something
that the class in question can take.
"""

import difflib
import inspect
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import (
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    LogProcessor,
    Runner,
    TestLoop,
    ValLoop,
)
from torch.utils.data import DataLoader

from mmselfemd.errors import UserError

from .signatures import find_builders, parameter_names

# Read from the config itself, by mmengine's runner or by mmdet's test tool.
_TOP_LEVEL_NAMES = (
    set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
) | {
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}
# Read by our hooks or by the tools, beside the above.
_OUR_TOP_LEVEL_NAMES = {'bands', 'pretrained', 'value_range'}

_LOADER_NAMES = parameter_names(DataLoader)[0] | {
    'disable_subprocess_warning',
    'num_batch_per_epoch',
}
# The runner's own dicts, which are read without a `type`.
_RUNNER_DICTS: dict[str, set[str]] = {
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'env_cfg': {'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
    'log_processor': parameter_names(LogProcessor)[0],
    'optim_wrapper': {'optimizer', 'accumulative_counts', 'clip_grad'},
    'randomness': parameter_names(Runner.set_randomness)[0] - {'self'},
    'test_cfg': parameter_names(TestLoop)[0],
    'test_dataloader': _LOADER_NAMES,
    'train_cfg': {'by_epoch'}
    | parameter_names(EpochBasedTrainLoop)[0]
    | parameter_names(IterBasedTrainLoop)[0],
    'train_dataloader': _LOADER_NAMES,
    'val_cfg': parameter_names(ValLoop)[0],
    'val_dataloader': _LOADER_NAMES,
}
# Dicts of the runner where every name is free.
_FREE_DICTS = {
    'compile',
    'env_cfg.dist_cfg',
    'env_cfg.mp_cfg',
    'model_wrapper_cfg',
    'optim_wrapper.paramwise_cfg',
}
# Taken out by a builder before the class sees its arguments.
_BUILDER_NAMES = {'_delete_', '_scope_', 'type'}
_OPTIM_WRAPPER_NAMES = {'constructor', 'optimizer', 'paramwise_cfg'}


def merge_cfg_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Check settings and merge them into a config, in place.

    Args:
        cfg (Config): The config.
        options (Mapping, optional): Values by dotted path, as from
            ``--cfg-options``.

    Raises:
        UserError: If a path names nothing that exists or can be taken.
    """
    if not options:
        return
    check_cfg_options(cfg, options)
    cfg.merge_from_dict(dict(options))


def check_cfg_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Raise if a setting names nothing that exists or can be taken.

    Every part of a path must exist, list positions included. A new name is
    allowed where somebody is known to read it: at the top level if
    ``Runner`` does, in the runner's own dicts, and in a dict with ``type``
    if that class has it in its signature. What lies below a new name cannot
    be checked.

    Args:
        cfg (Config): The config, not yet changed.
        options (Mapping): Values by dotted path.

    Raises:
        UserError: With the nearest existing names.
    """
    for key in options:
        _check_path(cfg, key, options)
        if '.' not in key and key not in (
            _TOP_LEVEL_NAMES | _OUR_TOP_LEVEL_NAMES
        ):
            print_log(
                f'--cfg-options {key}: a variable of the config file. What '
                'the file built from it stays as it was; set the places '
                'that you mean instead.',
                logger='current',
                level=logging.WARNING,
            )


def _check_path(cfg: Config, key: str, options: Mapping[str, Any]) -> None:
    node: Any = cfg
    walked: list[str] = []
    for part in key.split('.'):
        where = '.'.join(walked)
        if isinstance(node, Mapping | Config):
            if part not in node:
                _check_new_name(cfg, node, where, part, key, options)
                return
            node = node[part]
        elif isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise UserError(
                    f"--cfg-options {key}: '{where}' is a list with positions "
                    f"0 to {len(node) - 1}; it has no '{part}'"
                )
            node = node[int(part)]
        else:
            raise UserError(
                f"--cfg-options {key}: '{where}' is {node!r}, which has no "
                f"parts, so no '{part}'"
            )
        walked.append(part)


def _check_new_name(
    cfg: Config,
    node: Any,
    where: str,
    part: str,
    key: str,
    options: Mapping[str, Any],
) -> None:
    if where in _FREE_DICTS or _is_new_hook(where, key, options):
        return
    allowed = _names_that_are_read(cfg, node, where, options)
    if allowed is None:
        print_log(
            f"--cfg-options {key}: cannot tell whether '{where}' takes "
            f"'{part}'",
            logger='current',
            level=logging.WARNING,
        )
        return
    if part in allowed:
        return
    candidates = {*node, *allowed} - _BUILDER_NAMES
    raise UserError(
        f'--cfg-options {key}: '
        f'{repr(where) if where else "the config"} has no '
        f"'{part}'; {suggest(part, candidates)}"
    )


def _is_new_hook(where: str, key: str, options: Mapping[str, Any]) -> bool:
    """Whether a new name in ``default_hooks`` comes with its ``type``."""
    if where != 'default_hooks':
        return False
    name = '.'.join(key.split('.')[:2])
    whole = options.get(name, {})
    return (
        whole is None
        or 'type' in whole
        or options.get(f'{name}.type') is not None
    )


def _names_that_are_read(
    cfg: Config, node: Any, where: str, options: Mapping[str, Any]
) -> set[str] | None:
    """Names that may be added to a dict; None if that cannot be told."""
    if not where:
        return _TOP_LEVEL_NAMES
    type_ = options.get(f'{where}.type', node.get('type'))
    names = set(_BUILDER_NAMES)
    if where.endswith('norm_cfg'):
        names.add('requires_grad')
    if where == 'optim_wrapper':
        names |= _OPTIM_WRAPPER_NAMES
        type_ = type_ or 'OptimWrapper'
    if type_ is None:
        return names | _RUNNER_DICTS.get(where, set())
    builders = find_builders(type_, cfg.get('default_scope'))
    if not builders:
        return None
    for builder in builders:
        taken, complete = parameter_names(builder)
        if not complete:
            return None
        names |= taken
    return names


def suggest(name: str, candidates: Iterable[str]) -> str:
    """Return a clause that helps to find the name that was meant.

    Args:
        name (str): What was typed.
        candidates (Iterable[str]): What there is.

    Returns:
        str: "did you mean 'x' or 'y'?", or "it has: ..." where nothing
        resembles the name.
    """
    candidates = sorted(candidates)
    near = difflib.get_close_matches(name, candidates, n=3, cutoff=0.5)
    if near:
        return f'did you mean {" or ".join(map(repr, near))}?'
    if not candidates:
        return 'there is none'
    shown = ', '.join(candidates[:12])
    return f'it has: {shown}{", ..." if len(candidates) > 12 else ""}'
