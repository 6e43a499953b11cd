"""Runs beside the paper's tables."""

import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
from forked_scripts import run_script
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
from mmselfemd.results.comparison import differences
from mmselfemd.results.runs import _origin
from mmselfemd.zoo.index import read_model_index
from mmselfemd.zoo.pretraining import read_pretraining

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT.parent / 'shared' / 'paper' / 'self-emd.txt'
NAMES = ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_75')
FASTER = 'faster-rcnn_r50_fpn_syncbn_90k_coco'
VOC = 'faster-rcnn_r50_fpn_syncbn_24k_voc0712'


@cache
def pretraining(name):
    """What a backbone records that the published config gave."""
    path = read_model_index()[name]['Config']
    cfg = Config.fromfile(ROOT / path)
    plus = {'plus': 241_690, 'in1k': 1_281_167}
    images = next((plus[key] for key in plus if key in name), 118_287)
    return read_pretraining(
        dict(
            cfg=cfg.pretty_text,
            experiment_name=f'{name}_20260101_000000',
            epoch=cfg.train_cfg.get('max_epochs', 100),
            iter=cfg.train_cfg.get('max_iters', 10**6),
            seed=1,
            run=dict(
                processes=16 if 'simclr' in name else 8,
                batch_size=cfg.train_dataloader.batch_size,
                accumulation=1,
                images=dict(train=images, val=512),
            ),
        )
    )


def record_of(part, pretrained, backbone):
    """What RunRecordHook writes in the published run."""
    train, val = (16_551, 4_952) if part == 'voc0712' else (117_266, 5_000)
    backbone = backbone or _origin(pretrained)
    is_ours = backbone in read_model_index()
    loaded = dict(
        checkpoint=pretrained,
        pretraining=pretraining(backbone) if is_ours else {},
    )
    return dict(
        processes=8,
        batch_size=2,
        accumulation=1,
        images=dict(train=train, val=val),
        seed=7,
        pretrained_backbone=deepcopy(loaded) if pretrained else None,
    )


@cache
def detector_config(part, name):
    return Config.fromfile(ROOT / f'configs/detection/{part}/{name}.py')


def make_run(
    folder,
    detector=FASTER,
    pretrained=None,
    ap=0.387,
    backbone=None,
    change_record=None,
    **changed,
):
    """The files that a run leaves: its config, its record, its scalars."""
    part = 'voc0712' if 'voc' in detector else 'coco'
    cfg = deepcopy(detector_config(part, detector))
    cfg.merge_from_dict(dict(pretrained=pretrained, **changed))
    log = folder / '20260101_000000' / 'vis_data'
    log.mkdir(parents=True)
    # As mmengine dumps it, without its layout, which takes a second.
    lines = [f'{name} = {value!r}' for name, value in cfg.to_dict().items()]
    (folder / f'{detector}.py').write_text('\n'.join(lines))
    record = record_of(part, pretrained, backbone)
    if change_record is not None:
        change_record(record)
    (log.parent / 'run.json').write_text(json.dumps(record))
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
            known = index.keys() | {'random', 'supervised'}
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
        (
            'zoo/selfemd_r50_coco_800e_eq14.pth',
            'selfemd_r50_coco_800e_eq14',
        ),
        ('zoo/byol_r50_coco_800e-0a1b2c34.pth', 'byol_r50_coco_800e'),
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
    table = fill_tables([plain, other])[1]
    text = render_markdown(table)
    assert r'| 38.7\* (38.7 to 38.7) [34.7] |' in text and '| 2 (1) |' in text
    assert text.splitlines()[-3:] == [
        f'1. {other.work_dir}',
        *(f'   - {reason}' for reason in differences(other)),
    ]
    text = render_latex(table)
    assert '38.7* (38.7 to 38.7) [34.7]' in text
    note = text[text.index('(1) ') :]
    assert note.index(r'optim\_wrapper') < note.index('batch')
    assert text.index('(1) ') < text.index(r'\end{table}')


