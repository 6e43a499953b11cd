"""Pipelines of transforms, found in a config."""

from collections.abc import Iterator
from typing import Any


def pipelines_of(node: Any) -> Iterator[list]:
    """Every pipeline below a node, through data sets of data sets.

    Args:
        node (Any): A data loader's config, or a part of it.

    Yields:
        list: What stands under a key ``pipeline``.
    """
    if isinstance(node, dict):
        for name, child in node.items():
            if name == 'pipeline' and isinstance(child, list):
                yield child
            else:
                yield from pipelines_of(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from pipelines_of(child)


def type_name(step: Any) -> str:
    """Name of a transform's class, without a scope.

    Args:
        step (Any): Config of a transform.

    Returns:
        str: Such as ``CutViews``; ``'None'`` for what is no such config.
    """
    kind = step.get('type') if isinstance(step, dict) else None
    kind = getattr(kind, '__name__', kind)  # a class, in a config of Python
    return str(kind).split('.')[-1]
