"""A report as headings, paragraphs, tables and pictures, in two formats."""

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

_STYLE = """
body { margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  font: 16px/1.5 sans-serif; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; display: block;
  overflow-x: auto }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd;
  text-align: right }
th:first-child, td:first-child { text-align: left }
figure { margin: 1.5rem 0 }
img { max-width: 100% }
"""


#: Of Markdown, in a line; brackets alone are none.
_MARKUP = re.compile(r'[\\`*<|]')


class Heading(NamedTuple):
    """A heading.

    Attributes:
        text (str): Its words.
        level (int): 1 for the title. Defaults to 2.
    """

    text: str
    level: int = 2


class Paragraph(NamedTuple):
    """Sentences.

    Attributes:
        text (str): Plain text.
        is_strong (bool): Whether it is the answer. Defaults to False.
    """

    text: str
    is_strong: bool = False


class Table(NamedTuple):
    """A table.

    Attributes:
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence[str]]): Cells, plain text.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Image(NamedTuple):
    """A picture.

    Attributes:
        path (Path): A PNG file.
        caption (str): What is written below it.
    """

    path: Path
    caption: str


Block = Heading | Paragraph | Table | Image


def render_markdown(blocks: Sequence[Block], folder: Path) -> str:
    """Write a report in Markdown.

    Args:
        blocks (Sequence[Block]): The report.
        folder (Path): Where it goes: pictures are named relative to it.

    Returns:
        str: The text.
    """
    return '\n\n'.join(_markdown(each, folder) for each in blocks) + '\n'


def _markdown(block: Block, folder: Path) -> str:
    if isinstance(block, Heading):
        return f'{"#" * block.level} {_plain(block.text)}'
    if isinstance(block, Paragraph):
        text = _plain(block.text)
        return f'**{text}**' if block.is_strong else text
    if isinstance(block, Image):
        place = quote(block.path.relative_to(folder).as_posix())
        caption = _plain(block.caption)
        return f'![{caption}]({place})\n\n{caption}'
    lines = [block.header, ['---'] * len(block.header), *block.rows]
    return '\n'.join(
        f'| {" | ".join(map(_plain, cells))} |' for cells in lines
    )


def _plain(text: str) -> str:
    """On one line, and what would be markup as it is: files have names."""
    escaped = _MARKUP.sub(r'\\\g<0>', ' '.join(text.split()))
    return escaped.replace('](', r'\](')


def render_html(blocks: Sequence[Block]) -> str:
    """Write a report as a page that needs no other file.

    Args:
        blocks (Sequence[Block]): The report; a heading comes first.

    Returns:
        str: The page, with its pictures in it.
    """
    body = '\n'.join(map(_html, blocks))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(blocks[0].text)}</title><style>{_STYLE}</style>'
        f'</head><body>\n{body}\n</body></html>\n'
    )


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f'<h{block.level}>{escape(block.text)}</h{block.level}>'
    if isinstance(block, Paragraph):
        text = escape(block.text)
        return (
            f'<p><strong>{text}</strong></p>'
            if block.is_strong
            else (f'<p>{text}</p>')
        )
    if isinstance(block, Image):
        data = base64.b64encode(block.path.read_bytes()).decode()
        caption = escape(block.caption)
        return (
            f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
            f'<figcaption>{caption}</figcaption></figure>'
        )
    head = ''.join(f'<th>{escape(cell)}</th>' for cell in block.header)
    rows = ''.join(
        f'<tr>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for cells in block.rows
    )
    return (
        f'<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    )
