"""The plan of a comparison: equal runs, and what stops before they begin."""

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from made_up_photographs import DETECTOR_OPTIONS, PRETRAIN_OPTIONS
from mmengine.config import Config

from mmselfemd.comparison import planner
from mmselfemd.comparison.execution import (
    chain_of,
    describe_plan,
    hours_left,
    num_chains,
)
from mmselfemd.comparison.first_look import runs_to_read
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.runs import DetectorRun, PretrainingRun
from mmselfemd.comparison.timing import Seconds
from mmselfemd.comparison.weights import Detector
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.settings.option_values import parse_option
from mmselfemd.zoo.frozen_backbone import build_untrained
from mmselfemd.zoo.index import find_model

ROOT = Path(__file__).resolve().parents[2]


def resolved(run):
    """The config of a run as its process resolves it."""
    options = dict(word.split('=', 1) for word in run.options())
    options = {
        name: parse_option(name, text) for name, text in options.items()
    }
    return load_config(
        str(run.config), str(run.work_dir), cfg_options=options
    ).to_dict()


def flat(node, path=''):
    if isinstance(node, dict):
        for name, child in node.items():
            yield from flat(child, f'{path}.{name}' if path else name)
    elif isinstance(node, list | tuple):
        for place, child in enumerate(node):
            yield from flat(child, f'{path}.{place}')
    else:
        yield path, node


def test_detectors_differ_in_their_initial_backbone_alone(plan):
    detectors = [run for run in plan.runs if isinstance(run, DetectorRun)]
    for fraction in plan.subsets:
        for seed in range(2):
            random, selfemd = (
                dict(flat(resolved(run)))
                for run in detectors
                if (run.fraction, run.seed) == (fraction, seed)
            )
            assert random.keys() == selfemd.keys()
            differing = {k for k in random if random[k] != selfemd[k]}
            # Where results go, beside what the backbone begins with.
            assert differing == {
                'pretrained',
                'work_dir',
                'val_evaluator.outfile_prefix',
                'test_evaluator.outfile_prefix',
            }
            assert random['pretrained'] is None
            assert selfemd['pretrained'].endswith(f'selfemd_seed{seed}.pth')
            assert random['randomness.seed'] == seed


def test_ways_of_pre_training_see_the_same_for_as_long(settings, tmp_path):
    settings = settings(candidates=('selfemd', 'byol'))
    Planner(settings, tmp_path).plan()
    one, other = (
        Config.fromfile(tmp_path / 'configs' / f'{name}.py').to_dict()
        for name in ('selfemd', 'byol')
    )
    assert one.pop('model') != other.pop('model')
    assert one == other
    assert one['train_cfg']['max_epochs'] == 2  # 4 iterations, 2 an epoch
    listed = Path(one['train_dataloader']['dataset']['ann_file'])
    assert len(listed.read_text().splitlines()) == 8
    assert one['val_dataloader'] is None


def labels_of(run):
    """What a run trains on, of the data set that reads boxes."""
    dataset = Config.fromfile(run.config).train_dataloader.dataset
    while 'ann_file' not in dataset:
        dataset = dataset.dataset
    return dataset


def test_montage_learns_from_the_boxes_of_its_detector_alone(
    settings, tmp_path
):
    settings = settings(candidates=('selfemd', 'montage'))
    plan = Planner(settings, tmp_path).plan()
    pretraining, detectors = (
        {
            (run.fraction, run.seed): run
            for run in plan.runs
            if isinstance(run, kind) and run.candidate.name == 'montage'
        }
        for kind in (PretrainingRun, DetectorRun)
    )
    assert len(pretraining) == len(detectors) == 4  # 2 shares, 2 seeds
    for key, run in pretraining.items():
        detector = detectors[key]
        assert detector.pretrained == str(run.backbone)
        own, other = (labels_of(each) for each in (run, detector))
        assert (own.type, other.type) == ('ObjectDataset', 'CocoDataset')
        for name in ('ann_file', 'data_prefix', 'metainfo'):
            assert own[name] == other[name]
        cfg = Config.fromfile(run.config)
        assert cfg.model.head.num_classes == 2
        assert cfg.default_hooks.label_weights.interval == 1
    # As long as Self-EMD, whose epochs are those of the photographs.
    assert {run.iterations for run in plan.runs} == {4}
    assert len({run.config for run in pretraining.values()}) == 2
    assert len({run.work_dir for run in plan.runs}) == len(plan.runs)
    assert len({run.name for run in plan.runs}) == len(plan.runs)
    labels = {each.label for each in pretraining.values()}
    assert len(labels) == 4
    assert 'Montage, seed 0, 50 % of the labels' in labels
    # A look reads those of the largest share alone.
    looked = [(run.candidate.name, run.seed) for run in runs_to_read(plan)]
    assert sorted(looked) == [
        ('montage', 0),
        ('montage', 1),
        ('selfemd', 0),
        ('selfemd', 1),
    ]
    assert pretraining[0.5, 0] not in runs_to_read(plan)
    # 2 + 4 pre-trainings of 4 iterations, 8 detectors of 4.
    hours = (6 * 4 * 0.5 + 8 * 4 * 0.25) / 3600
    assert hours_left(plan, 1) == pytest.approx(hours)


