"""What the runs of a seed share: the backbone they begin from, the data."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope

from mmselfemd.datasets import SeededDataset
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.settings.option_values import parse_option
from mmselfemd.study import (
    CANDIDATES,
    CAUSES,
    Origin,
    fingerprint,
    plan_runs,
    save_untrained,
    untrained_path,
)
from mmselfemd.zoo.frozen_backbone import build_untrained

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'small'
SEEDS = (0, 1)


def untrained_config():
    return load_config(str(CONFIGS / 'selfemd_r18_voc256_20e.py'))


def plan(study, seeds=SEEDS):
    return plan_runs((*CANDIDATES, *CAUSES), seeds, CONFIGS, study, 20, 10)


def config_of(run):
    """As ``tools/train.py`` gets it."""
    options = {
        name: parse_option(name, str(value))
        for name, value in run.options().items()
    }
    return load_config(str(run.config), cfg_options=options)


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def weights_of(path):
    return torch.load(path, weights_only=True)['state_dict']


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    """A study that has not begun, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp('a study, begun')
    save_untrained(untrained_config(), folder, SEEDS)
    return folder


@pytest.fixture(scope='module')
def models(study):
    """Each candidate's, of seed 1, as it is when its run starts."""
    return {
        run.candidate.name: build_untrained(config_of(run))
        for run in plan(study, [1])
    }


@pytest.mark.parametrize('name', [c.name for c in (*CANDIDATES, *CAUSES)])
def test_every_candidate_begins_from_the_backbone_of_its_seed(
    study, models, name
):
    model, kept = models[name], weights_of(untrained_path(study, 1))
    assert same(model.backbone.state_dict(), kept)
    model.reset_key()  # MomentumUpdateHook's, when the run starts
    assert same(model.key['backbone'].state_dict(), kept)


@pytest.mark.parametrize(
    'alike',
    [
        {'byol_three_views', 'byol_two_views'},
        {
            *('selfemd', 'uniform', 'known_pairs'),
            *('byol_weight_0.5', 'byol_weight_0'),
            *('backbone_flow', 'gamma_0.01', 'partnered_flow'),
        },
    ],
)
def test_methods_of_the_same_neck_and_head_begin_alike_in_them_too(
    models, alike
):
    first, *others = (models[name].state_dict() for name in alike)
    for other in others:
        assert same(first, other)


def test_the_backbone_is_that_of_the_untrained_candidate_and_of_its_seed(
    study,
):
    kept = [weights_of(untrained_path(study, seed)) for seed in SEEDS]
    for seed, weights in zip(SEEDS, kept, strict=True):
        cfg = untrained_config()
        cfg.randomness = dict(seed=seed)
        assert same(build_untrained(cfg).backbone.state_dict(), weights)
    convolutions = [name for name in kept[0] if kept[0][name].dim() == 4]
    assert len(convolutions) == 20  # of a ResNet-18
    for name in convolutions:
        assert not torch.equal(kept[0][name], kept[1][name])


def test_a_fingerprint_tells_backbones_apart(study, tmp_path):
    path = untrained_path(study, 0)
    own = fingerprint(path)
    weights = weights_of(path)
    torch.save(
        dict(state_dict={k: v * (1 + 1e-6) for k, v in weights.items()}),
        tmp_path / 'another processor.pth',
    )
    other = Origin(fingerprint(tmp_path / 'another processor.pth'), 'boxes')
    Origin(own, 'boxes').check(path, other)
    other = Origin(fingerprint(untrained_path(study, 1)), 'boxes')
    with pytest.raises(UserError, match='another untrained backbone'):
        Origin(own, 'boxes').check(path, other)
    torn = tmp_path / 'torn.pth'
    torn.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match='torn.pth is damaged'):
        fingerprint(torn)


def test_a_seed_by_itself_gives_byol_another_backbone(tmp_path):
    """Else the file would not be needed."""
    byol, selfemd = (
        build_untrained(load_config(str(run.config))).backbone.conv1.weight
        for run in plan(tmp_path)[:2]
    )
    assert not torch.equal(byol, selfemd)


def test_the_backbone_is_made_once(tmp_path):
    cfg = untrained_config()
    save_untrained(cfg, tmp_path, [0])
    path = untrained_path(tmp_path, 0)
    torch.save(dict(state_dict={}), path)  # by another version of torch, say
    (tmp_path / 'selfemd_0').mkdir()
    (tmp_path / 'selfemd_0' / 'epoch_10.pth').touch()
    save_untrained(cfg, tmp_path, [0, 1])
    assert weights_of(path) == {}
    assert untrained_path(tmp_path, 1).is_file()
    assert len(list(tmp_path.glob('untrained_*'))) == 2


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
    """Two, in a list as the configs need it."""
    folder = tmp_path_factory.mktemp('photographs')
    rng = np.random.default_rng(0)
    for name in ('a.png', 'b.png'):
        pixels = rng.integers(0, 255, (180, 240, 3), np.uint8)
        cv2.imwrite(str(folder / name), pixels)
    (folder / 'list.txt').write_text('a.png\nb.png\n')
    return folder


def views_of(run, photographs):
    """The views of the second photograph in the first epoch."""
    cfg = config_of(run)
    dataset = cfg.train_dataloader.dataset
    dataset.update(
        data_root=str(photographs), data_prefix='', ann_file='list.txt'
    )
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        item = SeededDataset(DATASETS.build(dataset), run.seed)[1]
    return item['inputs'], item['data_samples'].views


def test_the_candidates_of_a_seed_see_the_same_views(tmp_path, photographs):
    runs = [run for run in plan(tmp_path, [3])]
    (pixels, views), *others = (views_of(run, photographs) for run in runs)
    assert len(views) == 3
    for run, (own_pixels, own) in zip(runs[1:], others, strict=True):
        if run.candidate.name == 'byol_two_views':
            # The third view's crop is drawn before the colours of the first.
            crops = [
                [(view['box'], view['flip']) for view in each]
                for each in (own, views[:2])
            ]
            assert crops[0] == crops[1]
            assert own != views[:2]
            continue
        assert own == views
        assert all(map(torch.equal, own_pixels, pixels))
    assert views_of(plan(tmp_path, [4])[0], photographs)[1] != views
