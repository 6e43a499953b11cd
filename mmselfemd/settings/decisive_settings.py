"""What of a config decides about the result of its run."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

# Where things lie, how often is saved and what is logged do not.
_DECISIVE = re.compile(
    r'(model|data_preprocessor|optim_wrapper|param_scheduler)\..*'
    r'|(train_cfg|custom_hooks)\..*'
    r'|default_hooks\.(precise_bn|momentum_update|label_weights)\..*'
    r'|auto_scale_lr\.enable'
    r'|train_dataloader\.(batch_size|drop_last|(batch_)?sampler(\..*)?)'
    r'|(train|val|test)_dataloader\.dataset\..*'
    r'|(val|test)_evaluator\..*'
)
_PLACES = re.compile(
    r'(.*\.)?(data_root|data_prefix|backend_args|outfile_prefix)(\..*)?'
)


def decisive_settings(cfg: Mapping) -> dict[str, Any]:
    """Find what of a config decides about the result of its run.

    Args:
        cfg (Mapping): The config, of plain dicts and lists.

    Returns:
        dict[str, Any]: Values by dotted path, in JSON's types; a list of
        values counts as one. Of an annotation file in JSON it is the name
        alone, of the weights that the model starts from likewise.
    """
    settings = {
        path: PurePath(value).name if _is_json_file(path, value) else value
        for path, value in _leaves(cfg, '')
        if _DECISIVE.fullmatch(path) and not _PLACES.fullmatch(path)
    }
    if cfg.get('load_from') and not cfg.get('resume'):
        settings['load_from'] = PurePath(cfg['load_from']).name
    return settings


def _is_json_file(path: str, value: Any) -> bool:
    return path.endswith('ann_file') and str(value).endswith('.json')


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from _leaves(child, f'{path}.{name}' if path else name)
    elif isinstance(node, list | tuple) and any(
        isinstance(child, Mapping) for child in node
    ):
        for position, child in enumerate(node):
            yield from _leaves(child, f'{path}.{position}')
    else:
        yield path, _plain(node)


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(child) for name, child in value.items()}
    exact = (str, int, float, bool, type(None))
    return value if isinstance(value, exact) else repr(value)
