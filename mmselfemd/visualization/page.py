"""One HTML page to leaf through pictures."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from mmengine.logging import print_log

_STYLE = """
body { margin: 0; font: 16px/1.4 sans-serif; color: #222; background: #fff }
header, main { margin-left: 12rem; padding: 0 1.5rem }
nav { position: fixed; inset: 0 auto 0 0; width: 11rem; overflow-y: auto;
  padding: .5rem; background: #eee }
nav a { display: block; margin-bottom: .6rem; font-size: .75rem;
  color: inherit; overflow-wrap: anywhere; border: 3px solid transparent }
nav a.here { border-color: #0072b2 }
nav img { width: 100%; display: block; background: #fff }
figure { margin: 0 0 2rem; padding-top: .5rem }
figure img { max-width: 100%; max-height: 92vh }
"""

# Without it the page still shows every picture, one below the other.
_SCRIPT = """
const figures = [...document.querySelectorAll('figure')];
const links = [...document.querySelectorAll('nav a')];
let here = 0;
function show(index) {
  here = Math.min(Math.max(index, 0), figures.length - 1);
  figures.forEach((figure, i) => { figure.hidden = i !== here; });
  links.forEach((link, i) => { link.classList.toggle('here', i === here); });
  links[here].scrollIntoView({ block: 'nearest' });
  window.scrollTo(0, 0);
}
links.forEach((link, i) => link.addEventListener('click', event => {
  event.preventDefault();
  show(i);
}));
document.addEventListener('keydown', event => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) { event.preventDefault(); show(here + step); }
});
show(0);
"""


class Picture(NamedTuple):
    """A picture of a page.

    Attributes:
        path (Path): The file; it lies in the page's folder or below it.
        caption (str): What is written above it.
        alt (str): What it shows, for those who do not see it.
    """

    path: Path
    caption: str
    alt: str


def write_page(
    path: str | os.PathLike,
    title: str,
    pictures: Sequence[Picture],
    guide: str = '',
) -> Path:
    """Write an HTML page with thumbnails, to leaf through by arrow keys.

    It needs nothing but the pictures, to which it links by relative paths,
    so that the folder can be moved or packed as a whole.

    Args:
        path (str | os.PathLike): File to write; one that is there is
            replaced.
        title (str): Title of the page.
        pictures (Sequence[Picture]): The pictures, in order.
        guide (str): How to read them: plain text below the title. Defaults
            to ''.

    Returns:
        Path: The file.

    Raises:
        ValueError: If there is no picture, or one lies outside the folder.
    """
    path = Path(path)
    if not pictures:
        raise ValueError('pictures must hold at least one picture')
    links, figures = [], []
    for number, picture in enumerate(pictures, start=1):
        source = _relative(picture.path, path.parent)
        caption = escape(picture.caption)
        links.append(
            f'<a href="#p{number}"><img src="{source}" alt="" '
            f'loading="lazy">{caption}</a>'
        )
        figures.append(
            f'<figure id="p{number}"><figcaption>{caption} '
            f'({number} of {len(pictures)})</figcaption>'
            f'<img src="{source}" alt="{escape(picture.alt)}" '
            'loading="lazy"></figure>'
        )
    parts = [
        '<!DOCTYPE html>',
        '<html lang="en"><head><meta charset="utf-8">',
        f'<title>{escape(title)}</title><style>{_STYLE}</style></head><body>',
        f'<nav aria-label="All pictures">{"".join(links)}</nav>',
        f'<header><h1>{escape(title)}</h1><p>{escape(guide)} Left and right '
        'arrow keys, or the thumbnails, turn the pages.</p></header>',
        f'<main>{"".join(figures)}</main>',
        f'<script>{_SCRIPT}</script></body></html>',
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of a file name that is no UTF-8, '?' stands for what is none.
    path.write_text('\n'.join(parts), encoding='utf-8', errors='replace')
    return path


def files_of(
    pictures: Sequence[Picture],
    folder: str | os.PathLike,
    title: str,
    html: bool,
) -> list[Path]:
    """Files of a set of pictures, with a page to leaf through if wanted.

    Args:
        pictures (Sequence[Picture]): The pictures, written already.
        folder (str | os.PathLike): Where ``index.html`` goes.
        title (str): Title of the page.
        html (bool): Whether to write the page.

    Returns:
        list[Path]: The pictures' files, and the page's.
    """
    written = [picture.path for picture in pictures]
    if html:
        page = write_page(Path(folder, 'index.html'), title, pictures)
        print_log(str(page))
        written.append(page)
    return written


def _relative(picture: Path, folder: Path) -> str:
    """Address of a picture for the page; any name of a file will do."""
    picture, folder = Path(picture).resolve(), folder.resolve()
    if not picture.is_relative_to(folder):
        raise ValueError(
            f'pictures must lie in the folder of the page, {folder}, but '
            f'one is {picture}'
        )
    return quote(os.fsencode(picture.relative_to(folder)))
