"""What --cfg-options lets through, and what it says where it does not."""

import argparse
import logging

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmselfemd.engine.command_line import UserError, add_shared_arguments
from mmselfemd.settings.cfg_options import (
    check_cfg_options,
    merge_cfg_options,
    suggest,
)


@pytest.fixture
def cfg():
    return Config(
        dict(
            default_scope='mmdet',
            data_root='data/',
            model=dict(
                type='FasterRCNN',
                backbone=dict(
                    type='ResNet',
                    depth=50,
                    norm_cfg=dict(type='BN'),
                    init_cfg=None,
                ),
                roi_head=dict(
                    type='StandardRoIHead',
                    bbox_head=dict(type='Shared4Conv1FCBBoxHead'),
                    test_cfg=dict(score_thr=0.05),
                ),
            ),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(
                    type='CocoDataset',
                    pipeline=[
                        dict(type='LoadImageFromFile'),
                        dict(type='RandomFlip', prob=0.5),
                    ],
                ),
            ),
            train_cfg=dict(type='IterBasedTrainLoop', max_iters=10),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(logger=dict(type='LoggerHook')),
            env_cfg=dict(cudnn_benchmark=False),
            pretrained='somewhere',
        )
    )


@pytest.fixture
def log_lines():
    lines = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    'key',
    [
        'model.backbone.depth',
        'train_dataloader.dataset.pipeline.1.prob',
        'train_dataloader.dataset.pipeline.0.type',
        # new, but read by the runner
        'load_from',
        'work_dir',
        'resume',
        'randomness.seed',
        'compile',
        'randomness',
        'val_cfg',
        'env_cfg.dist_cfg.backend',
        'env_cfg.mp_cfg',
        'train_dataloader.num_workers',
        'train_dataloader.drop_last',
        'auto_scale_lr.enable',
        'find_unused_parameters',
        # new, but in the signature of the class, or of a base class
        'model.backbone.with_cp',
        'model.backbone.init_cfg',
        'model.backbone.norm_cfg.eps',
        'model.backbone.norm_cfg.requires_grad',
        'model.roi_head.bbox_head.num_classes',
        'train_dataloader.dataset.pipeline.1.direction',
        'train_dataloader.dataset.data_root',
        'train_cfg.val_interval',
        'optim_wrapper.optimizer.momentum',
        'optim_wrapper.paramwise_cfg',
        'optim_wrapper.clip_grad.max_norm',
        'optim_wrapper.accumulative_counts',
        'default_hooks.logger.interval',
        # a variable of ours
        'pretrained',
    ],
)
def test_good_paths(cfg, key):
    check_cfg_options(cfg, {key: 1})


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        (
            'model.bakcbone.depth',
            "'model' has no 'bakcbone'; did you mean 'backbone'?",
        ),
        (
            'model.backbone.dept',
            "'model.backbone' has no 'dept'; did you mean 'depth'",
        ),
        (
            'modle.backbone.depth',
            "the config has no 'modle'; did you mean 'model'",
        ),
        (
            'worck_dir',
            "the config has no 'worck_dir'; did you mean 'work_dir'?",
        ),
        (
            'train_cfg.max_iter',
            "'train_cfg' has no 'max_iter'; did you mean 'max_iters'",
        ),
        ('randomness.sed', "'randomness'"),
        ('train_dataloader.batchsize', "did you mean 'batch_size'"),
        (
            'train_dataloader.dataset.pipeline.2.prob',
            "is a list with positions 0 to 1; it has no '2'",
        ),
        ('train_dataloader.dataset.pipeline.one.prob', "it has no 'one'"),
        (
            'train_dataloader.dataset.pipeline.1.probability',
            "pipeline.1' has no 'probability'; did you mean 'prob'",
        ),
        (
            'model.roi_head.test_cfg.score_threshold',
            "did you mean 'score_thr'?",
        ),
        ('model.backbone.depth.value', "'model.backbone.depth' is 50"),
        ('optim_wrapper.optimizer.leraning_rate', ' lr,'),
        ('default_hooks.logger.intervall', "did you mean 'interval'"),
        ('env_cfg.cudnn', "did you mean 'cudnn_benchmark'?"),
    ],
)
def test_bad_paths(cfg, key, message):
    cfg.randomness = dict(seed=0)
    before = cfg.pretty_text
    with pytest.raises(UserError) as error:
        merge_cfg_options(cfg, {key: 1})
    assert str(error.value).startswith(f'--cfg-options {key}: ')
    assert message in str(error.value)
    assert '\n' not in str(error.value)
    assert cfg.pretty_text == before


