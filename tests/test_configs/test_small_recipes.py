"""What the study compares differs in what is compared, and nothing else."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmselfemd.study import BASELINE, CANDIDATES, CAUSES

SMALL = Path(__file__).resolve().parents[2] / 'configs' / 'small'
# What describes a file or a part of the config, and does not act by itself.
_NO_EFFECT = {'custom_imports', 'train_pipeline'}


# What each of these changes of the schedule, and no other does.
_SCHEDULES = {
    'predictor_lr_10x': {
        'optim_wrapper.paramwise_cfg.custom_keys': {
            'head.dense_predictor': dict(lr_mult=10.0),
            'head.vector_predictor': dict(lr_mult=10.0),
        }
    },
    'byol_predictor_lr_10x': {
        'optim_wrapper.paramwise_cfg.custom_keys': {
            'head.vector_predictor': dict(lr_mult=10.0),
        }
    },
    'key_momentum_0.996': {
        'default_hooks.momentum_update.base_momentum': 0.996
    },
    'lr_0.1': {'optim_wrapper.optimizer.lr': 0.1},
    'byol_lr_0.1': {'optim_wrapper.optimizer.lr': 0.1},
}


def resolved(candidate):
    cfg = Config.fromfile(SMALL / f'{candidate.config}.py').to_dict()
    return {name: cfg[name] for name in cfg if name not in _NO_EFFECT}


@pytest.mark.parametrize(
    'candidate', (*CANDIDATES, *CAUSES), ids=lambda c: c.name
)
def test_candidates_differ_in_the_method_alone(candidate):
    baseline = resolved(next(c for c in CANDIDATES if c.name == BASELINE))
    own = resolved(candidate)
    assert own['model'].pop('backbone') == baseline['model'].pop('backbone')
    del own['model'], baseline['model']
    if candidate.name == 'byol_two_views':
        pipelines = [
            cfg['train_dataloader']['dataset'].pop('pipeline')
            for cfg in (own, baseline)
        ]
        views = [pipeline[1].pop('views') for pipeline in pipelines]
        assert views[0] == views[1][:2]
        assert pipelines[0] == pipelines[1]
    baseline = Config(baseline)
    baseline.merge_from_dict(_SCHEDULES.get(candidate.name, {}))
    assert own == baseline.to_dict()


def test_the_options_of_each_are_what_its_name_says():
    models = {c.name: resolved(c)['model'] for c in (*CANDIDATES, *CAUSES)}
    selfemd = models['selfemd']
    for name, options in {
        'uniform': dict(marginals='uniform'),
        'byol_weight_0.5': dict(byol_weight=0.5),
        'byol_weight_0': dict(byol_weight=0.0),
        'known_pairs': dict(type='KnownPairsHead'),
        'gamma_0.01': dict(gamma=0.01),
        'backbone_flow': dict(type='BackboneFlowHead', gamma=0.01),
        'partnered_flow': dict(type='PartneredFlowHead'),
        'flow_warm_up': dict(type='FlowWarmUpHead', warm_up=0.25),
    }.items():
        assert models[name]['head'] == selfemd['head'] | options
        assert models[name]['neck'] == selfemd['neck']
    for name in _SCHEDULES:
        method = BASELINE if name.startswith('byol') else 'selfemd'
        assert models[name] == models[method]
    after = models['pyramid_after']
    *projector, pyramid = selfemd['neck']
    assert after['neck'] == projector
    assert after['head'] == selfemd['head'] | dict(pyramid=pyramid)
    assert models['byol_two_views'] == models[BASELINE]
