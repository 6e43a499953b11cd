"""The text of a config that people read and change."""

import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple

_WIDTH = 79


class Setting(NamedTuple):
    """A line of a config, or several.

    Attributes:
        name (str): What stands to the left of ``=``.
        value (Any): Of plain dicts, lists, tuples, texts and numbers, and
            :class:`Name`.
        comment (str): What stands above. Defaults to '': nothing.
    """

    name: str
    value: Any
    comment: str = ''


class Name(str):
    """A name that a config has given before: written without quotes."""

    __repr__ = str.__str__


def config_text(header: Iterable[str], settings: Iterable[Setting]) -> str:
    """Write a config.

    Args:
        header (Iterable[str]): Lines of the comment at its top.
        settings (Iterable[Setting]): What it sets, in order.

    Returns:
        str: Python, as mmengine's text configs are.
    """
    lines = [f'# {in_one_line(line)}'.rstrip() for line in header]
    for setting in settings:
        if setting.comment:
            lines += ['', *_comment(setting.comment)]
        lines.append(f'{setting.name} = {_written(setting.value, setting)}')
    return '\n'.join(lines) + '\n'


def in_one_line(text: str) -> str:
    """A text of anyone's as a config can hold it, in one line.

    A line break in the name of a class or a folder would end a comment, and
    what follows would be run; and mmengine replaces some names in ``{{ }}``.

    Args:
        text (str): Any text.

    Returns:
        str: The same, with what is not printable, and ``{{``, as Python
        escapes it within quotes.
    """
    escaped = (
        each
        if each.isprintable()
        else each.encode('unicode_escape').decode('ascii')
        for each in text
    )
    return ''.join(escaped).replace('{{', r'{\x7b')


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent='# ',
        subsequent_indent='# ',
        break_long_words=False,
        break_on_hyphens=False,
    )


def _written(value: Any, setting: Setting) -> str:
    return _expression(value, 0, _WIDTH - len(setting.name) - 3)


def _expression(value: Any, indent: int, width: int) -> str:
    """A value in one line if it has the room, else in several."""
    short = _literal(value)
    if len(short) <= width or not isinstance(value, dict | list | tuple):
        return short
    inner = indent + 4
    room = _WIDTH - inner - 1  # for the comma
    if isinstance(value, dict):
        items = [
            f'{name}={_expression(item, inner, room - len(name) - 1)}'
            for name, item in value.items()
        ]
        start, end = 'dict(', ')'
    else:
        items = [_expression(item, inner, room) for item in value]
        start, end = '[]' if isinstance(value, list) else '()'
    lines = ''.join(f'{" " * inner}{item},\n' for item in items)
    return f'{start}\n{lines}{" " * indent}{end}'


def _literal(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, dict):
        items = (f'{name}={_literal(v)}' for name, v in value.items())
        return f'dict({", ".join(items)})'
    if isinstance(value, list):
        return f'[{", ".join(map(_literal, value))}]'
    if isinstance(value, tuple):
        items = ', '.join(map(_literal, value))
        return f'({items},)' if len(value) == 1 else f'({items})'
    return in_one_line(repr(value))
