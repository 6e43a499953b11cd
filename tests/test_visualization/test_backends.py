"""What our backends hand over, to stand-ins that write it down."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer

from mmselfemd.engine import launch
from mmselfemd.errors import UserError
from mmselfemd.settings import loggers
from mmselfemd.visualization import MLflowVisBackend, WandbVisBackend
from mmselfemd.visualization.backends import mlflow_backend, wandb_backend

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'test_tools')]
import toy_project  # noqa: E402
from fake_loggers import FakeMlflow, FakeWandb  # noqa: E402

PICTURE = np.zeros((4, 6, 3), np.uint8)


@HOOKS.register_module(force=True)
class PictureHook(Hook):
    """Hands a picture over at every second iteration, and at the first."""

    def before_train(self, runner):
        runner.visualizer.add_image('views/of a pair', PICTURE, step=0)

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        if self.every_n_train_iters(runner, 2):
            runner.visualizer.add_image(
                'views/of a pair', PICTURE, step=runner.iter + 1
            )


@pytest.fixture(autouse=True)
def nothing_of_the_users(monkeypatch):
    for name in (
        *('WANDB_PROJECT', 'WANDB_NAME', 'WANDB_DIR', 'WANDB_RUN_ID'),
        *('MLFLOW_TRACKING_URI', 'MLFLOW_EXPERIMENT_NAME'),
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', FakeWandb())
    monkeypatch.setattr(wandb_backend, '_begun', set())
    return sys.modules['wandb']


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mlflow', FakeMlflow())
    monkeypatch.setattr(mlflow_backend, '_begun', set())
    return sys.modules['mlflow']


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / 'mine').mkdir()
    return Config(
        dict(
            work_dir=str(tmp_path / 'mine'),
            resume=False,
            value_range=(0, 4095),
            hooks=[dict(type='A', keys={'a@b': 1}), dict(type='B')],
            ids={0: 1},
        )
    )


def start_of(cfg, name='20260101_000000'):
    """Where mmengine lets a backend save."""
    return str(Path(cfg.work_dir, name, 'vis_data'))


@pytest.fixture
def trained(tmp_path, wandb, mlflow, monkeypatch):
    """Ten iterations in five epochs, validated after each, and resumed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loggers, '_is_there', lambda package: True)
    text = toy_project.CONFIG + (
        "custom_hooks = [dict(type='PictureHook')]\n"
        'train_dataloader.update(batch_size=8)\n'
        "default_hooks['logger']['interval'] = 1\n"
        'train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=1)\n'
    )
    (tmp_path / 'toy.py').write_text(text)
    names = ['wandb', 'mlflow']
    launch.train('toy.py', loggers=names)
    time.sleep(1)  # a start is named by its second
    options = {'train_cfg.max_epochs': 5, 'load_from': None}
    launch.train('toy.py', resume='auto', cfg_options=options, loggers=names)
    return wandb, mlflow


def test_a_run_is_one_run_over_its_iterations(trained):
    wandb, mlflow = trained
    curves = {}
    for row in wandb.rows:
        step = row['iteration']
        for name, value in row.items():
            curves.setdefault(name, {})[step] = value
    assert list(curves['loss']) == list(range(1, 11))
    assert list(curves['error']) == [2, 4, 6, 8, 10]
    assert list(curves['views/of a pair']) == [0, 2, 4, 6, 8, 10]
    assert dict(name='*', step_metric='iteration') in wandb.metrics
    ids = {begun.get('id', 'run1') for begun in wandb.begun}
    assert len(wandb.begun) == 2 and ids == {'run1'}
    assert wandb.begun[1]['resume'] == 'allow'

    (run,) = mlflow.runs.values()
    for name in ('loss', 'error'):
        found = {step: v for step, key, v in run['metrics'] if key == name}
        assert found == pytest.approx(
            {step: float(value) for step, value in curves[name].items()}
        )
    assert {step for step, *_ in run['images']} == {0, 2, 4, 6, 8, 10}
    assert run['name'] == 'toy'
    assert run['params']['train_cfg.max_epochs'] == '4'
    logs = [file for file in run['files'] if file.endswith('.log')]
    assert len(logs) == len(set(logs)) == 2
    assert not wandb.is_open and mlflow.open is None
    log = next(Path('work_dirs/toy').glob('*/*.log')).read_text()
    assert 'loss: ' in log


