"""A look at photographs before anything is trained on them."""

import pytest

from mmselfemd.apis.photographs import look_at
from mmselfemd.errors import UserError


@pytest.fixture(autouse=True)
def _one_process(monkeypatch):
    monkeypatch.setattr('os.sched_getaffinity', lambda _: {0})


def test_bands_that_photographs_do_not_have(image_folder):
    """As of ``tools/pretrain.py --bands 5``."""
    lines = []
    with pytest.raises(UserError, match='not those of --bands, see above'):
        look_at(str(image_folder), None, [5], lines.append)
    (line,) = [line for line in lines if '  0.jpg: ' in line]
    assert 'bands=(5,) names others' in line
    found = look_at(str(image_folder), None, [2, 1, 0], lines.append)
    assert found == (8, None)
