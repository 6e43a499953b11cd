"""Montage in a comparison, where a careless user asks for it."""

import json

import pytest
from made_up_photographs import DETECTOR_OPTIONS, PRETRAIN_OPTIONS, write_all
from mmengine.config import Config

from mmselfemd.comparison import first_look
from mmselfemd.comparison.data import nested_subsets, read_data
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.runs import PretrainingRun
from mmselfemd.errors import UserError


@pytest.fixture
def places(tmp_path):
    return write_all(tmp_path / 'data')


@pytest.mark.parametrize('name', ['montage_labels0.5', 'detector_labels1'])
def test_a_name_that_is_that_of_another_run(settings, tmp_path, name):
    ways = settings().pretraining
    given = settings(
        candidates=('montage', name),
        pretraining=ways | {name: ways['selfemd']},
    )
    with pytest.raises(UserError, match=f"'{name}'.*another name"):
        Planner(given, tmp_path).plan()


def test_a_config_that_no_longer_learns_from_boxes(settings, finish, tmp_path):
    config = tmp_path / 'mine.py'
    ways = settings().pretraining
    config.write_text(f"_base_ = ['{ways['montage']}']\n")
    given = settings(
        candidates=('random', 'mine'),
        pretraining=ways | dict(mine=config),
        seeds=1,
    )
    plan = Planner(given, tmp_path / 'work').plan()
    names = {run.config.name for run in plan.runs}
    assert 'mine_labels0.5.py' in names
    finish(plan, plan.runs[0])
    config.write_text(f"_base_ = ['{ways['selfemd']}']\n")
    with pytest.raises(UserError, match='mine.py. has been changed'):
        Planner(given, tmp_path / 'work').plan()


def test_a_share_whose_boxes_are_all_small(settings, places, tmp_path):
    """Else the runs before it would be done when it is found out."""
    content = json.loads(places['train'].read_text())
    half = nested_subsets(read_data(**places).train, [0.5])[0.5]
    ids = {image['id'] for image in half.content['images']}
    for box in content['annotations']:
        if box['image_id'] in ids:
            box.update(bbox=[*box['bbox'][:2], 24, 7], area=168)
    places['train'].write_text(json.dumps(content))
    given = settings(**places, candidates=('random', 'montage'))
    with pytest.raises(UserError, match='--fractions 0.5: .* 8 pixels'):
        Planner(given, tmp_path / 'work').plan()
    Planner(settings(**places), tmp_path / 'work').plan()


def test_steps_of_several_batches_without_photographs(
    settings, made_up, tmp_path
):
    given = settings(
        candidates=('random', 'montage'),
        images=made_up['val_images'],
        leave_out_val=True,
        pretrain_options=PRETRAIN_OPTIONS
        | {'optim_wrapper.accumulative_counts': 2},
    )
    plan = Planner(given, tmp_path).plan()
    assert {run.iterations for run in plan.runs} == {4}


def test_options_of_a_validation_that_montage_has_not(
    settings, tmp_path, reading
):
    given = settings(
        candidates=('random', 'montage'),
        pretrain_options=PRETRAIN_OPTIONS | {'val_dataloader.num_workers': 0},
        seeds=1,
    )
    plan = Planner(given, tmp_path).plan()
    (run, *_) = (r for r in plan.runs if isinstance(r, PretrainingRun))
    cfg = Config.fromfile(run.config)
    # mmengine takes all three, or none.
    for part in ('dataloader', 'cfg', 'evaluator'):
        assert cfg[f'val_{part}'] is cfg[f'test_{part}'] is None
    for cfg in reading(plan).values():
        assert cfg.val_dataloader.dataset.indices == 512


def test_options_of_another_way_name_the_config(settings, tmp_path):
    given = settings(
        candidates=('selfemd', 'montage'),
        pretrain_options=PRETRAIN_OPTIONS | {'model.head.gamma': 0.1},
    )
    with pytest.raises(UserError, match='head.gamma') as error:
        Planner(given, tmp_path).plan()
    assert 'montage_r18_voc256_20e.py' in str(error.value)
    assert '--pretrain NAME=CONFIG' in str(error.value)


@pytest.fixture
def reading(monkeypatch):
    """By candidate the config that a look reads its backbone by."""
    monkeypatch.setattr(first_look, 'Reader', lambda cfg, *_: cfg)

    def read(plan):
        return {
            each.name: first_look._reader(plan, each)
            for each in plan.candidates
        }

    return read


def test_a_look_reads_all_images_whatever_a_config_picks(
    settings, tmp_path, reading
):
    """Those of tools/pretrain.py take one in so many of their own folder."""
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = ['{settings().pretraining['selfemd']}']\n"
        'val_dataloader = dict(dataset=dict(every=117))\n'
        'train_dataloader = dict(dataset=dict(every=2, indices=3))\n'
    )
    given = settings(pretraining=settings().pretraining | {'selfemd': config})
    plan = Planner(given, tmp_path / 'work').plan()
    for cfg in reading(plan).values():
        assert 'every' not in cfg.val_dataloader.dataset
    cfg = Config.fromfile(tmp_path / 'work/configs/selfemd.py')
    assert not {'every', 'indices'} & cfg.train_dataloader.dataset.keys()


def test_a_look_at_montage_alone(settings, tmp_path, reading):
    """Of its own backbone, whatever options it has that Self-EMD has not."""
    ways = settings().pretraining
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = ['{ways['montage']}']\n"
        'model = dict(backbone=dict(stem_channels=8, base_channels=8), '
        'head=dict(in_channels=64))\n'
        'value_range = [0, 200]\n'
    )
    given = settings(
        candidates=('random', 'mine'),
        pretraining=ways | dict(mine=config),
        pretrain_options=PRETRAIN_OPTIONS | {'model.head.threshold': 0.6},
        detector_options=DETECTOR_OPTIONS
        | {
            'model.backbone.base_channels': 8,
            'model.neck.in_channels': [8, 16, 32, 64],
            'value_range': [0, 200],
        },
    )
    found = reading(Planner(given, tmp_path / 'work').plan())
    for cfg in found.values():
        assert cfg.model.backbone.base_channels == 8
        assert cfg.value_range == [0, 200]
        assert len(cfg.val_dataloader.dataset.pipeline[1]['views']) == 2


def test_a_look_where_montage_is_called_selfemd(settings, tmp_path, reading):
    """``--pretrain CONFIG`` is that of ``selfemd``."""
    ways = settings().pretraining
    given = settings(pretraining=ways | dict(selfemd=ways['montage']))
    found = reading(Planner(given, tmp_path).plan())
    for cfg in found.values():
        assert cfg.val_dataloader.dataset.indices == 512
