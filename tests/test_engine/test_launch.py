"""What tools/train.py and tools/test.py call, on the level of configs."""

import errno
import os
import sys
import warnings
from functools import partial
from pathlib import Path
from unittest import mock
from unittest.mock import Mock

import pytest
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, ConstantLR, OptimWrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmselfemd.datasets.pipelines import type_name
from mmselfemd.datasets.samplers import positioned_batch_sampler
from mmselfemd.engine import FiniteOptimWrapper, launch, run_settings
from mmselfemd.engine.command_line import UserError, run_tool
from mmselfemd.engine.cpu_distributed import CPUDistributedRunner, init_gloo
from mmselfemd.engine.run_settings import (
    allow_determinism,
    set_amp,
    set_auto_scale_lr,
    set_resume,
    set_show_dir,
)

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_tools'))
import toy_project

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The path of a small config, and its folder as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'toy.py').write_text(toy_project.CONFIG)
    return 'toy.py'


def test_load_config_work_dir(toy, tmp_path):
    assert launch.load_config(toy).work_dir == './work_dirs/toy'
    assert launch.load_config(toy, work_dir='a').work_dir == 'a'
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'toy.py'\nwork_dir = 'b'\n")
    assert launch.load_config(str(child)).work_dir == 'b'
    assert launch.load_config(str(child), 'a').work_dir == 'a'
    options = dict(work_dir='c')
    assert launch.load_config(toy, cfg_options=options).work_dir == 'c'


def test_missing_config_names_the_near_one(toy):
    with pytest.raises(UserError, match="did you mean 'toy.py'"):
        launch.load_config('toi.py')
    with pytest.raises(UserError, match="there is no folder 'nowhere'"):
        launch.load_config('nowhere/toy.py')


def test_hooks_are_switched_off_by_none(toy):
    options = {'default_hooks.report': None, 'default_hooks.timer': None}
    cfg = launch.load_config(toy, cfg_options=options)
    runner = launch.build_runner(cfg)
    names = {type(hook).__name__ for hook in runner.hooks}
    assert 'LoggerHook' in names
    assert not names & {'ReportHook', 'IterTimerHook'}


def test_train_needs_training_data(toy):
    with pytest.raises(UserError, match="no 'train_dataloader'"):
        launch.train(toy, cfg_options=dict(train_dataloader=None))


def test_test_needs_test_data(toy):
    with pytest.raises(UserError, match='nothing to evaluate'):
        launch.test(toy, 'toy.pth', cfg_options=dict(test_dataloader=None))
    with pytest.raises(UserError, match='--out results.json'):
        launch.test(toy, 'toy.pth', out='results.json')
    with pytest.raises(UserError, match='--show-dir'):
        launch.test(toy, 'toy.pth', show_dir='shown')


@pytest.mark.parametrize('keyword', ['resume', 'load_from'])
def test_missing_checkpoint(toy, keyword):
    with pytest.raises(UserError, match="no such checkpoint: 'gone.pth'"):
        if keyword == 'resume':
            launch.train(toy, resume='gone.pth')
        else:
            launch.train(toy, cfg_options=dict(load_from='gone.pth'))


def test_a_test_of_images_of_another_range_is_refused(toy, tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(meta=dict(value_range=[0, 4095]), state_dict={}), path)
    options = dict(test_dataloader=dict(dataset=None), test_cfg={})
    with pytest.raises(UserError, match=r'Set .* value_range=\(0, 4095\)'):
        launch.test(toy, path, cfg_options=options)


def test_auto_scale_lr_scales_and_asks_for_the_base(toy):
    model = launch.train(
        toy, auto_scale_lr=True, cfg_options={'train_cfg.max_epochs': 1}
    )
    assert isinstance(model, torch.nn.Module)
    report = Config.fromfile('work_dirs/toy/report_0.json')
    assert report['lr'] == [0.05 * 4 / 16]  # batch 4, meant for 16
    with pytest.raises(UserError, match='auto_scale_lr.base_batch_size'):
        launch.train(
            toy, auto_scale_lr=True, cfg_options=dict(auto_scale_lr=None)
        )