def test_wandbs_own_settings_go_first(cfg, wandb, monkeypatch):
    WandbVisBackend(start_of(cfg)).add_config(cfg)
    assert wandb.begun[-1] == dict(
        project='mmselfemd', name='mine', dir=cfg.work_dir
    )
    monkeypatch.setenv('WANDB_PROJECT', 'theirs')
    monkeypatch.setenv('WANDB_DIR', '/elsewhere')
    backend = WandbVisBackend(start_of(cfg), dict(name='of the config'))
    backend.add_config(cfg)
    assert wandb.begun[-1] == dict(
        project='theirs', name='of the config', dir='/elsewhere'
    )
    backend.add_scalar('loss', 1.0, 1)
    cfg.resume = True
    monkeypatch.setenv('WANDB_RUN_ID', 'chosen')
    WandbVisBackend(start_of(cfg)).add_config(cfg)
    assert wandb.begun[-1]['id'] == 'chosen'
    assert wandb.begun[-1]['resume'] == 'allow'


def test_wandb_gets_no_source_code_unasked(cfg, wandb):
    WandbVisBackend(start_of(cfg)).add_config(cfg)
    assert not wandb.code
    WandbVisBackend(start_of(cfg), log_code_name='code').add_config(cfg)
    assert wandb.code == ['code']


def test_summaries_of_wandb_are_over_iterations_too(cfg, wandb):
    WandbVisBackend(
        start_of(cfg), define_metric_cfg={'coco/bbox_mAP': 'max'}
    ).add_config(cfg)
    assert wandb.metrics[0] == dict(
        name='coco/bbox_mAP', summary='max', step_metric='iteration'
    )


def test_a_run_that_wandb_refuses_is_one_line(cfg, wandb):
    wandb.refuses = True
    with pytest.raises(UserError, match='wandb login.*WANDB_MODE=offline'):
        WandbVisBackend(start_of(cfg)).add_config(cfg)


def test_what_mlflow_does_not_take_is_renamed(cfg, mlflow):
    backend = MLflowVisBackend(start_of(cfg))
    backend.add_config(cfg)
    backend.add_scalars({'coco/AR@100': 0.5, 'Größe (m)': torch.ones(())}, 3)
    backend.add_scalar('a' * 300, 1, step=4)
    backend.add_image('Bäume', PICTURE, step=5)
    (run,) = mlflow.runs.values()
    assert run['metrics'][:2] == [
        (3, 'coco/AR_100', 0.5),
        (3, 'Größe _m_', 1.0),
    ]
    assert run['images'] == [(5, 'B_ume', PICTURE.shape)]
    assert run['params']['hooks.0.keys.a_b'] == '1'
    assert run['params']['ids.0'] == '1'
    assert run['params']['value_range'] == '(0, 4095)'


def test_mlflow_is_where_the_run_is_unless_it_is_told(
    cfg, mlflow, monkeypatch
):
    MLflowVisBackend(start_of(cfg)).add_config(cfg)
    assert mlflow.uri == f'sqlite:///{cfg.work_dir}/mlflow.db'
    files = Path(cfg.work_dir, 'mlartifacts').as_uri()
    assert mlflow.experiments['mmselfemd'] == files
    other = Config(dict(work_dir=str(Path(cfg.work_dir).parent)))
    MLflowVisBackend(start_of(other)).add_config(other)
    assert mlflow.uri == f'sqlite:///{other.work_dir}/mlflow.db'
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://one')
    monkeypatch.setenv('MLFLOW_EXPERIMENT_NAME', 'theirs')
    MLflowVisBackend(start_of(cfg)).add_config(cfg)
    assert mlflow.uri == 'http://one'
    assert mlflow.experiments['theirs'] == 'of the server'
    MLflowVisBackend(
        start_of(cfg), exp_name='own', tracking_uri='http://two'
    ).add_config(cfg)
    assert mlflow.uri == 'http://two'
    assert mlflow.experiment_name == 'own'


def test_a_run_that_an_error_ended_takes_in_no_other(cfg, mlflow):
    MLflowVisBackend(start_of(cfg)).add_config(cfg)  # and is never closed
    next_one = Config(cfg.to_dict() | dict(other=True))
    MLflowVisBackend(start_of(cfg)).add_config(next_one)
    assert mlflow.open == 'run2'
    assert mlflow.runs['run1']['status'] == 'FAILED'
    assert 'other' not in mlflow.runs['run1']['params']


def test_nor_does_one_of_wandb(cfg, wandb):
    WandbVisBackend(start_of(cfg)).add_config(cfg)  # and is never closed
    WandbVisBackend(start_of(cfg)).add_config(cfg)
    assert len(wandb.begun) == 2 and wandb.run.id == 'run2'


