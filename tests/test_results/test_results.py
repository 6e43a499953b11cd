"""Runs beside the paper's tables."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

import mmselfemd  # noqa: F401
from mmselfemd.errors import UserError
from mmselfemd.results import (
    fill_tables,
    read_paper_tables,
    read_run,
    reasons_for_no_row,
    render_latex,
    render_markdown,
)
from mmselfemd.results.tables import differences
from mmselfemd.zoo.index import read_model_index

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT.parent / 'shared' / 'paper' / 'self-emd.txt'
NAMES = ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_75')
FASTER = 'faster-rcnn_r50_fpn_syncbn_90k_coco'
VOC = 'faster-rcnn_r50_fpn_syncbn_24k_voc0712'


def make_run(folder, detector=FASTER, pretrained=None, ap=0.387, **changed):
    """The files that a run leaves: its config, and its scalars."""
    part = 'voc0712' if 'voc' in detector else 'coco'
    cfg = Config.fromfile(ROOT / f'configs/detection/{part}/{detector}.py')
    cfg.merge_from_dict(dict(pretrained=pretrained, **changed))
    log = folder / '20260101_000000' / 'vis_data'
    log.mkdir(parents=True)
    cfg.dump(folder / f'{detector}.py')
    figures = {f'coco/{name}': ap + 0.1 * i for i, name in enumerate(NAMES)}
    if part == 'voc0712':
        figures['pascal_voc/AP50'] = 0.8
    end = cfg.train_cfg.max_iters
    with (log / 'scalars.json').open('w') as file:
        for step, scale in ((end // 2, 0.5), (end, 1.0)):
            line = {name: scale * value for name, value in figures.items()}
            file.write(json.dumps(dict(loss=1.0, step=step)) + '\n')
            file.write(json.dumps(dict(**line, step=step)) + '\n')
    return folder


def filled(runs, number):
    tables = fill_tables(runs)
    table = next(each for each in tables if each.paper.number == number)
    return {
        row.labels: found
        for row, found in zip(table.paper.rows, table.runs, strict=True)
        if found
    }


@pytest.mark.skipif(not PAPER.is_file(), reason='needs the text of the paper')
def test_every_row_is_printed_in_the_paper():
    lines = PAPER.read_text().splitlines()
    for table in read_paper_tables():
        for row in table.rows:
            figures = ' '.join(f'{figure:.1f}' for figure in row.figures)
            method = row.labels[table.columns.index('Pre-training')]
            words = re.findall(r'[A-Za-z]+', method)
            assert any(
                figures in line
                # Table 2 prints the method of three rows once.
                and (
                    words[0].lower() in line.lower()
                    or row.labels[1].removeprefix('Eq. ') in line
                )
                for line in lines
            ), row


def test_every_row_has_configs():
    index = read_model_index()
    for table in read_paper_tables():
        assert len({(r.labels, r.detector) for r in table.rows}) == len(
            table.rows
        )
        for row in table.rows:
            assert row.detector in index
            assert len(row.labels) == len(table.columns)
            assert len(row.figures) == len(table.metrics)
            known = index.keys() | {'random', 'supervised', 'none'}
            assert row.pretraining in known


@pytest.mark.parametrize(
    ('pretrained', 'origin'),
    [
        (None, 'random'),
        ('torchvision://resnet50', 'supervised'),
        ('mmselfemd://selfemd_r50_coco_800e', 'selfemd_r50_coco_800e'),
        ('work_dirs/byol_r50_coco_800e/backbone.pth', 'byol_r50_coco_800e'),
        ('zoo/byol_r50_coco_800e.safetensors', 'byol_r50_coco_800e'),
        ('work_dirs/mine/epoch_800.pth', 'mine'),
        ('backbone.pth', 'unknown'),
    ],
)
def test_where_a_backbone_is_from(tmp_path, pretrained, origin):
    run = read_run(make_run(tmp_path / 'run', pretrained=pretrained))
    assert (run.detector, run.pretraining) == (FASTER, origin)
    assert read_run(run.work_dir, 'said').pretraining == 'said'


def test_a_run_fills_its_rows_and_no_other(tmp_path):
    run = read_run(
        make_run(tmp_path / 'a', pretrained='mmselfemd://byol_r50_coco_800e')
    )
    assert run.figures == pytest.approx(dict(AP=38.7, AP50=48.7, AP75=58.7))
    assert list(filled([run], 1)) == [('FPN', 'BYOL', 'COCO')]
    assert list(filled([run], 2)) == [('BYOL', '-', '-')]
    assert list(filled([run], 4)) == [('BYOL', 'COCO')]
    assert not filled([run], 3) and not filled([run], 5)
    first = fill_tables([run])[0]
    text = render_markdown(first)
    (line,) = [line for line in text.splitlines() if '38.7' in line]
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    # No figure for small objects was logged: that cell stays the paper's.
    assert cells == [
        *('FPN', 'BYOL', 'COCO', '38.7 [38.8]', '48.7 [58.5]'),
        *('58.7 [42.2]', '[23.3]', '[41.4]', '[49.5]', '1'),
    ]
    assert text.count('not run') == len(first.paper.rows) - 1
    assert not reasons_for_no_row([run], [first])


def test_vocs_own_metric_gives_its_ap50(tmp_path):
    run = read_run(make_run(tmp_path / 'a', VOC, 'torchvision://resnet50'))
    assert run.figures['AP50'] == pytest.approx(80.0)
    assert list(filled([run], 5)) == [('Classification', 'ImageNet, labels')]


def test_seeds_give_a_mean_and_a_spread(tmp_path):
    runs = [
        read_run(make_run(tmp_path / str(ap), ap=ap)) for ap in (0.34, 0.36)
    ]
    table = fill_tables(runs)[1]
    line = render_markdown(table).splitlines()[4]
    assert '| 35.0 (34.0 to 36.0) [34.7] |' in line
    assert line.endswith('| 2 |')


def test_an_unfinished_run_fills_nothing(tmp_path):
    folder = make_run(tmp_path / 'a')
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    half = scalars.read_text().splitlines(keepends=True)[:2]
    scalars.write_text(''.join(half))
    run = read_run(folder)
    assert not any(filled([run], number) for number in range(1, 6))
    (reason,) = reasons_for_no_row([run], fill_tables([run])).values()
    assert reason == 'not finished: evaluated at iteration 45000 of 90000'


def test_what_is_no_row_is_said(tmp_path):
    run = read_run(make_run(tmp_path / 'a', pretrained='my/own/thing.pth'))
    (reason,) = reasons_for_no_row([run], fill_tables([run])).values()
    assert reason == f'no row of {FASTER} from thing'


def test_how_to_say_where_a_backbone_is_from(tmp_path):
    run = read_run(make_run(tmp_path / 'a', pretrained='backbone.pth'))
    (reason,) = reasons_for_no_row([run], fill_tables([run])).values()
    assert 'from unknown' in reason and 'PRETRAINING=WORK_DIR' in reason


def test_other_settings_are_noted_below(tmp_path):
    plain = read_run(make_run(tmp_path / 'a'))
    assert differences(plain) == []
    other = read_run(
        make_run(
            tmp_path / 'b',
            **{
                'train_dataloader.batch_size': 4,
                'train_dataloader.dataset.data_root': 'elsewhere/',
                'optim_wrapper.optimizer.nesterov': True,
            },
        )
    )
    assert differences(other) == [
        'optim_wrapper.optimizer.nesterov=True (published: not set)',
        'train_dataloader.batch_size=4 (published: 2)',
    ]
    text = render_markdown(fill_tables([plain, other])[1])
    assert '| 2 (1) |' in text
    assert text.splitlines()[-1].startswith(f'1. {other.work_dir}: optim')
    assert f'% 1. {other.work_dir}' in render_latex(
        fill_tables([plain, other])[1]
    )


def test_latex_has_a_cell_for_every_column(tmp_path):
    for table in fill_tables([read_run(make_run(tmp_path / 'a'))]):
        text = render_latex(table)
        lines = [line for line in text.splitlines() if line.endswith(r'\\')]
        assert len(lines) == 1 + len(table.paper.rows)
        expected = len(table.paper.columns) + len(table.paper.metrics)
        assert all(line.count(' & ') == expected for line in lines)
        assert not re.search(r'(?<!\\)[_%#]', '\n'.join(lines))


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match='found 0'):
        read_run(tmp_path)
    folder = make_run(tmp_path / 'a')
    (scalars,) = folder.glob('*/vis_data/scalars.json')
    scalars.write_text('{"loss": 1.0, "step": 1}\n')
    with pytest.raises(UserError, match='no COCO or VOC evaluation'):
        read_run(folder)


def test_the_tool(tmp_path):
    byol = make_run(tmp_path / 'byol', pretrained='a/backbone.pth')
    other = make_run(tmp_path / 'other', pretrained='a/backbone.pth')
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools/analysis_tools/results_table.py'),
            *(f'byol_r50_coco_800e={byol}', str(other)),
            str(tmp_path / 'nothing'),
            *('--tables', '2', '4', '--format', 'latex'),
            *('--out', 'tables.txt'),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    text = (tmp_path / 'tables.txt').read_text()
    assert text.strip() in done.stdout
    assert 'Left out' in done.stderr and 'nothing' in done.stderr
    assert text.count('38.7 [38.8]') == 2
    assert f'{other} is in no table: no row of {FASTER} from a' in done.stdout