def test_a_row_of_published_runs_alone_is_not_marked(tmp_path):
    run = read_run(make_run(tmp_path / 'a'))
    for render in (render_markdown, render_latex):
        text = render(fill_tables([run])[1])
        assert '38.7 [34.7]' in text and 'unlike' not in text


@pytest.mark.parametrize(
    'name',
    sorted(
        {row.pretraining for t in read_paper_tables() for row in t.rows}
        & read_model_index().keys()
    ),
)
def test_a_published_pretraining_is_not_marked(tmp_path, name):
    run = read_run(make_run(tmp_path / 'a', pretrained=f'mmselfemd://{name}'))
    assert differences(run) == []


PIPELINE = 'val_dataloader.dataset.pipeline'
CONFIGURED = [
    (
        {f'{PIPELINE}.1.scale': (666, 400)},
        f'{PIPELINE}.1.scale=[666, 400] (published: [1333, 800])',
    ),
    (
        {PIPELINE: [dict(type='LoadImageFromFile')]},
        f'{PIPELINE}=LoadImageFromFile (published: LoadImageFromFile, Resize, '
        'LoadAnnotations, PackDetInputs)',
    ),
    (
        {'test_dataloader.dataset.pipeline.1.scale': (666, 400)},
        'test_dataloader.dataset.pipeline.1.scale=[666, 400] '
        '(published: [1333, 800])',
    ),
    (
        {'train_dataloader.dataset.ann_file': 'annotations/some.json'},
        "train_dataloader.dataset.ann_file='some.json' "
        "(published: 'instances_train2017.json')",
    ),
    (
        {'train_dataloader.dataset.indices': 500},
        'train_dataloader.dataset.indices=500 (published: not set)',
    ),
    (
        {'val_dataloader.dataset.indices': 50},
        'val_dataloader.dataset.indices=50 (published: not set)',
    ),
    (
        {'val_evaluator.ann_file': 'data/coco/annotations/some.json'},
        "val_evaluator.ann_file='some.json' "
        "(published: 'instances_val2017.json')",
    ),
    (
        {'val_evaluator.metric': 'proposal'},
        "val_evaluator.metric='proposal' (published: 'bbox')",
    ),
    (
        {'default_hooks.precise_bn.num_images': 16},
        'default_hooks.precise_bn.num_images=16 (published: 3200)',
    ),
    (
        {'optim_wrapper.accumulative_counts': 8},
        'optim_wrapper.accumulative_counts=8 (published: not set)',
    ),
    (
        {'auto_scale_lr.enable': True},
        'auto_scale_lr.enable=True (published: False)',
    ),
    (
        {'load_from': 'runs/detector.pth'},
        "load_from='detector.pth' (published: not set)",
    ),
    (
        {'custom_hooks': [dict(type='EMAHook')]},
        "custom_hooks.0.type='EMAHook' (published: not set)",
    ),
]


@pytest.mark.parametrize(
    ('changed', 'reason'), CONFIGURED, ids=lambda value: str(value)[:40]
)
def test_another_config_is_marked(tmp_path, changed, reason):
    run = read_run(make_run(tmp_path / 'a', **changed))
    assert differences(run) == [reason]
    text = render_markdown(fill_tables([run])[1])
    assert r'38.7\* [34.7]' in text and reason in text


def test_the_same_change_of_validation_and_test_is_one_reason(tmp_path):
    changed = {
        f'{split}_dataloader.dataset.pipeline.1.scale': (666, 400)
        for split in ('val', 'test')
    }
    (reason,) = differences(read_run(make_run(tmp_path / 'a', **changed)))
    assert reason.startswith('val_dataloader')


def test_precise_bn_left_out_is_marked(tmp_path):
    run = make_run(tmp_path / 'a', **{'default_hooks.precise_bn': None})
    assert 'default_hooks.precise_bn.num_images not set (published: 3200)' in (
        differences(read_run(run))
    )


def test_another_grouping_of_images_is_marked(tmp_path):
    run = make_run(tmp_path / 'a', **{'train_dataloader.batch_sampler': None})
    reasons = differences(read_run(run))
    assert (
        'train_dataloader.batch_sampler=None (published: not set)' in reasons
    )
    assert (
        'train_dataloader.batch_sampler.type not set '
        "(published: 'AspectRatioBatchSampler')"
    ) in reasons


