"""What a value of the command line means: a path, a list, or a number."""

from typing import Any

from mmengine.config import DictAction

from .path_settings import holds_path

_QUOTES = ('"', "'")
_PARTNERS = {'(': ')', '[': ']'}
_NO_PARTNER = 'a bracket or a quotation mark has no partner'


def parse_option(key: str, text: str) -> Any:
    """Read the value of a ``KEY=VALUE`` option.

    mmengine's ``DictAction`` takes every space out of a value and splits at
    every comma, whatever the setting is: ``data_root=photos 2`` becomes
    ``photos2`` (and where such a folder exists, it is trained on),
    ``Smith, John`` a list of two folders, ``2017`` a number, and the class
    ``traffic light`` one word. Here

    - what holds a path (:func:`holds_path`) is the text as it stands, but for
      ``None``, ``True`` and ``False``;
    - another setting is split at commas, and its numbers are numbers, as
      mmengine has it;
    - ``[a,b]`` is a list and ``(a,b)`` a tuple anywhere; the space around an
      element goes, the space in it stays;
    - what stands in quotation marks is text, commas included; a path has its
      brackets, too, while another setting's ``"[(a,b),(c,d)]"`` is the list,
      as mmengine's help writes it.

    Args:
        key (str): The setting, a dotted path.
        text (str): Its value.

    Returns:
        Any: The value.

    Raises:
        ValueError: If a bracket or a quotation mark has no partner.
    """
    if _is_quoted(text):
        text = text[1:-1]
        if holds_path(key) or not _is_bracketed(text):
            return text
    if _is_bracketed(text):
        values = [parse_option(key, item) for item in _split(text[1:-1])]
        return tuple(values) if text.startswith('(') else values
    if holds_path(key):
        if text.startswith(tuple(_PARTNERS)):
            _split(text)  # half of a list, which the shell cut at a space
        value = _parse_scalar(text)
        return value if value is None or isinstance(value, bool) else text
    items = _split(text)
    if ',' in text and items != [text.strip()]:
        return [parse_option(key, item) for item in items]
    return _parse_scalar(text.strip())


def _parse_scalar(text: str) -> Any:
    return DictAction._parse_int_float_bool(text)


def _is_quoted(text: str) -> bool:
    quote = text[:1]
    return (
        len(text) > 1
        and quote in _QUOTES
        and text.endswith(quote)
        and quote not in text[1:-1]
    )


def _is_bracketed(text: str) -> bool:
    """Whether the first bracket's partner is the last letter."""
    if len(text) < 2 or _PARTNERS.get(text[0]) != text[-1]:
        return False
    try:
        _split(text[1:-1])
    except ValueError:  # as in [a],[b]
        return False
    return True


def _split(text: str) -> list[str]:
    """Split at the commas that no bracket or quotation mark encloses."""
    items: list[str] = []
    partners: list[str] = []
    quote, start = '', 0
    for position, letter in enumerate(text):
        if quote:
            quote = '' if letter == quote else quote
        elif letter in _QUOTES:
            # Not the apostrophe within a word.
            if text[:position].rstrip()[-1:] in ('', ',', *_PARTNERS):
                quote = letter
        elif letter in _PARTNERS:
            partners.append(_PARTNERS[letter])
        elif letter in _PARTNERS.values():
            if not partners or partners.pop() != letter:
                raise ValueError(_NO_PARTNER)
        elif letter == ',' and not partners:
            items.append(text[start:position].strip())
            start = position + 1
    if partners or quote:
        raise ValueError(_NO_PARTNER)
    if last := text[start:].strip():
        items.append(last)
    return items