def test_montage_needs_no_unlabelled_photograph(settings, made_up, tmp_path):
    settings = settings(
        candidates=('random', 'montage'),
        images=made_up['val_images'],
        leave_out_val=True,
        fractions=(1.0,),
    )
    plan = Planner(settings, tmp_path).plan()
    assert not plan.data.unlabelled
    assert {run.iterations for run in plan.runs} == {4}


def test_runs_are_laid_out_seed_by_seed(plan):
    kinds = [
        (run.candidate.name, run.seed, run.fraction or 'pre-training')
        for run in plan.runs
    ]
    one_seed = [
        ('random', 0, 0.5),
        ('random', 0, 1.0),
        ('selfemd', 0, 'pre-training'),
        ('selfemd', 0, 0.5),
        ('selfemd', 0, 1.0),
    ]
    assert kinds[:5] == one_seed
    assert kinds[5:] == [(name, 1, part) for name, _, part in one_seed]
    chains = [chain_of(plan, n) for n in range(num_chains(plan))]
    assert sorted(run.name for chain in chains for run in chain) == sorted(
        run.name for run in plan.runs
    )


def test_a_look_of_a_slurm_task_trains_no_detector(plan):
    runs = runs_to_read(plan)
    chains = [chain_of(plan, n, runs) for n in range(num_chains(plan))]
    assert [run for chain in chains for run in chain] == runs
    assert chains[0] == []  # random weights
    assert all(isinstance(run, PretrainingRun) for run in chains[1])


def test_the_plan_tells_time_disk_and_order(plan):
    text = describe_plan(plan, jobs=2)
    assert '10 runs' in text and '2 seeds' in text
    assert text.index('random, seed 0') < text.index('selfemd, seed 0')
    assert 'stated: selfemd 0.500, detector 0.250' in text
    # 2 pre-trainings of 2 seconds, 8 detectors of 1, two at a time; the
    # second pre-training begins alone, after the first one's two detectors.
    assert hours_left(plan, 1) == pytest.approx((2 * 2 + 8) / 3600)
    assert hours_left(plan, 2) == pytest.approx((1 + 2 + 1 + 2 + 1) / 3600)
    assert 'GB on the disk' in text
    assert not (plan.work_dir / 'pretraining').exists()
    assert not (plan.work_dir / 'detectors').exists()


def test_another_plan_in_the_same_folder(settings, finish, tmp_path):
    work_dir = tmp_path / 'work'
    Planner(settings(), work_dir).plan()
    # As long as nothing has begun, the plan may change.
    plan = Planner(settings(seeds=1), work_dir).plan()
    finish(plan, plan.runs[0])
    again = Planner(settings(seeds=1), work_dir).plan()
    assert [run.is_done for run in again.runs][:2] == [True, False]
    with pytest.raises(UserError, match='seeds was 1 and is 2') as error:
        Planner(settings(), work_dir).plan()
    assert '--work-dir' in str(error.value)