def test_other_places_and_seeds_are_not_marked(tmp_path):
    run = read_run(
        make_run(
            tmp_path / 'a',
            change_record=lambda record: record.update(seed=1),
            work_dir='runs/a',
            **{
                'resume': True,
                'load_from': 'runs/a/iter_10000.pth',
                'randomness.seed': 1,
                'train_dataloader.num_workers': 9,
                'train_dataloader.dataset.data_root': '/data/',
                'train_dataloader.dataset.data_prefix.img': 'train/',
                'val_evaluator.ann_file': '/data/instances_val2017.json',
                'val_dataloader.dataset.data_root': '/data/',
                'default_hooks.checkpoint.interval': 5000,
            },
        )
    )
    assert differences(run) == []


def recorded(**changed):
    return lambda record: record.update(changed)


EXECUTED = [
    (
        recorded(processes=1),
        '2 images a step of the optimiser, on 1 process (published: 16 on 8)',
    ),
    (
        recorded(processes=1, accumulation=8),
        '16 images a step of the optimiser, on 1 process (published: 16 on 8)',
    ),
    (
        recorded(processes=4, batch_size=4),
        '16 images a step of the optimiser, on 4 processes '
        '(published: 16 on 8)',
    ),
    (
        recorded(images=dict(train=500, val=5_000)),
        'train: 500 images (published: 117266)',
    ),
    (
        recorded(images=dict(train=117_266, val=50)),
        'val: 50 images (published: 5000)',
    ),
    (
        recorded(images=dict(train=117_266, val=None)),
        'val: None images (published: 5000)',
    ),
    (
        recorded(pretrained_backbone=dict(checkpoint='a.pth', pretraining={})),
        'backbone: from a.pth',
    ),
]


@pytest.mark.parametrize(('change', 'reason'), EXECUTED)
def test_a_run_of_another_kind_is_marked(tmp_path, change, reason):
    run = read_run(make_run(tmp_path / 'a', change_record=change))
    assert differences(run) == [reason]
    assert reason in render_markdown(fill_tables([run])[1])


def test_a_few_damaged_images_are_not_marked(tmp_path):
    change = recorded(images=dict(train=117_260, val=5_000))
    assert not differences(
        read_run(make_run(tmp_path / 'a', change_record=change))
    )


def test_a_run_without_record_is_marked(tmp_path):
    folder = make_run(tmp_path / 'a')
    next(folder.glob('*/run.json')).unlink()
    assert differences(read_run(folder)) == [
        'processes and images were not recorded',
        'backbone: not recorded',
    ]


def test_a_resumed_run_is_marked_by_each_of_its_parts(tmp_path):
    folder = make_run(tmp_path / 'a')
    record = json.loads(next(folder.glob('*/run.json')).read_text())
    for day, processes in ((2, 4), (3, 4)):
        later = folder / f'2026010{day}_000000'
        (later / 'vis_data').mkdir(parents=True)
        (later / 'vis_data/scalars.json').write_text('{"step": 90000}\n')
        record.update(processes=processes)
        (later / 'run.json').write_text(json.dumps(record))
    assert differences(read_run(folder)) == [
        '8 images a step of the optimiser, on 4 processes (published: 16 on 8)'
    ]


def test_a_damaged_record_is_named(tmp_path):
    folder = make_run(tmp_path / 'a')
    next(folder.glob('*/run.json')).write_text('{')
    with pytest.raises(UserError, match=r'run\.json is damaged'):
        read_run(folder)


def known(**changed):
    """Change what the backbone says of its pre-training."""

    def change(record):
        record['pretrained_backbone']['pretraining'].update(changed)

    return change


def configured(**changed):
    """Change a setting of it."""

    def change(record):
        settings = record['pretrained_backbone']['pretraining']['settings']
        settings.update(changed)

    return change


def executed(**changed):
    """Change how it was run."""

    def change(record):
        record['pretrained_backbone']['pretraining']['run'].update(changed)

    return change


def forget(record):
    del record['pretrained_backbone']['pretraining']['run']


