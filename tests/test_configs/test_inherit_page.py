"""docs/inherit.md: its configs, its parts, and the tools of others."""

import json
import os
import re
import sys
from pathlib import Path

import mmpretrain
import pytest
import torch
from forked_scripts import run_script
from mmengine import registry as roots
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, HOOKS, MODELS, DefaultScope

import mmselfemd  # noqa: F401  makes `_base_ = 'mmselfemd::...'` known
from mmselfemd.engine import PreciseBNHook, launch
from mmselfemd.models import EMDHead

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / 'configs' / 'selfemd' / 'selfemd_r50_coco_800e.py'
# Few channels, so that the model is built at once.
NARROW = """
_base_.model.backbone.update(depth=18, base_channels=4, stem_channels=4)
_base_.model.neck[0].update(in_channels=32, hidden_channels=8)
_base_.model.head.update(hidden_channels=8)
"""


@pytest.fixture(scope='module')
def blocks():
    page = (ROOT / 'docs' / 'inherit.md').read_text()
    blocks = re.findall(r'```python\n(.*?)```', page, re.S)
    assert len(blocks) == 7
    return blocks


@pytest.fixture
def read(tmp_path):
    """Read a block as the config of somebody else's folder."""

    def read_block(text):
        path = tmp_path / 'mine.py'
        path.write_text(text)
        return Config.fromfile(path)

    return read_block


@pytest.fixture
def recipe():
    return Config.fromfile(RECIPE)


def test_dicts_are_merged(blocks, read, recipe):
    cfg = read(blocks[0])
    loader = cfg.train_dataloader
    assert (loader.batch_size, loader.dataset.data_root) == (16, 'photos/')
    assert loader.num_workers == recipe.train_dataloader.num_workers
    assert len(loader.dataset.pipeline) == 3
    assert cfg.optim_wrapper.optimizer.lr == recipe.optim_wrapper.optimizer.lr
    assert cfg.model.head.max_iters == 300
    assert cfg.model.head.gamma == recipe.model.head.gamma


def test_a_dict_is_replaced(blocks, read, recipe):
    cfg = read(blocks[1])
    assert 'momentum' in recipe.optim_wrapper.optimizer
    assert cfg.optim_wrapper.optimizer == dict(
        type='AdamW', lr=1e-4, weight_decay=0.05
    )
    assert cfg.optim_wrapper.type == recipe.optim_wrapper.type


def test_an_element_of_a_list_is_changed(blocks, read, recipe):
    cfg = read(blocks[2])
    changed, kept = cfg.model.neck
    assert changed == recipe.model.neck[0] | dict(hidden_channels=2048)
    assert kept == recipe.model.neck[1]
    views = cfg.train_dataloader.dataset.pipeline[1]
    assert views.scale == (0.2, 1.0)
    assert len(views.views) == 3


def test_variables_make_a_pipeline(blocks, read, image_folder, our_scope):
    cfg = read(blocks[3])
    cfg.train_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix=''
    )
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sides = [view.shape[-1] for view in dataset[0]['inputs']]
    assert sides == [224, 224, 112, 112]


@pytest.fixture
def my_parts(blocks, tmp_path, monkeypatch):
    """The module of the page; what it registers goes with the test."""
    for registry in (MODELS, HOOKS):
        kept = dict(registry._module_dict)
        monkeypatch.setattr(registry, '_module_dict', kept)
    (tmp_path / 'my_parts.py').write_text(blocks[4])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'my_parts', raising=False)


def test_own_parts_take_a_step(my_parts, blocks, read, our_scope):
    cfg = read(blocks[5] + NARROW)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    assert type(model.neck[0]).__name__ == 'CentredNeck'
    assert type(model.key['neck'][0]).__name__ == 'CentredNeck'
    model.has_momentum_hook = True
    inputs = [torch.randn(2, 3, size, size) for size in (224, 224, 112)]
    nodes = model.neck[0](model.backbone(inputs[0])).nodes
    assert nodes.mean((2, 3)).abs().max() < 1e-5 < nodes.abs().max()
    losses = model.loss(inputs, [])
    total, logged = model.parse_losses(losses)
    assert total.item() == pytest.approx(
        (losses['loss_byol'] + losses['loss_emd']).item()
    )
    assert logged['node_length'] > 0


def test_own_hook_warns(my_parts, blocks, read, our_scope, logged):
    (hook,) = map(HOOKS.build, read(blocks[5]).custom_hooks)

    class Runner:
        logger = MMLogger.get_instance('mmengine')

    hook.after_val_epoch(Runner, metrics={'matching/gain': 0.2})
    assert not any('matching/gain is' in line for line in logged)
    hook.after_val_epoch(Runner, metrics={'matching/gain': 0.01})
    assert 'matching/gain is below 0.05' in logged


def test_which_class_a_name_means(monkeypatch):
    class Mine(torch.nn.Module):
        pass

    monkeypatch.setitem(roots.MODELS._module_dict, 'EMDHead', Mine)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        head = MODELS.build(dict(type='EMDHead'))
        assert isinstance(head, EMDHead)
        assert isinstance(MODELS.build(dict(type='mmengine.EMDHead')), Mine)
    with DefaultScope.overwrite_default_scope('mmdet'):
        hook = HOOKS.build(dict(type='mmselfemd.PreciseBNHook', num_images=2))
        assert isinstance(hook, PreciseBNHook)
        with pytest.raises(KeyError, match='PreciseBNHook'):
            HOOKS.build(dict(type='PreciseBNHook', num_images=2))


def losses_of(folder):
    """What a run has logged."""
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    return [row['loss'] for row in rows if 'loss' in row]


@pytest.fixture
def one_thread():
    """Sums of several threads come out another way round."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.timeout(600)  # two trainings, one in a process of its own
def test_mmpretrains_own_tool_trains_the_same(
    blocks, tmp_path, image_folder, one_thread
):
    base = '/path/to/mmselfemd/.mim/configs/selfemd/selfemd_r50_coco_800e.py'
    assert base in blocks[6]
    config = tmp_path / 'mine.py'
    config.write_text(
        blocks[6].replace(base, str(RECIPE))
        + NARROW
        + f"""
train_dataloader.update(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root={str(image_folder)!r}, data_prefix=''),
)
val_dataloader = val_cfg = val_evaluator = None
train_cfg = dict(max_epochs=1)
param_scheduler = []
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=0)
"""
    )
    theirs = Path(mmpretrain.__file__).parent / '.mim' / 'tools' / 'train.py'
    result = run_script(
        theirs,
        *(config, '--work-dir', tmp_path / 'theirs', '--no-pin-memory'),
        env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    launch.train(str(config), str(tmp_path / 'ours'))
    found, expected = map(losses_of, (tmp_path / 'theirs', tmp_path / 'ours'))
    assert len(found) == 2
    assert found == expected


@pytest.mark.parametrize('name', ['selfemd', 'detection/coco'])
def test_configs_are_read_by_path_alone(name, tmp_path):
    """As mmdet's own tool reads them: without `mmselfemd::`."""
    config = sorted((ROOT / 'configs' / name).glob('*.py'))[0]
    child = tmp_path / 'mine.py'
    child.write_text(f'_base_ = {str(config)!r}\n')
    script = tmp_path / 'read.py'
    script.write_text(
        'import sys\n'
        'from mmengine.config import Config\n'
        'assert "mmselfemd" not in sys.modules\n'
        'Config.fromfile(sys.argv[1], import_custom_modules=False)\n'
        'assert "mmselfemd" not in sys.modules\n'
    )
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    result = run_script(script, child, env=env)
    assert result.returncode == 0, result.stderr[-3000:]
