"""The text of a config, read without running it."""

import ast
from typing import Any

__all__ = ['read_config_text']


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