def test_a_test_takes_no_place_of_the_training(trained):
    names = ('wandb', 'mlflow')
    ids = [Path('work_dirs/toy', f'{name}_run_id.txt') for name in names]
    former = [path.read_text() for path in ids]
    time.sleep(1)
    launch.test('work_dirs/toy/toy.py', 'work_dirs/toy/epoch_5.pth')
    assert [len(one) for one in (trained[0].begun, trained[1].runs)] == [3, 2]
    assert [path.read_text() for path in ids] == former


def test_a_server_that_fails_ends_no_training(cfg, mlflow, logged):
    Path(start_of(cfg)).mkdir(parents=True)
    backend = MLflowVisBackend(start_of(cfg))
    backend.add_config(cfg)

    def fails(*args, **kwargs):
        raise mlflow.MlflowException('no route to host')

    mlflow.log_metrics = mlflow.log_image = mlflow.end_run = fails
    backend.add_scalars({'loss': 1.0}, 3)
    backend.add_image('views', PICTURE, step=3)
    backend.close()
    assert len([line for line in logged if 'no route' in line]) == 3


def test_a_run_that_the_caller_began_is_taken(cfg, mlflow):
    mlflow.uri = 'sqlite:///theirs.db'
    mlflow.start_run(run_name='theirs')
    Path(start_of(cfg)).mkdir(parents=True)
    backend = MLflowVisBackend(start_of(cfg))
    backend.add_config(cfg)
    backend.close()
    assert mlflow.uri == 'sqlite:///theirs.db' and mlflow.open == 'run1'
    assert list(mlflow.runs) == ['run1']
    assert mlflow.runs['run1']['params']


def test_a_resumed_run_that_mlflow_has_lost_begins_anew(cfg, mlflow, logged):
    cfg.resume = True
    Path(cfg.work_dir, 'mlflow_run_id.txt').write_text('gone\n')
    backend = MLflowVisBackend(start_of(cfg))
    backend.add_config(cfg)
    assert any('gone cannot go on' in line for line in logged)
    assert mlflow.runs['run1']['params']
    backend.add_scalar('loss', 1.0, 1)
    assert Path(cfg.work_dir, 'mlflow_run_id.txt').read_text() == 'run1\n'


def test_a_server_that_is_not_there_is_one_line(cfg, mlflow):
    mlflow.refuses = True
    with pytest.raises(UserError, match='MLflow at http://nowhere'):
        MLflowVisBackend(
            start_of(cfg), tracking_uri='http://nowhere'
        ).add_config(cfg)


@pytest.mark.parametrize('backend', [MLflowVisBackend, WandbVisBackend])
def test_without_the_package_the_line_to_type_is_said(
    cfg, monkeypatch, backend
):
    name = backend.__name__.removesuffix('VisBackend').lower()
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=f'pip install {name}'):
        backend(start_of(cfg)).add_config(cfg)


@pytest.mark.parametrize('kind', [Visualizer, DetLocalVisualizer])
def test_without_a_config_they_log_as_well(tmp_path, wandb, mlflow, kind):
    types = [logger.backend for logger in loggers.LOGGERS.values()]
    visualizer = kind(
        vis_backends=[dict(type=type_) for type_ in types[1:]],
        save_dir=str(tmp_path),
    )
    visualizer.add_scalar('a', 1.0, step=7)
    visualizer.close()
    assert wandb.rows == [dict(a=1.0, iteration=7)]
    assert mlflow.runs['run1']['metrics'] == [(7, 'a', 1.0)]


def test_pictures_of_a_detector(tmp_path, wandb, mlflow):
    visualizer = DetLocalVisualizer(
        vis_backends=[
            dict(type='mmselfemd.WandbVisBackend'),
            dict(type='mmselfemd.MLflowVisBackend'),
        ],
        save_dir=str(tmp_path),
    )
    visualizer.dataset_meta = dict(classes=('car',), palette=[(0, 9, 0)])
    found = InstanceData(
        bboxes=torch.tensor([[1.0, 2.0, 20.0, 25.0]]),
        labels=torch.tensor([0]),
        scores=torch.tensor([0.9]),
    )
    sample = DetDataSample(pred_instances=found)
    image = np.zeros((32, 32, 3), np.uint8)
    for step in (50, 100):
        visualizer.add_datasample(
            'val_img', image, sample, draw_gt=False, step=step
        )
    assert [row['iteration'] for row in wandb.rows] == [50, 100]
    steps = [step for step, *_ in mlflow.runs['run1']['images']]
    assert steps == [50, 100]