def test_one_bad_setting_keeps_the_good_ones_out(cfg):
    with pytest.raises(UserError):
        merge_cfg_options(
            cfg, {'model.backbone.depth': 18, 'model.backbone.dept': 18}
        )
    assert cfg.model.backbone.depth == 50


def test_a_new_type_is_asked_for_its_own_names(cfg):
    options = {
        'optim_wrapper.optimizer.type': 'AdamW',
        'optim_wrapper.optimizer.betas': (0.9, 0.95),
    }
    with pytest.raises(UserError):
        check_cfg_options(cfg, {'optim_wrapper.optimizer.betas': (0.9, 0.95)})
    merge_cfg_options(cfg, options)
    assert cfg.optim_wrapper.optimizer.betas == (0.9, 0.95)


def test_merges_lists_by_position(cfg):
    merge_cfg_options(cfg, {'train_dataloader.dataset.pipeline.1.prob': 0.0})
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert [step.get('prob') for step in pipeline] == [None, 0.0]


def test_a_variable_of_the_file_is_warned_about(cfg, log_lines):
    merge_cfg_options(cfg, {'pretrained': None, 'work_dir': 'here'})
    assert not log_lines
    merge_cfg_options(cfg, {'data_root': 'elsewhere/'})
    assert len(log_lines) == 1
    assert '--cfg-options data_root: a variable of the' in log_lines[0]


def test_what_cannot_be_checked_is_warned_about(cfg, log_lines):
    step = dict(type='RandomChoiceResize', scales=[(9, 9)])  # **resize_kwargs
    cfg.train_dataloader.dataset.pipeline[1] = step
    key = 'train_dataloader.dataset.pipeline.1.keep_ratio'
    merge_cfg_options(cfg, {key: True})
    assert cfg.train_dataloader.dataset.pipeline[1].keep_ratio is True
    assert len(log_lines) == 1 and key in log_lines[0]


def test_suggest_lists_what_there_is_where_nothing_is_near():
    assert suggest('zzz', ['b', 'a']) == 'it has: a, b'
    assert suggest('zzz', []) == 'there is none'


@pytest.mark.parametrize('text', ['model.depth', '=3', 'a=[1,2', 'a=(1'])
def test_malformed_option_is_one_line(text, capsys):
    parser = argparse.ArgumentParser()
    add_shared_arguments(parser)
    with pytest.raises(SystemExit) as error:
        parser.parse_args(['--cfg-options', text])
    assert error.value.code == 2
    assert text in capsys.readouterr().err.splitlines()[-1]


def test_a_new_hook_needs_its_type(cfg):
    with pytest.raises(UserError, match="has no 'loger'.*'logger'"):
        check_cfg_options(cfg, {'default_hooks.loger.interval': 5})
    with pytest.raises(UserError, match="has no 'loger'"):
        check_cfg_options(cfg, {'default_hooks.loger': dict(interval=5)})
    check_cfg_options(cfg, {'default_hooks.logger.interval': 5})
    check_cfg_options(cfg, {'default_hooks.ema': dict(type='EMAHook')})
    check_cfg_options(cfg, {'default_hooks.visualization': None})
    check_cfg_options(
        cfg,
        {
            'default_hooks.ema.type': 'EMAHook',
            'default_hooks.ema.momentum': 0.1,
        },
    )
