"""From a folder of photographs to the config of a pre-training, and on."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope

from mmselfemd.apis import pretrain, pretraining_rule
from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.apis.machine import Machine
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import (
    UserError,
    UserFileExistsError,
    UserFileNotFoundError,
)


@pytest.fixture
def photos(image_folder, monkeypatch):
    monkeypatch.chdir(image_folder.parent)
    return 'images'


def plan(photos, **kwargs):
    """Write the config; return it resolved, and what was said."""
    said = []
    backbone = pretrain(photos, dry_run=True, report=said.append, **kwargs)
    config = backbone.parent.with_name(f'{backbone.parent.name}.py')
    return load_config(str(config)), said


def test_the_config_is_small_and_says_why(photos):
    cfg, said = plan(photos, arch='resnet18')
    text = open(cfg.filename).read()
    assert "_base_ = ['mmselfemd::selfemd/selfemd_r50_coco_800e.py']" in text
    assert 'python tools/pretrain.py --images images --arch resnet18' in text
    assert text.count('\n') < 70
    assert cfg.work_dir == 'work_dirs/pretrain_images'
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert (dataset.data_root, dataset.data_prefix) == ('images', '')
    assert cfg.train_cfg.max_epochs == 800
    assert cfg.auto_scale_lr.base_batch_size == 8
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(0.2 * 8 / 256)
    words = '\n'.join(said)
    assert '8 photographs' in words and 'work_dirs/pretrain_images.py' in words
    for line in said:
        if line.startswith(('Batch', 'Learning rate', 'Length')):
            assert ' '.join(line.split()[:4]) in text
    config = 'work_dirs/pretrain_images.py'
    assert said[-1].endswith(f'tools/train.py {config} --resume')


def test_a_validation_is_on_images_from_the_whole_folder(photos, monkeypatch):
    """Those of a film's first minute are all alike."""
    monkeypatch.setattr(pretraining_rule, 'LEAST_VAL', 2)
    cfg, _ = plan(photos, arch='resnet18', epochs=1)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        found, everything = (
            DATASETS.build(cfg[f'{split}_dataloader'].dataset).data_list
            for split in ('val', 'train')
        )
    assert [*found] == [everything[0], everything[4]]


@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_every_architecture_is_built(photos, arch):
    cfg, _ = plan(photos, arch=arch)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        backbone = MODELS.build(cfg.model.backbone)
    backbone.eval()
    last = backbone(torch.zeros(1, 3, 32, 32))[-1]
    assert last.shape[1] == cfg.model.neck[0].in_channels


def test_a_small_gpu_accumulates(photos, monkeypatch):
    for gpus in (1, 2):
        monkeypatch.setattr(
            'mmselfemd.apis.pretraining.find_machine',
            lambda gpus=gpus: Machine(gpus, 2, 8),
        )
        cfg, _ = plan(photos, work_dir=f'run_{gpus}')
        counts = cfg.optim_wrapper.accumulative_counts
        assert cfg.num_processes == gpus
        assert cfg.train_dataloader.batch_size * gpus * counts == 8
        assert counts > 1


def test_the_same_command_keeps_what_was_changed(photos):
    plan(photos)
    with open('work_dirs/pretrain_images.py', 'a') as file:
        file.write('train_cfg = dict(max_epochs=3)\n')
    cfg, said = plan('images/')
    assert cfg.train_cfg.max_epochs == 3
    assert 'goes on' in said[0]


def test_another_command_is_refused_in_the_same_folder(photos):
    plan(photos)
    before = open('work_dirs/pretrain_images.py').read()
    with pytest.raises(UserFileExistsError) as caught:
        plan(photos, epochs=2)
    for words in ('--epochs 2', '--work-dir', 'tools/train.py'):
        assert words in str(caught.value)
    assert open('work_dirs/pretrain_images.py').read() == before


def test_a_folder_with_another_run_is_refused(photos, tmp_path):
    folder = tmp_path / 'work_dirs' / 'pretrain_images'
    folder.mkdir(parents=True)
    torch.save({}, folder / 'epoch_1.pth')
    with pytest.raises(UserFileExistsError, match='another run.*epoch_1.pth'):
        plan(photos)
    assert not folder.with_suffix('.py').exists()


def test_what_cannot_be_trained_on_is_said(photos, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserFileNotFoundError, match='no image below'):
        plan('empty')
    with pytest.raises(UserFileNotFoundError, match='no folder'):
        plan('nowhere')
    with pytest.raises(UserError, match='known are resnet18.*backbones.md'):
        plan(photos, arch='resnet5')
    for name in ('0.jpg', '1.jpg'):
        (tmp_path / photos / name).write_bytes(b'no image')
    with pytest.raises(UserError, match='2 of 8 images cannot be read'):
        plan(photos)
    assert not (tmp_path / 'work_dirs').exists()