def test_auto_scale_lr_counts_the_images_of_a_step(toy):
    """Also where the written config is run again."""
    options = {
        'optim_wrapper.accumulative_counts': 2,
        'train_cfg.max_epochs': 1,
    }
    for config, work_dir in (toy, 'first'), ('first/toy.py', 'second'):
        launch.train(config, work_dir, cfg_options=options, auto_scale_lr=True)
        report = Config.fromfile(f'{work_dir}/report_0.json')
        assert report['lr'] == [0.05 * 2 * 4 / 16]
        options = None


def test_auto_scale_lr_of_a_detector_counts_accumulated_batches(tmp_path):
    """mmengine counts an iteration's images: the base is one's, too."""
    cfg = launch.load_config(
        str(
            ROOT
            / 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'
        ),
        str(tmp_path),
        {'optim_wrapper.accumulative_counts': 4},
    )
    assert not cfg.auto_scale_lr.enable
    set_auto_scale_lr(cfg)
    runner = Mock(
        auto_scale_lr=cfg.auto_scale_lr, optim_wrapper=cfg.optim_wrapper
    )
    launch._scale_lr_by_step(runner)
    assert runner.auto_scale_lr == dict(enable=True, base_batch_size=16 / 4)
    # The written config is as it was, and can be run again.
    assert cfg.auto_scale_lr.base_batch_size == 16


def test_amp_on_a_gpu(monkeypatch):
    monkeypatch.setattr(run_settings, 'get_device', lambda: 'cuda')
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD'))))
    set_amp(cfg)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    cfg.optim_wrapper.loss_scale = 8.0
    set_amp(cfg)
    assert cfg.optim_wrapper.loss_scale == 8.0
    cfg.optim_wrapper.type = 'OwnWrapper'
    with pytest.raises(UserError, match='OwnWrapper'):
        set_amp(cfg)


@pytest.mark.parametrize(
    ('given', 'kind'),
    [
        (OptimWrapper, 'AmpOptimWrapper'),
        (FiniteOptimWrapper, 'FiniteAmpOptimWrapper'),
        (AmpOptimWrapper, 'AmpOptimWrapper'),
    ],
)
def test_amp_where_the_config_names_classes(monkeypatch, given, kind):
    """As configs in mmengine's pure Python style do."""
    monkeypatch.setattr(run_settings, 'get_device', lambda: 'cuda')
    cfg = Config(dict(optim_wrapper=dict(type=given)))
    set_amp(cfg)
    assert type_name(cfg.optim_wrapper) == kind


def test_show_dir_where_the_config_names_classes(tmp_path):
    hook = dict(type=DetVisualizationHook)
    cfg = Config(dict(default_hooks=dict(visualization=hook)))
    set_show_dir(cfg, str(tmp_path))
    assert cfg.default_hooks.visualization.draw


@pytest.mark.parametrize('is_on', [False, True])
def test_determinism_is_possible_where_it_is_asked_for(monkeypatch, is_on):
    name = 'CUBLAS_WORKSPACE_CONFIG'
    monkeypatch.delenv(name, raising=False)
    allow_determinism(Config(dict(randomness=dict(deterministic=is_on))))
    assert (name in os.environ) == is_on
    monkeypatch.setenv(name, ':16:8')  # torch takes this one, too
    allow_determinism(Config(dict(randomness=dict(deterministic=is_on))))
    assert os.environ[name] == ':16:8'


def test_resume_auto(tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path), load_from='first.pth'))
    set_resume(cfg, 'auto')  # nothing there: the config's weights
    assert not cfg.resume and cfg.load_from == 'first.pth'
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'a.pth'))
    with pytest.raises(UserError, match='a.pth'):
        set_resume(cfg, 'auto')
    torch.save({}, tmp_path / 'a.pth')
    set_resume(cfg, 'auto')
    assert cfg.resume and cfg.load_from == str(tmp_path / 'a.pth')


