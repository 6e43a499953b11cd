"""From a config and photographs to crops, networks and flows."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.config import Config

from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.errors import UserError
from mmselfemd.evaluation import match_batch, overlap
from mmselfemd.registry import MODELS
from mmselfemd.visualization import browsing, photographs
from mmselfemd.visualization.browsing import browse_views
from mmselfemd.visualization.networks import build_networks
from mmselfemd.visualization.overlapping_crops import (
    OverlappingCrops,
    collate_crops,
)
from mmselfemd.visualization.pairs import matching_pair_of_crops
from mmselfemd.visualization.photographs import visualize_matching
from mmselfemd.visualization.view_pipeline import (
    view_pipeline,
    without_colour_changes,
)

CONFIGS = Path(__file__).parents[2] / 'configs'
PRETRAINING = sorted(
    path
    for folder in ('byol', 'selfemd', 'demo', 'mocov2', 'simclr')
    for path in (CONFIGS / folder).glob('*.py')
    if not path.name.startswith('faster')
)


def config(name: str = 'demo/selfemd_r18_scenes.py') -> Config:
    cfg = Config.fromfile(CONFIGS / name)
    if name.startswith('demo'):
        cfg.model.backbone.update(stem_channels=8, base_channels=8)
    return cfg


def cutter(seed: int = 0, **changes) -> OverlappingCrops:
    pipeline = without_colour_changes(view_pipeline(config()))
    pipeline[1].update(changes)
    return OverlappingCrops(pipeline, seed)


def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.mark.parametrize('path', PRETRAINING, ids=lambda path: path.stem)
def test_every_pretraining_config_has_views_to_draw(path):
    pipeline = view_pipeline(Config.fromfile(path))
    plain = without_colour_changes(pipeline)
    assert pipeline[1]['views'][0]['photometric']
    assert [v['photometric'] for v in plain[1]['views']] == [[], []]
    assert plain[1]['scale'] == pipeline[1]['scale']
    assert len(plain) == len(pipeline)


def test_other_configs_are_refused():
    name = 'detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'
    with pytest.raises(ValueError, match=r'browse_dataset\.py'):
        view_pipeline(config(name))
    pipeline = view_pipeline(config())
    pipeline[1]['views'].pop(0)
    with pytest.raises(ValueError, match=r'two views of one size.*224, 112'):
        without_colour_changes(pipeline)


def test_crops_overlap_and_depend_on_name_and_seed_alone():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    path, image = Path('somewhere', 'a.jpg'), photograph()
    pairs = cutter()(path, image, 8)
    assert all(overlap(*pair.views) >= 0.3 for pair in pairs)
    again = cutter()(Path('elsewhere', 'a.jpg'), image, 3)
    assert [pair.views for pair in again] == [p.views for p in pairs[:3]]
    for other in (
        cutter(1)(path, image, 1),
        cutter()(Path('b.jpg'), image, 1),
    ):
        assert other[0].views != pairs[0].views
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2][1])


def test_the_best_of_many_pairs_is_taken_where_none_overlaps_enough():
    far = cutter(scale=(0.02, 0.021))(Path('a.jpg'), photograph(), 1)
    assert 0 < overlap(*far[0].views)


def test_a_batch_is_bgr_as_the_pipeline_gives_it():
    pairs = cutter()(Path('a.jpg'), photograph(), 2)
    batch = collate_crops(pairs)
    assert [tuple(view.shape) for view in batch['inputs']] == [
        (2, 3, 224, 224)
    ] * 2
    np.testing.assert_array_equal(
        batch['inputs'][1][0, 0], pairs[0].crops[1][..., 2]
    )
    assert batch['data_samples'][1].views == pairs[1].views


@pytest.fixture
def weights(our_scope) -> dict:
    model = MODELS.build(config().model.backbone)
    return {name: value + 1 for name, value in model.state_dict().items()}


@pytest.mark.parametrize('prefix', ['backbone.', 'module.backbone.', ''])
def test_weights_of_runs_and_of_backbones_are_loaded(
    prefix, weights, tmp_path
):
    state = {prefix + name: value for name, value in weights.items()}
    state |= {'fc.weight': torch.ones(1)}
    if prefix:  # the key encoder is never taken
        state |= {f'key.{name}': value * 0 for name, value in state.items()}
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    state = torch.get_rng_state()
    _, networks = build_networks(config(), str(tmp_path / 'a.pth'))
    assert torch.equal(torch.get_rng_state(), state)
    assert list(networks) == ['untrained', 'trained']
    for name, value in networks['trained'].state_dict().items():
        assert torch.equal(value.cpu(), weights[name]), name


def test_untrained_weights_follow_the_seed():
    first, again, other = (
        next(build_networks(config(), seed=seed)[1]['untrained'].parameters())
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize('change', ['missing', 'shape', 'deeper'])
def test_weights_that_do_not_fit_are_an_error(change, weights, tmp_path):
    if change == 'missing':
        weights.pop('layer3.0.conv1.weight')
    elif change == 'shape':
        weights['layer3.0.conv1.weight'] = torch.ones(2, 2, 3, 3)
    else:
        weights['layer3.9.conv1.weight'] = torch.ones(2, 2, 3, 3)
    torch.save(weights, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'layer3\.\d\.conv1\.weight'):
        build_networks(config(), str(tmp_path / 'a.pth'))


def test_pictures_of_matches_follow_image_and_seed(image_folder, tmp_path):
    """The batch is filled up with crops of the image itself."""
    image = str(image_folder / '0.jpg')
    contents = [
        [path.read_bytes() for path in written]
        for written in (
            visualize_matching(
                config(), [image], str(tmp_path / name), seed=seed
            )
            for name, seed in (('a', 0), ('b', 0), ('c', 1))
        )
    ]
    assert contents[0] == contents[1]
    assert all(a != c for a, c in zip(*contents[::2], strict=True))


def test_the_control_is_a_crop_of_another_photograph(
    image_folder, tmp_path, monkeypatch
):
    matched, others = [], []

    def record_batch(*args, others=None, **kwargs):
        matched.append(others)
        return match_batch(*args, others=others, **kwargs)

    def record_pair(*args):
        others.append(args[4])
        return matching_pair_of_crops(*args)

    monkeypatch.setattr(photographs, 'match_batch', record_batch)
    monkeypatch.setattr(photographs, 'matching_pair_of_crops', record_pair)
    images = [str(image_folder / f'{number}.jpg') for number in (0, 1)]
    out = str(tmp_path / 'two')
    visualize_matching(config(), images, out, num_pairs=2)
    # Shown are two pairs of each, and then come spare ones of each.
    assert matched[0][:4] == [2, 2, 4, 4]
    assert len(others) == 4 and None not in others

    others.clear()
    visualize_matching(config(), images[:1], out, num_pairs=2)
    assert others == [None, None]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(images=['absent']), 'Nothing was drawn'),
        (dict(num_pairs=0), r'num_pairs \(--num-pairs\): expected at least 1'),
        (dict(num_positions=0), r'\(--positions\): expected at least 1'),
        (dict(checkpoint='no.pth'), 'no.pth: there is no such'),
        (
            dict(checkpoint='mmselfemd://selfemd_r50_coco_800e'),
            'are not published yet',
        ),
    ],
)
def test_mistakes_write_nothing(image_folder, tmp_path, arguments, message):
    arguments = dict(images=[str(image_folder)]) | arguments
    with pytest.raises(UserError, match=message):
        visualize_matching(config(), out=str(tmp_path / 'out'), **arguments)
    assert not (tmp_path / 'out').exists()


def test_spare_crops_that_fail_stop_nothing(
    image_folder, tmp_path, monkeypatch
):
    """They are drawn for the statistics of a batch alone."""
    cut = OverlappingCrops.__call__

    def cut_one(self, path, image, num_pairs):
        if num_pairs > 1:
            raise ValueError('none of 100 pairs of crops overlap')
        return cut(self, path, image, num_pairs)

    monkeypatch.setattr(OverlappingCrops, '__call__', cut_one)
    files = [str(image_folder / f'{number}.jpg') for number in range(2)]
    written = visualize_matching(config(), files, str(tmp_path / 'out'))
    assert len(written) == 4


def test_views_are_drawn_as_the_network_gets_them(
    image_folder, tmp_path, monkeypatch
):
    """Without colour changes, they are cut from the image as it is."""
    cfg = config('byol/byol_r50_coco_800e.py')
    cfg.train_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix=''
    )
    for view in cfg.train_dataloader.dataset.pipeline[1]['views']:
        view['photometric'] = []
    drawn = []
    monkeypatch.setattr(
        browsing,
        'draw_views',
        lambda *arguments: drawn.append(arguments) or Figure(figsize=(1, 1)),
    )
    first = browse_views(cfg, str(tmp_path), num=20)
    assert len(first) == len(drawn) == 8
    browse_views(cfg, str(tmp_path), num=3)
    for (image, views, crops, _), again in zip(drawn, drawn[8:], strict=False):
        assert again[1] == views
        for view, crop in zip(views, crops, strict=True):
            geometry = view['box'], view['flip'], view['size']
            cut = cut_view(image, *geometry, backend='torch')
            np.testing.assert_array_equal(crop, cut)


def test_colours_that_the_device_changes_are_drawn(
    image_folder, tmp_path, monkeypatch
):
    """With a grey view there is no colour left in the picture of it."""
    cfg = config('byol/byol_r50_coco_800e.py')
    cfg.train_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix=''
    )
    for view in cfg.train_dataloader.dataset.pipeline[1]['views']:
        view.photometric[0].update(grey_prob=1.0)
    drawn = []
    monkeypatch.setattr(
        browsing,
        'draw_views',
        lambda *arguments: drawn.append(arguments) or Figure(figsize=(1, 1)),
    )
    browse_views(cfg, str(tmp_path), num=2)
    for _, _, crops, _ in drawn:
        for crop in crops:
            assert crop.std() > 1
            assert np.ptp(crop.astype(int), axis=2).max() <= 1


def test_browsing_needs_data_and_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no data/
    with pytest.raises(UserError, match='data_root'):
        browse_views(config(), 'out')
    with pytest.raises(UserError, match='at least 1'):
        browse_views(config(), 'out', num=0)
