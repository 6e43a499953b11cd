"""Where else a run is logged to, on the level of configs."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy
import pytest
from mmengine.config import Config

from mmselfemd.engine import launch
from mmselfemd.errors import UserError
from mmselfemd.settings import loggers
from mmselfemd.settings.loggers import LOGGERS, check_loggers, set_loggers


@pytest.fixture(autouse=True)
def packages(monkeypatch):
    """The packages that are there: all, unless a test changes it."""
    there = {logger.package for logger in LOGGERS.values()}
    monkeypatch.setattr(
        loggers,
        'find_spec',
        lambda name: SimpleNamespace(origin=name) if name in there else None,
    )
    return there


def backends_of(cfg):
    return [backend['type'] for backend in cfg.visualizer.vis_backends]


@pytest.mark.parametrize(
    ('config', 'visualizer'),
    [
        ('selfemd/selfemd_r50_coco_800e.py', 'Visualizer'),
        ('small/faster-rcnn_r18_fpn_256.py', 'DetLocalVisualizer'),
    ],
)
def test_each_run_gets_them_beside_what_is_there(root, config, visualizer):
    cfg = launch.load_config(str(root / 'configs' / config))
    set_loggers(cfg, LOGGERS)
    assert cfg.visualizer.type == visualizer
    assert backends_of(cfg) == [
        'LocalVisBackend',
        'TensorboardVisBackend',
        'mmselfemd.WandbVisBackend',
        'mmselfemd.MLflowVisBackend',
    ]
    assert cfg.default_hooks.logger.log_metric_by_epoch is False


def test_without_the_switch_nothing_changes(root):
    path = str(root / 'configs/selfemd/selfemd_r50_coco_800e.py')
    cfg = launch.load_config(path)
    former = cfg.to_dict()
    set_loggers(cfg, ())
    assert cfg.to_dict() == former


@pytest.mark.parametrize('visualizer', [{}, dict(visualizer=None)])
def test_a_config_without_visualizer_keeps_mmengines_own(visualizer):
    cfg = Config(visualizer)
    set_loggers(cfg, ['tensorboard'])
    assert backends_of(cfg) == ['LocalVisBackend', 'TensorboardVisBackend']
    assert cfg.default_hooks.logger == dict(
        type='LoggerHook', log_metric_by_epoch=False
    )


@pytest.mark.parametrize(
    'type_', ['WandbVisBackend', 'mmengine.WandbVisBackend']
)
@pytest.mark.parametrize('wrap', [lambda one: one, lambda one: [one]])
def test_a_backend_of_the_config_keeps_its_arguments(type_, wrap):
    own = dict(type=type_, init_kwargs=dict(project='mine'))
    cfg = Config(dict(visualizer=dict(vis_backends=wrap(own))))
    set_loggers(cfg, ['wandb', 'wandb'])
    assert cfg.visualizer.vis_backends == [
        dict(
            type='mmselfemd.WandbVisBackend', init_kwargs=dict(project='mine')
        )
    ]


@pytest.mark.parametrize(
    'hook',
    [
        dict(type='LoggerHook', log_metric_by_epoch=True),
        dict(type='OwnLoggerHook2'),
        None,
    ],
)
def test_the_configs_own_choice_of_logging_wins(hook):
    cfg = Config(dict(default_hooks=dict(logger=hook)))
    set_loggers(cfg, ['tensorboard'])
    assert cfg.default_hooks.logger == hook


def test_missing_packages_are_named_with_the_line_to_type(packages):
    packages -= {'wandb', 'mlflow'}
    line = f'pip install mlflow wandb numpy=={numpy.__version__}$'
    with pytest.raises(UserError, match=line):
        check_loggers(['tensorboard', 'mlflow', 'wandb'])
    check_loggers(['tensorboard'])


def test_a_folder_of_that_name_is_no_package(tmp_path, monkeypatch):
    monkeypatch.undo()  # the real find_spec
    (tmp_path / 'wandb_of_a_run').mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(
        LOGGERS, 'wandb', LOGGERS['wandb']._replace(package='wandb_of_a_run')
    )
    with pytest.raises(UserError, match='wandb_of_a_run'):
        check_loggers(['wandb'])
    module = ModuleType('wandb_of_a_run')
    module.__spec__ = ModuleSpec('wandb_of_a_run', None, origin='a.py')
    monkeypatch.setitem(sys.modules, 'wandb_of_a_run', module)
    check_loggers(['wandb'])


@pytest.mark.parametrize(
    'backends', ['TensorboardVisBackend', ['TensorboardVisBackend'], [{}]]
)
@pytest.mark.parametrize('names', [(), ['wandb']])
def test_a_backend_without_its_dict_is_refused(backends, names):
    cfg = Config(dict(visualizer=dict(vis_backends=backends)))
    with pytest.raises(UserError, match=r"dict\(type='Tensorboard"):
        set_loggers(cfg, names)


def test_an_unknown_logger_is_refused():
    with pytest.raises(UserError, match='tensorboard, wandb, mlflow'):
        check_loggers(['dvclive'])


@pytest.mark.parametrize('wrap', [lambda one: one, lambda one: [one]])
def test_of_dvclive_is_warned(logged, wrap):
    backend = dict(type='DVCLiveVisBackend')
    cfg = Config(dict(visualizer=dict(vis_backends=wrap(backend))))
    set_loggers(cfg, ())
    (line,) = logged
    assert 'dvc init -f' in line and 'removes .dvc' in line
    assert '--loggers' in line
    logged.clear()
    set_loggers(Config(dict(visualizer=None)), ())
    assert not logged


@pytest.mark.parametrize('is_known', [True, False])
def test_dvclive_is_refused_where_it_would_remove_data(
    is_known, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('XDG_CONFIG_HOME', str(tmp_path))
    monkeypatch.setenv('GIT_CONFIG_NOSYSTEM', '1')
    if is_known:
        (tmp_path / '.gitconfig').write_text(
            '[user]\n\tname = A\n\temail = a@example.org\n'
        )
    backend = dict(type='DVCLiveVisBackend')
    cfg = Config(dict(visualizer=dict(vis_backends=[backend])))
    set_loggers(cfg, ())  # nothing to lose: a warning
    (tmp_path / '.dvc').mkdir()
    if is_known:
        set_loggers(cfg, ())
        return
    with pytest.raises(UserError, match='git config user.name'):
        set_loggers(cfg, ())
    Path('a.py').write_text(
        'test_dataloader = dict()\ntest_cfg = dict()\n'
        "visualizer = dict(vis_backends=[dict(type='DVCLiveVisBackend')])\n"
    )
    with pytest.raises(UserError, match='git config user.name'):
        launch.test('a.py', 'a.pth')