def test_other_boxes_in_the_same_folder(settings, finish, tmp_path, made_up):
    train = tmp_path / 'train.json'
    shutil.copy(made_up['train'], train)
    given = settings(train=train, seeds=1)
    plan = Planner(given, tmp_path / 'work').plan()
    finish(plan, plan.runs[0])
    written = (plan.work_dir / 'data' / 'train_1.json').read_bytes()
    content = json.loads(train.read_text())
    content['annotations'][0]['bbox'][0] += 1
    train.write_text(json.dumps(content))
    with pytest.raises(UserError, match='train_1.json has another content'):
        Planner(given, tmp_path / 'work').plan()
    kept = (plan.work_dir / 'data' / 'train_1.json').read_bytes()
    assert kept == written


def test_a_config_that_changed_in_between(settings, finish, tmp_path):
    config = tmp_path / 'mine.py'
    base = ROOT / 'configs/small/faster-rcnn_r18_fpn_256.py'
    config.write_text(f"_base_ = ['{base}']\n")
    given = settings(detector=config, seeds=1)
    plan = Planner(given, tmp_path / 'work').plan()
    finish(plan, plan.runs[0])
    config.write_text(
        f"_base_ = ['{base}']\noptim_wrapper = dict(optimizer=dict(lr=9))\n"
    )
    with pytest.raises(UserError, match='mine.py. has been changed'):
        Planner(given, tmp_path / 'work').plan()


def test_what_was_measured_is_measured_again_where_it_no_longer_holds(
    settings, finish, tmp_path, monkeypatch
):
    measured = []

    def measure(configs, *others):
        measured.append(list(configs))
        return dict.fromkeys(configs, Seconds(0.5))

    monkeypatch.setattr(planner, 'measure', measure)
    config = tmp_path / 'mine.py'
    base = ROOT / 'configs/small/faster-rcnn_r18_fpn_256.py'
    config.write_text(f"_base_ = ['{base}']\n")
    given = settings(detector=config, seeds=1, seconds=None)
    work_dir = tmp_path / 'work'

    def plan(jobs=1):
        return Planner(given, work_dir, jobs).plan()

    plan()
    plan()  # with --yes, say
    assert len(measured) == 1
    plan(jobs=2)
    assert len(measured) == 2
    config.write_text(
        f"_base_ = ['{base}']\noptim_wrapper = dict(optimizer=dict(lr=9))\n"
    )
    begun = plan(jobs=2)
    assert len(measured) == 3
    # The tasks of an array train what was planned, each on its machine.
    task = Planner(given, work_dir, jobs=4, keeps_plan=True).plan()
    assert len(measured) == 3 and task.runs == begun.runs
    other = settings(detector=config, seeds=2, seconds=None)
    with pytest.raises(UserError, match='no plan for this task.*--slurm'):
        Planner(other, work_dir, jobs=4, keeps_plan=True).plan()
    # What has begun goes on as it was planned, on whatever machine.
    finish(begun, begun.runs[0])
    plan(jobs=4)
    assert len(measured) == 3


def test_runs_of_which_nothing_tells_are_left_alone(settings, tmp_path):
    (tmp_path / 'readings').mkdir()  # of a study, say
    with pytest.raises(UserError, match='no settings.json.*--work-dir'):
        Planner(settings(), tmp_path).plan()


@pytest.mark.parametrize('given', [(29_000, 31_000), None])
def test_pixels_of_pre_training_and_detector_are_the_same(
    settings, tmp_path, given
):
    ranges = dict(value_range=given), dict(value_range=(0, 65_535))
    pretraining, detector = (
        options | {k: v for k, v in values.items() if v}
        for options, values in zip(
            (PRETRAIN_OPTIONS, DETECTOR_OPTIONS), ranges, strict=True
        )
    )
    asked = settings(pretrain_options=pretraining, detector_options=detector)
    if given is None:  # of photographs; the detector may see others
        Planner(asked, tmp_path).plan()
        return
    with pytest.raises(UserError, match='selfemd.*value_range'):
        Planner(asked, tmp_path).plan()