SELFEMD = 'selfemd_r50_coco_800e'
PRETRAINED = [
    (known(epoch=20), 'epoch 20 of 800 (published: 800)'),
    (
        configured(**{'train_cfg.max_epochs': 200}),
        'train_cfg.max_epochs=200 (published: 800)',
    ),
    (
        configured(**{'train_dataloader.dataset.ann_file': 'some.json'}),
        "train_dataloader.dataset.ann_file='some.json' (published: not set)",
    ),
    (
        configured(**{'optim_wrapper.optimizer.lr': 0.1}),
        'optim_wrapper.optimizer.lr=0.1 (published: 0.2)',
    ),
    (
        configured(**{'default_hooks.momentum_update.base_momentum': 0.9}),
        'default_hooks.momentum_update.base_momentum=0.9 (published: 0.99)',
    ),
    (
        executed(processes=1),
        '32 images a step of the optimiser, on 1 process '
        '(published: 256 on 8)',
    ),
    (
        executed(processes=1, accumulation=8),
        '256 images a step of the optimiser, on 1 process '
        '(published: 256 on 8)',
    ),
    (
        executed(images=dict(train=500, val=512)),
        'train: 500 images (published: 118287)',
    ),
    (forget, 'processes and images were not recorded'),
    (known(run=dict(processes=8)), 'processes and images were not recorded'),
    (recorded(pretrained_backbone=None), 'none was loaded'),
    (
        recorded(pretrained_backbone=dict(checkpoint='a.pth', pretraining={})),
        'its file does not say how it was pre-trained',
    ),
]


@pytest.mark.parametrize(('change', 'reason'), PRETRAINED)
def test_a_backbone_of_another_kind_is_marked(tmp_path, change, reason):
    folder = make_run(
        tmp_path / 'a',
        pretrained=f'mmselfemd://{SELFEMD}',
        change_record=change,
    )
    run = read_run(folder)
    assert differences(run) == [f'backbone: {reason}']
    assert f'   - backbone: {reason}' in render_markdown(fill_tables([run])[1])


def test_a_backbone_of_a_run_by_iterations_is_held_against_its_length(
    tmp_path,
):
    name = 'montage_r50_coco_64k'
    whole = make_run(
        tmp_path / 'a', pretrained=f'mmselfemd://{name}', backbone=name
    )
    assert differences(read_run(whole)) == []
    stopped = make_run(
        tmp_path / 'b',
        pretrained=f'mmselfemd://{name}',
        backbone=name,
        change_record=known(iter=5000),
    )
    assert differences(read_run(stopped)) == [
        'backbone: iter 5000 of 64000 (published: 64000)'
    ]


def test_a_backbone_of_another_method_is_marked(tmp_path):
    """What the command line says is not believed against the file."""
    folder = make_run(
        tmp_path / 'a', pretrained='b.pth', backbone='byol_r50_coco_800e'
    )
    assert any(
        "model.type='mmpretrain.BYOL'" in reason or 'model.head' in reason
        for reason in differences(read_run(folder, SELFEMD))
    )
    assert differences(read_run(folder, 'supervised')) == [
        'backbone: from byol_r50_coco_800e'
    ]


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
    byol = make_run(
        tmp_path / 'byol',
        pretrained='a/backbone.pth',
        backbone='byol_r50_coco_800e',
    )
    other = make_run(
        tmp_path / 'lr=0.1' / 'other', pretrained='a/backbone.pth'
    )
    done = run_script(
        ROOT / 'tools/analysis_tools/results_table.py',
        *(f'byol_r50_coco_800e={byol}', str(other)),
        tmp_path / 'nothing',
        *('--tables', '2', '4', '--format', 'latex'),
        *('--out', 'tables.txt'),
        cwd=tmp_path,
    )
    text = (tmp_path / 'tables.txt').read_text()
    assert text.strip() in done.stdout
    assert 'Left out' in done.stderr and 'nothing' in done.stderr
    assert text.count('38.7 [38.8]') == 2
    assert f'{other} is in no table: no row of {FASTER} from a' in done.stdout
