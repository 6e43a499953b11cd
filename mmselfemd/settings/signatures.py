"""Which keys a config dict may hold, as far as signatures tell."""

import inspect
from collections.abc import Callable
from typing import Any

import mmengine.registry
from mmengine.registry import Registry


def parameter_names(builder: Callable | type) -> tuple[set[str], bool]:
    """Return the names that a class or function can be called with.

    Where a constructor takes ``**kwargs``, the constructors of the base
    classes that it can hand them to are read too.

    Args:
        builder (Callable or type): What a config's ``type`` stands for.

    Returns:
        tuple[set[str], bool]: The names, and whether they are all: False if
        ``**kwargs`` went where no signature tells.
    """
    if not inspect.isclass(builder):
        return _names_of(builder)
    names: set[str] = set()
    for cls in builder.__mro__:
        if cls is object or '__init__' not in vars(cls):
            continue
        own, complete = _names_of(cls.__init__)
        names |= own - {'self'}
        if complete:
            return names, True
    return names, builder.__init__ is object.__init__


def _names_of(function: Callable) -> tuple[set[str], bool]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return set(), False
    kinds = {parameter.kind for parameter in parameters}
    names = {
        parameter.name
        for parameter in parameters
        if parameter.kind
        not in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
    }
    return names, inspect.Parameter.VAR_KEYWORD not in kinds


def find_builders(type_: Any, default_scope: str | None) -> list[Callable]:
    """Return what a config's ``type`` may stand for.

    The place in the config does not say which registry it will be looked up
    in, so all of mmengine's roots are asked.

    Args:
        type_ (str or Callable): The value of ``type``.
        default_scope (str, optional): The ``default_scope`` of the config.

    Returns:
        list[Callable]: Classes and functions; empty if none is known.
    """
    if callable(type_):
        return [type_]
    keys = (
        [type_]
        if default_scope is None or '.' in type_
        else [f'{default_scope}.{type_}', type_]
    )
    found = []
    for root in vars(mmengine.registry).values():
        if isinstance(root, Registry):
            builder = next(filter(None, map(root.get, keys)), None)
            if builder is not None and builder not in found:
                found.append(builder)
    return found