def test_weights_that_do_not_fit_are_named_before_anything(settings, tmp_path):
    from torchvision.models import resnet18

    weights = tmp_path / 'imagenet.pth'
    torch.save(resnet18().state_dict(), weights)
    given = settings(candidates=('random', f'imagenet={weights}'))
    with pytest.raises(UserError, match='imagenet') as error:
        Planner(given, tmp_path / 'work').plan()
    assert 'does not fit the model' in str(error.value)
    given = settings(candidates=('random', 'mine=nowhere.pth'))
    with pytest.raises(UserError, match='mine: there is no file.*nowhere'):
        Planner(given, tmp_path / 'work').plan()


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('selfemd_r18-w16_scenes_6e', 'is not the file of the model index'),
        ('selfemd_r50_coco_800e', 'are not published yet'),
        ('nobody', "the model index has no 'nobody'"),
    ],
)
def test_a_name_that_gives_no_weights_says_so_once(
    settings, tmp_path, monkeypatch, name, said
):
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    published = Path(find_model('selfemd_r18-w16_scenes_6e')['Weights']).name
    (zoo / published).write_bytes(b'another')
    monkeypatch.setenv('MMSELFEMD_ZOO', str(zoo))
    given = settings(candidates=('random', f'ours=mmselfemd://{name}'))
    with pytest.raises(UserError, match=f'^ours: .*{said}') as error:
        Planner(given, tmp_path / 'work').plan()
    assert str(error.value).count(said) == 1


def test_weights_that_fit(settings, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs/small/selfemd_r18_voc256_20e.py')
    model = build_untrained(cfg)
    plain = tmp_path / 'run.pth'
    torch.save(dict(state_dict=model.state_dict()), plain)
    moco = tmp_path / 'moco.pth'
    state = model.backbone.state_dict()
    torch.save({f'module.encoder_q.{k}': v for k, v in state.items()}, moco)
    words = 'random', f'run={plain}', f'found={moco}', f'told=moco:{moco}'
    plan = Planner(
        settings(candidates=words, seeds=1), tmp_path / 'work'
    ).plan()
    pretrained = {run.candidate.name: run.pretrained for run in plan.runs}
    assert pretrained['run'] == str(plain)
    for name in ('found', 'told'):
        path = plan.work_dir / 'imported' / f'{name}.pth'
        assert pretrained[name] == str(path)
        imported = torch.load(path)['state_dict']
        assert torch.equal(imported['conv1.weight'], state['conv1.weight'])


def test_a_pre_training_that_does_not_fit_the_detector(settings, tmp_path):
    demo = ROOT / 'configs/demo/selfemd_r18_scenes.py'
    detector = Config.fromfile(
        ROOT / 'configs/small/faster-rcnn_r18_fpn_256.py'
    )
    detector.model.backbone.base_channels = 8
    detector.model.neck.in_channels = [8, 16, 32, 64]
    with pytest.raises(UserError, match='mine pre-trains'):
        Detector(detector).check_pretraining(Config.fromfile(demo), 'mine')


def test_too_little_disk_is_said(settings, tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda path: usage(2, 1, 1_000_000)
    )
    with pytest.raises(UserError, match='0.00 GB are free'):
        Planner(settings(), tmp_path).plan()


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        (dict(iterations=None), '--hours H'),
        (dict(hours=1.0), '--hours H'),
        (dict(iterations=(4, 0)), '--iterations'),
        (dict(seeds=0), '--seeds'),
        (dict(evaluations=0), '--evaluations'),
    ],
)
def test_what_cannot_be_meant(settings, tmp_path, changed, said):
    with pytest.raises(UserError, match=said):
        Planner(settings(**changed), tmp_path)


def test_what_a_run_does_next(plan, finish):
    detector, pretraining = plan.runs[0], plan.runs[2]
    assert isinstance(pretraining, PretrainingRun)
    assert 'train.py' in pretraining.next_command()[1]
    pretraining.work_dir.mkdir(parents=True)
    (pretraining.work_dir / pretraining.last).touch()
    assert 'extract_backbone.py' in pretraining.next_command()[1]
    waiting = plan.runs[3].task
    assert not waiting.is_ready()
    pretraining.backbone.parent.mkdir()
    pretraining.backbone.touch()
    assert pretraining.next_command() is None
    assert waiting.is_ready()

    assert 'train.py' in detector.next_command()[1]
    finish(plan, detector)
    assert detector.next_command() is None
    # Cut short while it was written.
    whole = detector.predictions.read_text()
    detector.predictions.write_text(whole[:-5])
    assert 'test.py' in detector.next_command()[1]