def test_a_range_is_measured_where_it_is_needed(photos, tmp_path):
    folder = tmp_path / 'thermal'
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(4):
        counts = generator.integers(29000, 31000, (64, 64), dtype=np.uint16)
        cv2.imwrite(str(folder / f'{index}.png'), counts)
    cfg, said = plan('thermal')
    low, high = cfg.value_range
    assert 28900 < low < 29100 and 30900 < high < 31100
    assert any('as measured' in line for line in said)
    assert cfg.train_dataloader.dataset.pipeline[0].value_range == (low, high)
    cfg, _ = plan('thermal', value_range=[0, 40000], work_dir='given')
    assert cfg.value_range == (0, 40000)


def backbone_file(path, network=None, **meta):
    network = network or dict(type='mmpretrain.ResNet', depth=18)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        model = MODELS.build(network)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)


def test_weights_to_start_from_bring_their_pixels(photos):
    pixels = dict(channel_order='RGB', mean=[1.0, 2, 3], std=[4.0, 5, 6])
    backbone_file('own.pth', pixel_convention=pixels, style='caffe')
    cfg, _ = plan(photos, arch='resnet18', init='own.pth')
    assert cfg.pretrained == 'own.pth'
    assert cfg.default_hooks.pretrained_backbone.type == (
        'PretrainedBackboneHook'
    )
    assert cfg.default_hooks.checkpoint.type == 'SafeCheckpointHook'
    assert cfg.data_preprocessor.mean == [1, 2, 3]
    assert cfg.data_preprocessor.to_rgb
    assert cfg.model.backbone.style == 'caffe'


@pytest.mark.parametrize(
    ('arch', 'network'),
    [
        ('resnet18', dict(type='mmpretrain.ResNet', depth=18)),
        (
            'resnext50',
            dict(
                type='mmpretrain.ResNeXt',
                depth=50,
                groups=8,
                width_per_group=2,
            ),
        ),
    ],
)
def test_weights_to_start_from_bring_their_width_and_strides(
    photos, arch, network
):
    network |= dict(stem_channels=16, base_channels=16)
    layout = dict(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    backbone_file('own.pth', network, **layout)
    cfg, said = plan(photos, arch=arch, init='own.pth')
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        backbone = MODELS.build(cfg.model.backbone)
    weights = torch.load('own.pth')['state_dict']
    backbone.load_state_dict(weights)  # raises where they do not fit
    last = backbone(torch.zeros(2, 3, 64, 64))[-1]
    assert last.shape[1:] == (cfg.model.neck[0].in_channels, 4, 4)
    assert 'were it of the usual width' in '\n'.join(said)


def test_weights_to_start_from_bring_their_values(photos):
    backbone_file('own.pth', value_range=(0, 200), bands=[2, 1, 0])
    cfg, _ = plan(photos, arch='resnet18', init='own.pth')
    assert (cfg.value_range, cfg.bands) == ((0, 200), (2, 1, 0))
    with pytest.raises(UserError, match=r'--init own.pth.*\(0, 200\)'):
        plan(
            photos,
            arch='resnet18',
            init='own.pth',
            value_range=(0, 255),
            work_dir='other',
        )


def test_weights_of_another_kind_are_refused(photos):
    backbone_file('own.pth')
    with pytest.raises(UserError, match='a resnet18, and --arch is resnet50'):
        plan(photos, init='own.pth')
    with pytest.raises(UserFileNotFoundError, match='nowhere.pth'):
        plan(photos, init='nowhere.pth')
    pixels = dict(channel_order='BGR', mean=[1.0, 2, 3], std=[1.0] * 3)
    backbone_file('bgr.pth', pixel_convention=pixels)
    with pytest.raises(UserError, match='BGR'):
        plan(photos, arch='resnet18', init='bgr.pth')


def test_several_gpus_are_left_to_dist_train(photos, monkeypatch):
    started = []

    def run(command):
        started.append(command)
        return 3

    monkeypatch.setattr(
        'mmselfemd.apis.pretraining.find_machine', lambda: Machine(2, 24, 8)
    )
    monkeypatch.setattr('mmselfemd.apis.run_folder.run_command', run)
    with pytest.raises(UserError, match='status 3'):
        pretrain(photos, report=lambda line: None)
    ((tool, *arguments),) = started
    assert tool.endswith('tools/dist_train.sh')
    assert arguments == ['work_dirs/pretrain_images.py', '2', '--resume']
    assert Config.fromfile(arguments[0]).num_processes == 2