def test_a_new_run_among_the_checkpoints_of_another_is_refused(toy, tmp_path):
    """It could die before its first one; --resume would take the other's."""
    options = {'train_cfg.max_epochs': 1}
    launch.train(toy, work_dir='a', cfg_options=options)
    for lost in (None, 'last_checkpoint', 'epoch_1.pth'):
        if lost is not None:
            (tmp_path / 'a' / lost).rename(tmp_path / lost)
        with pytest.raises(UserError, match="'a' has checkpoints") as error:
            launch.train(toy, work_dir='a', cfg_options=options)
        if lost == 'epoch_1.pth':
            break  # nothing tells of a run any more
        assert 'epoch_1.pth' in str(error.value)
        assert '--resume; or' in str(error.value)
        assert '--work-dir DIR' in str(error.value)
        if lost is not None:
            (tmp_path / lost).rename(tmp_path / 'a' / lost)
    (tmp_path / 'epoch_1.pth').rename(tmp_path / 'a' / 'epoch_1.pth')
    launch.train(toy, work_dir='b', cfg_options=options)
    launch.train(toy, work_dir='a', resume='auto')
    report = Config.fromfile('a/report_0.json')
    assert report['start_epoch'] == 1


def test_another_runs_checkpoint_does_not_go_on_in_a_used_folder(toy):
    """If it died before its first one, --resume would take the older run."""
    options = {'train_cfg.max_epochs': 1}
    for work_dir in ('a', 'b'):
        launch.train(toy, work_dir=work_dir, cfg_options=options)
    with pytest.raises(UserError, match="'b' has checkpoints.*epoch_1.pth"):
        launch.train(toy, work_dir='b', resume='a/epoch_1.pth')
    for work_dir in ('a', 'c'):  # its own, and a new one
        launch.train(toy, work_dir=work_dir, resume='a/epoch_1.pth')
        report = Config.fromfile(f'{work_dir}/report_0.json')
        assert report['start_epoch'] == 1


@pytest.mark.parametrize('work_dir', ['file', 'file/a/b'])
def test_a_file_in_the_place_of_the_work_dir(toy, tmp_path, work_dir):
    (tmp_path / 'file').touch()
    message = f"work_dir '{work_dir}'.*'file' is a file.*--work-dir DIR"
    for run in (launch.train, partial(launch.test, checkpoint='a.pth')):
        with pytest.raises(UserError, match=message):
            run(toy, work_dir=work_dir)


def test_a_config_that_resumes_by_itself_is_not_refused(toy):
    """The first run finds nothing, and starts anew."""
    for epochs in (1, 2):
        options = {'train_cfg.max_epochs': epochs, 'resume': True}
        launch.train(toy, cfg_options=options)
        report = Config.fromfile('work_dirs/toy/report_0.json')
        assert report['start_epoch'] == epochs - 1


def test_resume_auto_from_a_folder_of_checkpoints(tmp_path):
    """Where `last_checkpoint` was not written any more."""
    cfg = Config(
        dict(
            work_dir=str(tmp_path / 'run'),
            default_hooks=dict(
                checkpoint=dict(out_dir=str(tmp_path / 'disk'))
            ),
        )
    )
    set_resume(cfg, 'auto')
    assert not cfg.resume
    saved = tmp_path / 'disk' / 'run' / 'iter_2.pth'
    saved.parent.mkdir(parents=True)
    torch.save({}, saved)
    set_resume(cfg, 'auto')
    assert cfg.resume and cfg.load_from == str(saved)


