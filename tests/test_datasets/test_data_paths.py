"""Files that are missing are named, with the setting that names them."""

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config

from mmselfemd.datasets import UnlabelledDataset
from mmselfemd.datasets.data_paths import (
    check_data_paths,
    drop_absent_validation,
)
from mmselfemd.errors import UserError


def test_data_paths(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'boxes.json').touch()
    dataset = dict(
        data_root=str(tmp_path),
        ann_file='boxes.json',
        data_prefix=dict(img='images/'),
    )
    cfg = Config(
        dict(
            train_dataloader=dict(
                dataset=dict(type='RepeatDataset', dataset=dataset)
            ),
            val_evaluator=[dict(ann_file=str(tmp_path / 'boxes.json'))],
        )
    )
    check_data_paths(cfg, ['train', 'val', 'test'])
    inner = cfg.train_dataloader.dataset.dataset
    for change, setting in [
        (dict(data_root='gone'), 'data_root'),
        (dict(ann_file='gone.json'), 'ann_file'),
        (dict(data_prefix=dict(img='gone')), 'data_prefix.img'),
        (dict(data_prefix='gone'), 'data_prefix'),
        (dict(data_prefix=['images/', 'gone']), 'data_prefix.1'),
        (dict(ann_file=['gone.txt', '']), 'ann_file.0'),
    ]:
        before = dict(inner)
        inner.update(change)
        with pytest.raises(UserError) as error:
            check_data_paths(cfg, ['train'])
        assert 'gone' in str(error.value)
        assert f'train_dataloader.dataset.dataset.{setting}=' in str(
            error.value
        )
        check_data_paths(cfg, ['val'])
        inner.backend_args = dict(backend='petrel')  # not on this disk
        check_data_paths(cfg, ['train'])
        del inner['backend_args']
        inner.update(before)
    cfg.val_evaluator[0].ann_file = 'gone.json'
    with pytest.raises(UserError, match='val_evaluator.0.ann_file'):
        check_data_paths(cfg, ['val'])


def test_a_list_without_brackets_is_told_how_to_be_one():
    loader = dict(dataset=dict(data_prefix='gone/,gone too/'))
    with pytest.raises(UserError, match=r'data_prefix=\[a,b\]'):
        check_data_paths(Config(dict(val_dataloader=loader)), ['val'])
    loader = dict(dataset=dict(data_prefix='gone/'))
    with pytest.raises(UserError) as error:
        check_data_paths(Config(dict(val_dataloader=loader)), ['val'])
    assert '[a,b]' not in str(error.value)


@pytest.mark.parametrize(
    ('kind', 'is_dropped'),
    [
        ('UnlabelledDataset', True),
        ('mmselfemd.UnlabelledDataset', True),
        (UnlabelledDataset, True),
        ('CocoDataset', False),
        (CocoDataset, False),
    ],
)
def test_only_absent_validation_without_labels_is_dropped(kind, is_dropped):
    loader = dict(dataset=dict(type=kind, data_root='gone'))
    cfg = Config(dict(val_dataloader=loader, val_cfg={}, val_evaluator={}))
    drop_absent_validation(cfg)
    assert (cfg.val_dataloader is None) == is_dropped
