"""The text of a config, read without running it."""

import ast
from collections.abc import Iterator
from typing import Any

__all__ = ['calls_in', 'read_config_text', 'values_in', 'variables_of']


def read_config_text(text: object) -> dict[str, Any]:
    """Read the variables of a config as a checkpoint holds it.

    mmengine writes a config with all that it inherits as assignments of
    literals and calls of ``dict``. Nothing else is understood, and nothing is
    executed: a value of another kind is left out.

    Args:
        text (object): ``meta['cfg']`` of a checkpoint.

    Returns:
        dict[str, Any]: Its variables; none if it is not such a text.
    """
    try:
        lines = ast.parse(text).body if isinstance(text, str) else []
        return {
            line.targets[0].id: _value(line.value)
            for line in lines
            if isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and _is_plain(line.value)
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Call):
        # `dict({...})`, where a key is no identifier.
        inner = [_value(arg) for arg in node.args if isinstance(arg, ast.Dict)]
        return (
            inner[0]
            if inner
            else {
                keyword.arg: _value(keyword.value)
                for keyword in node.keywords
                if keyword.arg and _is_plain(keyword.value)
            }
        )
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts if _is_plain(item)]
    if isinstance(node, ast.Dict):
        return {
            ast.literal_eval(name): _value(value)
            for name, value in zip(node.keys, node.values, strict=True)
            if name is not None and _is_plain(value)
        }
    return ast.literal_eval(node)


def _is_plain(node: ast.AST) -> bool:
    """Whether a value is a literal, a container, or a call of ``dict``."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == 'dict'
    if isinstance(node, ast.List | ast.Tuple | ast.Dict):
        return True
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def calls_in(tree: ast.Module, name: str) -> list[dict[str, Any]]:
    """Find each ``name=dict(...)`` of a config.

    What the model has of its own goes before a variable of the config, as in
    mmengine's runner: a base's may still be there, and is not used.

    Args:
        tree (ast.Module): The config, parsed.
        name (str): The name.

    Returns:
        list[dict[str, Any]]: Their arguments, as far as they are literals.
    """
    model = variables_of(tree).get('model')
    has_own = isinstance(model, ast.Call) and any(
        keyword.arg == name for keyword in model.keywords
    )
    return [
        _literals(value)
        for value in values_in(model if has_own else tree, name)
        if isinstance(value, ast.Call)
    ]


def variables_of(tree: ast.Module) -> dict[str, ast.expr]:
    """Find what stands behind each variable of a config.

    Args:
        tree (ast.Module): The config, parsed.

    Returns:
        dict[str, ast.expr]: By the variable's name.
    """
    return {
        target.id: line.value
        for line in tree.body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def values_in(tree: ast.AST, name: str) -> Iterator[ast.expr]:
    """Find what stands behind each ``name =`` and ``name=``.

    Args:
        tree (ast.AST): A config, or a part of it, parsed.
        name (str): The name.

    Yields:
        ast.expr: The outer ones before those within others.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            names = [getattr(target, 'id', None) for target in node.targets]
        elif isinstance(node, ast.keyword):
            names = [node.arg]
        else:
            continue
        if name in names:
            yield node.value


def _literals(call: ast.Call) -> dict[str, Any]:
    arguments = {}
    for keyword in call.keywords:
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except (TypeError, ValueError):  # a nested dict(), say
            continue
    return arguments
