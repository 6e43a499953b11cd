"""What a backbone's file says about its pre-training."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

import mmselfemd  # noqa: F401
from mmselfemd.settings.decisive_settings import decisive_settings
from mmselfemd.zoo import extract_backbone
from mmselfemd.zoo.config_text import read_config_text
from mmselfemd.zoo.pretraining import read_pretraining

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
RUN = dict(
    processes=1,
    batch_size=32,
    accumulation=8,
    images=dict(train=500, val=None),
)


def meta_of(name, **changed):
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(changed)
    return dict(
        cfg=cfg.pretty_text,
        experiment_name=f'{Path(name).stem}_20260102_030405',
        epoch=20,
        iter=9240,
        seed=3,
        run=RUN,
    )


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_an_extracted_backbone_carries_it(tmp_path, suffix):
    meta = meta_of(
        'selfemd/selfemd_r50_coco_800e.py',
        **{
            'train_dataloader.dataset.ann_file': '/mine/lists/some.json',
            'train_dataloader.dataset.data_root': '/mine/',
        },
    )
    torch.save(
        dict(state_dict={'backbone.a': torch.ones(1)}, meta=meta),
        tmp_path / 'epoch_20.pth',
    )
    out = tmp_path / f'backbone.{suffix}'
    extract_backbone(tmp_path / 'epoch_20.pth', out)
    again = tmp_path / f'again.{suffix}'
    extract_backbone(out, again)
    for path in (out, again):
        written = CheckpointLoader.load_checkpoint(str(path), 'cpu')['meta']
        found = read_pretraining(written)
        settings = found.pop('settings')
        assert found == dict(
            config='selfemd_r50_coco_800e',
            epoch=20,
            iter=9240,
            seed=3,
            run=RUN,
        )
        assert settings['train_cfg.max_epochs'] == 800
        assert settings['train_dataloader.dataset.ann_file'] == 'some.json'
        assert '/mine' not in str(written)


@pytest.mark.parametrize(
    'name',
    [
        'selfemd/selfemd_r50_coco_800e_1gpu.py',
        'simclr/simclr_r50_coco_800e.py',
        'small/byol_r18_voc256_20e.py',
        'detection/voc0712/faster-rcnn_r50_fpn_syncbn_24k_voc0712.py',
    ],
)
def test_settings_in_the_text_are_those_of_the_config(name):
    cfg = Config.fromfile(CONFIGS / name)
    expected = decisive_settings(cfg.to_dict())
    assert decisive_settings(read_config_text(cfg.pretty_text)) == expected
    assert len(expected) > 50


@pytest.mark.parametrize(
    'meta',
    [
        None,
        'text',
        {},
        dict(pretraining={}),
        dict(cfg=3),
        dict(cfg='('),
        dict(cfg='a\0'),
    ]
    + [dict(cfg='a = ' + '[' * 5000), dict(epoch=3, cfg='model = open("a")')],
)
def test_what_says_nothing_gives_nothing(meta):
    assert read_pretraining(meta) == {}


def test_a_text_is_not_executed(tmp_path):
    text = (
        f"a = open({str(tmp_path / 'exploded')!r}, 'w')\n"
        f'b = dict(x=1, y=print(2), z=dict(**a), w=[1, exit(), (2, 3)])\n'
        "c = dict({'d.e': 1})\n"
        "open('exploded')\n"
    )
    assert read_config_text(text) == dict(
        b=dict(x=1, z={}, w=[1, [2, 3]]), c={'d.e': 1}
    )
    assert not (tmp_path / 'exploded').exists()
