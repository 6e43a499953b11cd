"""Numbers of things, as people say them."""

import pytest

from mmselfemd.plurals import counted


@pytest.mark.parametrize(
    ('number', 'noun', 'said'),
    [
        (0, 'image', '0 images'),
        (1, 'image', '1 image'),
        (2, 'image', '2 images'),
        (1, 'class', '1 class'),
        (3, 'class', '3 classes'),
        (2, 'box', '2 boxes'),
    ],
)
def test_one_is_no_plural(number, noun, said):
    assert counted(number, noun) == said
