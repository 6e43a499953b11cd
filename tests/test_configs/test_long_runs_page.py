"""docs/long_runs.md: its config works, its figures are those of the models."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch.nn import Linear, SyncBatchNorm

from mmselfemd.engine import (
    BoundedHistoryHook,
    FiniteOptimWrapper,
    PreemptionHook,
    SafeCheckpointHook,
)
from mmselfemd.monitors import RunReportHook
from mmselfemd.registry import HOOKS, MODELS

ROOT = Path(__file__).resolve().parents[2]
FLOAT = 4e-6  # megabytes


def count(config):
    """Megabytes and calls of gradients and of SyncBN in a step."""
    cfg = Config.fromfile(ROOT / 'configs' / config)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        model = MODELS.build(cfg.model).train()
    model.has_momentum_hook = True
    forward, backward = [], []

    def note(norm, inputs, output):
        if norm.training:  # else there is nothing to agree on
            # torch gathers mean, deviation and count; it reduces two sums.
            forward.append(2 * norm.num_features + 1)
            if output.requires_grad:
                backward.append(2 * norm.num_features)

    for module in model.modules():
        if isinstance(module, SyncBatchNorm):
            module.register_forward_hook(note)
    views = cfg.train_pipeline[1]['views']
    model.loss([torch.rand(2, 3, 64, 64) for _ in views], None)
    trained = [p.numel() for p in model.parameters() if p.requires_grad]
    return dict(
        gradients=sum(trained) * FLOAT,
        forward=(len(forward), sum(forward) * FLOAT),
        backward=(len(backward), sum(backward) * FLOAT),
    )


@pytest.fixture(scope='module')
def page():
    return (ROOT / 'docs' / 'long_runs.md').read_text()


def test_self_emd(page):
    found = count('selfemd/selfemd_r50_coco_800e.py')
    rows = dict(re.findall(r'^\| ([\w, ]+) \| .* \| ([\d.]+) \|$', page, re.M))
    calls = dict(re.findall(r'^\| (SyncBN, \w+) \|.*\| (\d+) \|', page, re.M))
    assert rows['gradients'] == f'{found["gradients"]:.1f}'
    for way in ('forward', 'backward'):
        number, megabytes = found[way]
        assert calls[f'SyncBN, {way}'] == str(number)
        assert rows[f'SyncBN, {way}'] == f'{megabytes:.2f}'
    assert f'{found["forward"][0] + found["backward"][0]} small calls' in page
    text = ' '.join(page.split())
    for processes, start in ((8, 'With 8 processes'), (16, 'with 16 proc')):
        sent = 2 * (processes - 1) / processes * found['gradients']
        gathered = (processes - 1) * found['forward'][1]
        after = text[text.index(start) + len(start) :]
        assert re.findall(r'(\d+) MB', after)[:2] == [
            f'{sent:.0f}',
            f'{gathered:.0f}',
        ]


def test_byol(page):
    found = count('byol/byol_r50_coco_800e.py')
    assert (
        f'{found["gradients"]:.1f} MB of gradients, {found["forward"][0]} '
        f'calls with {found["forward"][1]:.2f} MB, {found["backward"][0]} '
        f'calls with {found["backward"][1]:.2f} MB'
    ) in ' '.join(page.split())


def test_config_switches_a_detector_on(page, tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', page, re.S)
    base = 'mmselfemd::detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = {base!r}\n{block}')
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        wrapper = build_optim_wrapper(Linear(1, 1), cfg.optim_wrapper)
        hooks = [
            HOOKS.build(cfg.default_hooks[name])
            for name in ('preemption', 'run_report', 'bounded_history')
        ]
    assert isinstance(wrapper, FiniteOptimWrapper)
    assert wrapper.optimizer.defaults['lr'] == 0.02
    assert [type(hook) for hook in hooks] == [
        PreemptionHook,
        RunReportHook,
        BoundedHistoryHook,
    ]


def test_pretraining_has_the_hooks():
    path = ROOT / 'configs' / 'selfemd' / 'selfemd_r50_coco_800e.py'
    hooks = Config.fromfile(path).default_hooks
    assert hooks.preemption.type == 'PreemptionHook'
    assert hooks.run_report.type == 'RunReportHook'


@pytest.mark.parametrize('method', ['selfemd', 'byol'])
def test_pretraining_saves_every_epoch(method):
    """A kill loses an epoch at most; as many files as before are kept."""
    path = ROOT / 'configs' / method / f'{method}_r50_coco_800e.py'
    hook = Config.fromfile(path).default_hooks.checkpoint
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        hook = HOOKS.build(hook)
    assert isinstance(hook, SafeCheckpointHook)
    assert hook.by_epoch and hook.interval == 1 and hook.max_keep_ckpts == 3
