"""A look at photographs before anything is trained on them."""

import cv2
import numpy as np
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


def test_what_is_set_already_is_not_asked_for(tmp_path):
    """The range of the train images; those of val measure another."""
    for name, white in (('train', 4095), ('val', 3000)):
        (tmp_path / name).mkdir()
        grey = np.linspace(0, white, 4096).astype(np.uint16).reshape(64, 64)
        cv2.imwrite(str(tmp_path / name / '0.png'), grey)
    lines = []
    found = look_at(str(tmp_path / 'train'), None, None, lines.append)
    assert lines[-1] == f'value_range: {found.value_range}, as measured'
    again = look_at(
        str(tmp_path / 'val'), found.value_range, None, lines.append
    )
    assert again.value_range == found.value_range
    assert not any('Set in the config' in line for line in lines)
