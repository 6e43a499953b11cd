"""The page to leaf through, read as a browser reads it."""

import os
from html.parser import HTMLParser
from urllib.parse import unquote, unquote_to_bytes

import pytest

from mmselfemd.visualization import Picture, write_page


class Reader(HTMLParser):
    """All tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ''
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_page_shows_every_picture_from_its_own_folder(tmp_path):
    names = ['plain.png', 'sub/50% of #1 & "two".png']
    pictures = [
        Picture(tmp_path / name, f'<{name}>', f'shows "{name}"')
        for name in names
    ]
    path = write_page(tmp_path / 'index.html', 'A & B', pictures, 'Read <me>.')
    page = Reader(path.read_text('utf-8'))
    images = [attrs for tag, attrs in page.tags if tag == 'img']
    shown = [image for image in images if image['alt']]
    assert [unquote(image['src']) for image in shown] == names
    assert [image['alt'] for image in shown] == [p.alt for p in pictures]
    assert len(images) == 4  # and the thumbnails
    assert 'A & B' in page.text and 'Read <me>.' in page.text
    assert '<plain.png>' in page.text
    ids = [attrs['id'] for tag, attrs in page.tags if tag == 'figure']
    links = [attrs['href'] for tag, attrs in page.tags if tag == 'a']
    assert links == [f'#{name}' for name in ids]
    assert 'ArrowRight' in page.text and 'ArrowLeft' in page.text
    assert '://' not in path.read_text('utf-8')


def test_a_file_name_that_is_no_utf8(tmp_path):
    name = os.fsdecode(b'caf\xe9.png')
    path = write_page(
        tmp_path / 'index.html', 'A', [Picture(tmp_path / name, name, 'a')]
    )
    page = Reader(path.read_text('utf-8'))
    sources = [a['src'] for tag, a in page.tags if tag == 'img']
    assert [unquote_to_bytes(source) for source in sources] == (
        [b'caf\xe9.png'] * 2
    )
    assert 'caf?.png' in page.text


def test_bad_pages_are_refused(tmp_path):
    with pytest.raises(ValueError, match='at least one picture'):
        write_page(tmp_path / 'page' / 'index.html', 'None', [])
    outside = Picture(tmp_path / 'a.png', '', '')
    with pytest.raises(ValueError, match='must lie in the folder'):
        write_page(tmp_path / 'page' / 'index.html', 'Out', [outside])
    assert not (tmp_path / 'page').exists()
