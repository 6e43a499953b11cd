"""What a check found, in words."""

import numpy as np
import pytest

from mmselfemd.datasets.annotations.findings import shown


@pytest.mark.parametrize(
    'value, text',
    [
        (np.int64(99), '99'),  # numpy 2's own repr is np.int64(99)
        (np.float32(0.5), '0.5'),
        (7, '7'),
        ('cat', "'cat'"),
        (None, 'None'),
        ([1, 2, 3], '[1, 2, 3]'),
    ],
)
def test_a_value_is_shown_as_the_file_has_it(value, text):
    assert shown(value) == text


def test_a_long_value_is_cut():
    assert len(shown('x' * 1000)) < 100