def test_runner_for_this_host(toy, monkeypatch):
    built = []
    monkeypatch.setattr(
        Runner,
        'from_cfg',
        classmethod(
            lambda cls, cfg: built.append(cls) or Mock(auto_scale_lr=None)
        ),
    )
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    launch.build_runner(Config(dict(launcher='none')))
    launch.build_runner(Config(dict(launcher='pytorch')))
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    launch.build_runner(Config(dict(launcher='pytorch')))
    assert built == [Runner, CPUDistributedRunner, Runner]
    monkeypatch.setattr(launch, 'get_device', lambda: 'cpu')
    with pytest.raises(UserError, match="runner_type='Own'"):
        launch.build_runner(Config(dict(launcher='mpi', runner_type='Own')))


@pytest.mark.parametrize(
    ('launcher', 'variables'),
    [
        (
            'pytorch',
            dict(
                RANK='1',
                WORLD_SIZE='2',
                LOCAL_RANK='1',
                MASTER_ADDR='host',
                MASTER_PORT='1234',
            ),
        ),
        (
            'slurm',
            dict(
                SLURM_PROCID='1',
                SLURM_NTASKS='2',
                SLURM_LOCALID='1',
                SLURM_NODELIST='host[1-2]',
                MASTER_PORT='1234',
            ),
        ),
        (
            'mpi',
            dict(
                OMPI_COMM_WORLD_RANK='1',
                OMPI_COMM_WORLD_SIZE='2',
                OMPI_COMM_WORLD_LOCAL_RANK='1',
                MASTER_ADDR='host',
                MASTER_PORT='1234',
            ),
        ),
    ],
)
def test_launchers_environment(launcher, variables, monkeypatch, tmp_path):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\necho host\necho other\n')
    scontrol.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    seen = {}
    monkeypatch.setattr(
        'torch.distributed.init_process_group',
        lambda **kwargs: seen.update(kwargs, **os.environ),
    )
    dist_cfg = dict(backend='nccl', timeout=60)
    set_device = torch.cuda.set_device
    with mock.patch.dict(os.environ, variables, PATH=path):
        init_gloo(launcher, dist_cfg)
        first = next(iter(variables))
        del os.environ[first]
        with pytest.raises(UserError, match=f'{launcher}.*lacks .*{first}'):
            init_gloo(launcher, dist_cfg)
    assert torch.cuda.set_device is set_device
    assert seen['backend'] == 'gloo'
    assert seen['timeout'].total_seconds() == 60
    names = ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    assert [seen[name] for name in names] == ['1', '2', 'host', '1234']


def test_run_tool(capsys, monkeypatch, tmp_path):
    def fail():
        raise UserError('a is b; do c')

    monkeypatch.setattr(sys, 'argv', ['tools/train.py'])
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setenv('MMSELFEMD_ERROR_FILE', str(tmp_path / 'error'))
    with pytest.raises(SystemExit) as error:
        run_tool(fail)
    assert error.value.code == 2
    line = 'train.py: error: a is b; do c\n'
    assert capsys.readouterr().err == line
    assert (tmp_path / 'error').read_text() == line
    monkeypatch.setenv('LOCAL_RANK', '1')  # the first one has said it
    with pytest.raises(SystemExit):
        run_tool(fail)
    assert capsys.readouterr().err == ''
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda: 1 / 0)
    assert (tmp_path / 'error').read_text() == (
        'ZeroDivisionError: division by zero\n'
    )


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_run_tool_tells_a_disk_that_fails(capsys, monkeypatch, number):
    def fail():
        raise OSError(number, os.strerror(number), '/runs/report.json')

    monkeypatch.setattr(sys, 'argv', ['tools/train.py'])
    monkeypatch.setenv('LOCAL_RANK', '1')  # it may be full for one alone
    with pytest.raises(SystemExit) as error:
        run_tool(fail)
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert said == (
        f"train.py: error: {os.strerror(number)}: '/runs/report.json'\n"
    )


