"""What careless and hostile users ask of a comparison."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up_photographs import write_all
from mmengine.config import Config

from mmselfemd.comparison import first_look
from mmselfemd.comparison.blocks import Image, Table, render_markdown
from mmselfemd.comparison.candidates import parse_candidates, parse_pretraining
from mmselfemd.comparison.data import nested_subsets, read_data
from mmselfemd.comparison.execution import _Progress, describe_plan
from mmselfemd.comparison.plan import has_begun
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.report import write_report
from mmselfemd.comparison.runs import DetectorRun, PretrainingRun
from mmselfemd.comparison.settings import read_record
from mmselfemd.comparison.slurm import write_slurm_script
from mmselfemd.errors import UserError
from mmselfemd.study.differences import Difference
from mmselfemd.zoo.frozen_backbone import build_untrained

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
INF, NAN = float('inf'), float('nan')
PART_IS_NULL = json.dumps(
    dict(settings={}, lengths=[1, 1], seconds={}, files={}, configs=None)
)


@pytest.fixture
def places(tmp_path):
    return write_all(tmp_path / 'data')


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        (dict(hours=INF, iterations=None), '--hours inf'),
        (dict(hours=NAN, iterations=None), '--hours nan'),
        (dict(seconds=(NAN, 1.0)), '--seconds'),
        (dict(seconds=(1.0, INF)), '--seconds'),
        (dict(seeds=-1), '--seeds -1'),
    ],
)
def test_numbers_that_are_none(settings, tmp_path, changed, said):
    with pytest.raises(UserError, match=said):
        Planner(settings(**changed), tmp_path)


@pytest.mark.parametrize('fractions', [[0.01, 0.02], [0.5, 0.5000001]])
def test_shares_that_are_the_same_images(places, fractions):
    with pytest.raises(UserError, match='both are the same . of 8 images'):
        nested_subsets(read_data(**places).train, fractions)


def test_ways_of_pre_training_that_would_not_be_used():
    words = ['selfemd=a.py', 'mine=b=c.py']
    found = parse_pretraining(words, ['random', 'selfemd', 'mine'])
    assert found['mine'] == Path('b=c.py').resolve()
    assert parse_pretraining(['a.py'], []) == {
        'selfemd': Path('a.py').resolve()
    }
    with pytest.raises(UserError, match="'mine' is no candidate"):
        parse_pretraining(words, ['imagenet=a.pth'])
    with pytest.raises(UserError, match='twice'):
        parse_pretraining(['a.py', 'selfemd=b.py'], [])


@pytest.mark.parametrize('name', ['random', 'detector'])
def test_ways_of_pre_training_with_a_name_that_is_taken(name):
    with pytest.raises(UserError, match=f"'{name}' has a meaning"):
        parse_candidates(['random', name], {name: 'a.py'})


def test_photographs_and_pictures_of_the_report_are_kept_apart(
    settings, places
):
    work_dir = places['images'] / 'runs'
    with pytest.raises(UserError, match='is below --images'):
        Planner(settings(**places), work_dir).plan()
    assert not work_dir.exists()


def test_one_image_to_evaluate_is_refused_before_anything(places):
    content = json.loads(places['val'].read_text())
    content['images'] = content['images'][:1]
    content['annotations'] = content['annotations'][:2]
    places['val'].write_text(json.dumps(content))
    with pytest.raises(UserError, match='lists one image'):
        read_data(**places)


@pytest.mark.parametrize('name', ['a\nb.png', ' a.png', 'a\rb.png'])
def test_names_that_no_list_can_hold(places, name):
    shutil.copy(places['images'] / 'unlabelled_1.png', places['images'] / name)
    with pytest.raises(UserError, match='rename it') as error:
        read_data(**places)
    assert repr(name) in str(error.value)


def test_nothing_is_left_to_pre_train_on(settings, places, tmp_path):
    places['images'] = places['val_images']
    given = settings(**places, leave_out_val=True)
    with pytest.raises(UserError, match='nothing is left to pre-train on'):
        Planner(given, tmp_path / 'work').plan()


def test_too_few_images_for_a_step_name_the_option(settings, tmp_path):
    batch = settings().pretrain_options | {'train_dataloader.batch_size': 64}
    given = settings(pretrain_options=batch)
    with pytest.raises(
        UserError, match='do not fill.*batch_size.*by --pretrain-options$'
    ):
        Planner(given, tmp_path / 'work').plan()
    stock = CONFIGS / 'detection/stock/faster-rcnn_r50_fpn_1x_coco.py'
    counts = {'optim_wrapper.accumulative_counts': 64}
    given = settings(detector=stock, detector_options=counts)
    with pytest.raises(UserError, match='do not.*by --detector-options$'):
        Planner(given, tmp_path / 'work').plan()


def test_a_link_to_a_val_photograph_is_one(places):
    (places['images'] / 'link.png').symlink_to(
        places['val_images'] / 'val_2.png'
    )
    (places['images'] / 'broken.png').symlink_to('nowhere.png')
    with pytest.raises(UserError, match='1 photograph of.*link.png'):
        read_data(**places)


@pytest.fixture
def weights(settings, tmp_path):
    """Files of another project, which have to be imported."""
    cfg = Config.fromfile(str(settings().pretraining['selfemd']))
    state = build_untrained(cfg).backbone.state_dict()
    files = []
    for number in range(2):
        files.append(tmp_path / f'moco{number}.pth')
        states = {
            f'module.encoder_q.{name}': value + number
            for name, value in state.items()
        }
        torch.save(states, files[-1])
    return files


def test_named_weights_do_not_stand_for_a_pre_training(
    settings, tmp_path, weights
):
    words = 'random', 'selfemd', f'selfemd_seed0=moco:{weights[0]}'
    plan = Planner(settings(candidates=words, seeds=1), tmp_path / 'w').plan()
    (run,) = (r for r in plan.runs if isinstance(r, PretrainingRun))
    assert not run.is_done
    assert 'train.py' in run.next_command()[1]


def test_a_refused_comparison_leaves_the_other_as_it_was(
    settings, finish, tmp_path, weights
):
    def plan(file):
        words = 'random', f'mine=moco:{file}'
        given = settings(candidates=words, seeds=1)
        return Planner(given, tmp_path / 'work').plan()

    begun = plan(weights[0])
    finish(begun, begun.runs[0])
    imported = Path(begun.runs[-1].pretrained)
    before = imported.read_bytes()
    with pytest.raises(UserError, match='has begun'):
        plan(weights[1])
    assert imported.read_bytes() == before
    assert plan(weights[0]).runs[-1].pretrained == str(imported)


def test_readings_are_not_those_of_other_weights(tmp_path):
    """A look at named weights alone starts no run."""
    assert not has_begun(tmp_path)
    (tmp_path / 'readings').mkdir()
    assert has_begun(tmp_path)


@pytest.mark.parametrize('content', ['{', '{}', '[]', '\0', PART_IS_NULL])
def test_a_damaged_record_is_said(tmp_path, content):
    (tmp_path / 'settings.json').write_text(content)
    with pytest.raises(UserError, match='settings.json. no longer tells'):
        read_record(tmp_path)


@pytest.mark.parametrize('content', ['{', '[]'])
def test_a_damaged_look_is_said(plan, content):
    (plan.work_dir / 'first_look.json').write_text(content)
    with pytest.raises(UserError, match='--look'):
        first_look.read_look(plan)


def test_progress_where_all_is_trained_and_not_evaluated(plan, capsys):
    runs = [run for run in plan.runs if isinstance(run, DetectorRun)][:1]
    logs = runs[0].work_dir / '20260101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    line = json.dumps(dict(loss=1, step=runs[0].iterations))
    (logs / 'scalars.json').write_text(line)
    progress = _Progress(plan, runs, 1)
    progress.last -= 1000
    progress.watch()
    assert '0 of 1 runs are done, 100 %' in capsys.readouterr().out


def test_names_in_the_report_are_no_markup(settings, finish, tmp_path, places):
    for split in ('train', 'val'):
        content = json.loads(places[split].read_text())
        content['categories'][0]['name'] = '<b>$_$|*x*'
        for image in content['images'] if split == 'val' else ():
            old = image['file_name']
            image['file_name'] = old.replace('val_', '[a](b)$x$_<i>')
            (places['val_images'] / old).rename(
                places['val_images'] / image['file_name']
            )
        places[split].write_text(json.dumps(content))
    given = settings(**places, seeds=1, fractions=(1.0,))
    plan = Planner(given, tmp_path / 'work').plan()
    for run, share in zip(plan.runs, (0.3, 0, 0.9), strict=True):
        finish(plan, run, share)
    write_report(plan, 20)
    page = (plan.work_dir / 'report.html').read_text()
    assert '<b>' not in page and '<i>' not in page
    assert '&lt;b&gt;$_$|*x*' in page
    text = (plan.work_dir / 'report.md').read_text()
    assert r'| \<b>$_$\|\*x\* |' in text
    assert r'[a\](b)$x$_\<i>' in text


def test_markdown_stays_on_its_line(tmp_path):
    table = Table(['a'], [['x\ny']])
    picture = Image(tmp_path / 'p.png', 'x\n\n# y')
    text = render_markdown([table, picture], tmp_path)
    assert '| x y |' in text and '![x # y](p.png)\n\nx # y\n' in text


def test_a_look_at_one_seed_is_json(plan, monkeypatch):
    figures = dict.fromkeys(('gain', 'ridge', 'knn_balanced'), 0.5)
    found = Difference(0.1, NAN, NAN, 1)
    monkeypatch.setattr(first_look, '_read', lambda plan, candidate: [0])
    monkeypatch.setattr(first_look, 'figures_of', lambda sums: figures)
    monkeypatch.setattr(
        first_look, 'differences_of', lambda *sums: dict(gain=found)
    )
    assert '(+0.100, one seed)' in first_look.take_look(plan)

    def refuse(word):
        raise AssertionError(word)

    text = (plan.work_dir / 'first_look.json').read_text()
    look = json.loads(text, parse_constant=refuse)
    assert look['differences']['selfemd']['gain']['low'] is None


def test_a_class_that_a_small_share_lacks_is_said(plan):
    small = plan.subsets[0.5]
    boxes = small.content['annotations']
    boxes = [box for box in boxes if box['category_id'] == 1]
    lacking = small._replace(content=small.content | dict(annotations=boxes))
    changed = replace(plan, subsets=plan.subsets | {0.5: lacking})
    said = describe_plan(changed, 1)
    assert 'Without a box in the fraction 0.5,' in said
    assert 'find them: light\n' in said and 'the fraction 1,' not in said


def test_slurm_is_told_a_folder_with_spaces(plan):
    folder = plan.work_dir / 'a b 100%A'
    folder.mkdir()
    script = write_slurm_script(replace(plan, work_dir=folder), ['a'], '/')
    lines = Path(script).read_text().splitlines()
    (line,) = (line for line in lines if '--output' in line)
    assert "--output='" in line
    assert line.endswith("/a b 100%%A/slurm_%A_%a.txt'")