def test_run_tool_leaves_out_false_alarms(recwarn):
    """Memory that cannot be pinned, a first step of several batches."""

    def warn():
        optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)
        wrapper = OptimWrapper(optimizer, accumulative_counts=2)
        scheduler = ConstantLR(wrapper, by_epoch=False)
        list(DataLoader([1], pin_memory=not torch.cuda.is_available()))
        scheduler.step()
        warnings.warn('Another one', stacklevel=1)

    warn()
    assert len(recwarn) >= 2
    recwarn.clear()
    run_tool(warn)
    assert [str(each.message) for each in recwarn] == ['Another one']


def test_run_tool_knows_the_home_folder(monkeypatch, tmp_path):
    """No shell expands it behind an equals sign."""
    monkeypatch.setenv('HOME', str(tmp_path))
    given = ['--out=~/a b', '--name=a~b', '--cfg-options', 'work_dir=~/c']
    monkeypatch.setattr(sys, 'argv', ['tools/train.py', *given])
    run_tool(lambda: None)
    assert sys.argv[1:] == [f'--out={tmp_path}/a b', *given[1:]]


def test_too_few_images_for_a_batch_is_an_error(tmp_path, image_folder):
    """mmengine would train for no iteration and report success."""
    with pytest.raises(
        UserError,
        match='8 images do not fill one batch of '
        '32.*train_dataloader.batch_size, in the config',
    ):
        launch.train(
            str(ROOT / 'configs' / 'demo' / 'selfemd_r18_scenes.py'),
            work_dir=str(tmp_path / 'work'),
            cfg_options={
                'train_dataloader.dataset.data_root': str(image_folder),
                'train_dataloader.dataset.data_prefix': '',
                'train_dataloader.num_workers': 0,
                'train_dataloader.persistent_workers': False,
            },
        )


def test_a_share_of_the_images_does_not_fill_a_batch(monkeypatch):
    """Of 40 images each of 4 processes has 10."""
    monkeypatch.setattr(positioned_batch_sampler, 'get_world_size', lambda: 4)
    with pytest.raises(
        UserError, match='40 images, 10 a process, do not fill one batch of 16'
    ):
        launch.check_has_batches(
            Mock(**{'train_loop.dataloader': LoaderOfNone(range(40), 16)})
        )


class LoaderOfNone(DataLoader):
    """A loader without a batch."""

    def __len__(self):
        return 0


@pytest.mark.parametrize('split', ['train', 'val'])
def test_no_workers_need_no_other_setting(split):
    """torch refuses `persistent_workers`, which the configs set, then."""
    config = str(ROOT / 'configs' / 'demo' / 'faster-rcnn_r18_fpn_scenes.py')
    setting = f'{split}_dataloader.num_workers'
    loader = launch.load_config(config)[f'{split}_dataloader']
    assert loader.persistent_workers
    loader = launch.load_config(config, cfg_options={setting: 0})[
        f'{split}_dataloader'
    ]
    assert not loader.get('persistent_workers')


def test_a_config_inherited_by_package_trains(tmp_path, image_folder):
    """mmengine marks its dicts with a scope, which collate_fn cannot take."""
    child = tmp_path / 'child.py'
    child.write_text("_base_ = 'mmselfemd::demo/selfemd_r18_scenes.py'\n")
    options = {
        'train_dataloader.dataset.data_root': str(image_folder),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_cfg.max_epochs': 1,
    }
    launch.train(str(child), str(tmp_path / 'work'), cfg_options=options)
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()


@pytest.mark.parametrize(
    'pretrained, message',
    [
        ('mmselfemd://selfemd_r50_coco_800e', 'dist_train.sh configs/selfemd'),
        ('mmselfemd://selfemd_r50_cocoo', 'selfemd_r50_coco_800e'),
        ('nowhere.pth', 'there is no such file'),
    ],
)
def test_missing_weights_are_said_before_the_data_are_read(
    tmp_path, pretrained, message
):
    config = 'faster-rcnn_r50_fpn_syncbn_90k_coco.py'
    with pytest.raises(UserError, match=message):
        launch.train(
            str(ROOT / 'configs' / 'detection' / 'coco' / config),
            str(tmp_path),
            cfg_options=dict(pretrained=pretrained),
        )
