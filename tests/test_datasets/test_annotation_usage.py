"""Which files a config uses, however it is written."""

import json
from pathlib import Path

import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets.transforms import LoadAnnotations, Resize
from mmdet.evaluation import MultiDatasetsEvaluator
from mmengine.config import Config

from mmselfemd.datasets import LoadDetectionImage
from mmselfemd.datasets.annotations.usage import usages_of
from mmselfemd.errors import UserValueError

LOADER = 'train_dataloader.dataset'


def dataset(**settings):
    return dict(
        type='CocoDataset',
        data_root='pets/',
        ann_file='train.json',
        data_prefix=dict(img='photos/'),
        metainfo=dict(classes=('cat', 'dog')),
        filter_cfg=dict(min_size=32),
    ) | dict(settings)


def used(**settings):
    loader = dict(dataset=dataset(**settings))
    cfg = Config(dict(default_scope='mmdet', train_dataloader=loader))
    usages, findings = usages_of(cfg, ['train'])
    return usages, {finding.kind.name: finding for finding in findings}


@pytest.mark.parametrize(
    'settings',
    [
        dict(ann_file=['a.json', 'b.json']),
        dict(ann_file=5),
        dict(data_root=3),
        dict(data_prefix='photos/'),
        dict(data_prefix=dict(img=['photos/'])),
        dict(metainfo='cat'),
        dict(filter_cfg=[1]),
        dict(filter_cfg=dict(min_size=None)),
    ],
)
def test_a_setting_of_another_type_is_named(settings):
    (name,) = settings
    with pytest.raises(UserValueError, match=rf'{LOADER}\.{name}.* is .*expe'):
        used(**settings)


def test_a_list_of_loaders_is_refused_in_words():
    loaders = [dict(dataset=dataset())]
    cfg = Config(dict(default_scope='mmdet', train_dataloader=loaders))
    with pytest.raises(UserValueError, match='^train_dataloader is .*a dict'):
        usages_of(cfg, ['train'])


def test_paths_may_be_path_objects():
    (usage,), _ = used(ann_file=Path('a.json'), data_root=Path('pets'))
    assert usage.ann_file == 'pets/a.json'
    assert usage.folder == 'pets/photos/'


@pytest.mark.parametrize('name', ['LVISV1Dataset', 'LVISV05Dataset'])
def test_what_reads_in_its_own_way_is_not_checked(name):
    """LVIS's files have no file_name and no iscrowd."""
    usages, found = used(type=name)
    assert not usages
    assert name in found['not-checked'].places[0]


def test_another_format_may_have_several_files():
    usages, found = used(type='XMLDataset', ann_file=['a.txt', 'b.txt'])
    assert not usages and found.keys() == {'not-checked'}


@pytest.mark.parametrize(
    'settings',
    [dict(data_root='s3://pets/'), dict(ann_file='http://a/b.json')],
)
def test_an_address_is_not_on_this_disk(settings):
    usages, found = used(**settings)
    assert not usages and '://' in found['not-checked'].file


def test_the_backend_of_the_disk_is_checked():
    (usage,), found = used(backend_args=dict(backend='local'))
    assert usage.ann_file == 'pets/train.json' and not found


LMDB = dict(backend='lmdb', db_path='pets.lmdb')


@pytest.mark.parametrize(
    'loading',
    [
        'LoadImageFromFile',
        'mmdet.LoadImageFromFile',
        'mmselfemd.LoadDetectionImage',
        'LoadMultiChannelImageFromFiles',
        LoadImageFromFile,
        LoadDetectionImage,
    ],
)
def test_images_behind_another_backend_are_not_looked_for(loading):
    (usage,), _ = used(pipeline=[dict(type=loading, backend_args=LMDB)])
    assert usage.folder is None
    (usage,), _ = used(pipeline=[dict(type=loading)])
    assert usage.folder == 'pets/photos/'


def test_images_of_an_address_are_not_looked_for():
    (usage,), _ = used(data_prefix=dict(img='s3://pets/photos'))
    assert usage.folder is None


def test_annotations_behind_another_backend_say_nothing_of_images():
    loading = dict(type='LoadAnnotations', backend_args=LMDB)
    (usage,), _ = used(pipeline=[loading])
    assert usage.folder == 'pets/photos/'


@pytest.mark.parametrize(
    ('resize', 'scale'),
    [
        (dict(scale=640), (640, 640)),
        (dict(scale=(640.0, 480.0)), (640, 480)),
        (dict(scale=(1333, 800)), (1333, 800)),
        (dict(scale=None, scale_factor=0.5), None),
        (dict(scale=(-1, 480)), None),
        (dict(scales=[480, (640, 320), (64, 32)]), (640, 320)),
        (dict(scale=[(1333, 640), (1333, 800)]), (1333, 800)),
    ],
)
@pytest.mark.parametrize('name', ['mmdet.Resize', Resize])
def test_the_largest_scale(resize, scale, name):
    (usage,), _ = used(pipeline=[dict(type=name, **resize)])
    assert usage.scale == scale


MASKS = dict(type='LoadAnnotations', with_mask=True)


@pytest.mark.parametrize(
    ('steps', 'masks'),
    [
        ([], ''),
        ([MASKS | dict(with_mask=False)], ''),
        ([MASKS], 'all'),
        ([MASKS | dict(type='mmdet.LoadAnnotations')], 'all'),
        ([MASKS | dict(type=LoadAnnotations)], 'all'),
        ([MASKS | dict(poly2mask=False)], 'polygons'),
    ],
)
def test_which_masks_a_pipeline_loads(steps, masks):
    (usage,), _ = used(pipeline=steps)
    assert usage.masks == masks


@pytest.mark.parametrize('classes', [None, ()])
def test_no_classes_are_none_of_the_files(classes):
    (usage,), _ = used(metainfo=dict(classes=classes))
    assert usage.classes == ()


def write(path, first_id, name='cat', box=(1, 2, 30, 40)):
    """An annotation file of two images."""
    images = [
        dict(id=n, file_name=f'{n}.jpg', width=90, height=80)
        for n in (first_id, first_id + 1)
    ]
    boxes = [
        dict(
            id=each['id'],
            image_id=each['id'],
            category_id=1,
            bbox=list(box),
            area=1200,
            iscrowd=0,
        )
        for each in images
    ]
    categories = [dict(id=1, name=name)]
    path.write_text(
        json.dumps(
            dict(images=images, annotations=boxes, categories=categories)
        )
    )
    return str(path)


def told_of(files, ann_file, **evaluator):
    classes = dict(classes=('cat',))
    sets = [dataset(ann_file=file, metainfo=classes) for file in files]
    joint = dict(type='ConcatDataset', datasets=sets)
    evaluator = dict(type='CocoMetric', ann_file=ann_file) | evaluator
    cfg = dict(default_scope='mmdet', val_dataloader=dict(dataset=joint))
    cfg = Config(cfg | dict(val_evaluator=[evaluator]))
    _, findings = usages_of(cfg, ['val'])
    return [each.kind.name for each in findings]


def test_faults_of_the_evaluators_own_file_are_told(tmp_path):
    own = write(tmp_path / 'own.json', 1)
    flat = write(tmp_path / 'flat.json', 1, box=(1, 2, 30))
    named = write(tmp_path / 'named.json', 1, name='Cat')
    same = write(tmp_path / 'same.json', 1)
    others = write(tmp_path / 'others.json', 2)
    assert told_of([own], own) == told_of([own], same) == []
    assert told_of([own], flat) == ['box-shape']
    # mmdet fails at the end of the first validation.
    assert told_of([own], named) == ['class-unknown', 'category-unnamed']
    assert told_of([own], others) == ['evaluator-other-file']
    content = json.loads(Path(same).read_text())
    del content['annotations']
    Path(same).write_text(json.dumps(content))
    assert told_of([own], same) == ['no-annotations']
    assert told_of([own], same, format_only=True) == []


def test_several_data_sets_beside_one_file_of_the_evaluator(tmp_path):
    """mmdet takes the images of one for those of another of the same id."""
    one, two = write(tmp_path / '1.json', 1), write(tmp_path / '2.json', 1)
    assert told_of([one, two], one) == ['evaluator-other-file']
    three = write(tmp_path / '3.json', 3)
    assert told_of([one, three], one) == ['evaluator-other-file']
    joint = json.loads(Path(one).read_text())
    for name in ('images', 'annotations'):
        joint[name] += json.loads(Path(three).read_text())[name]
    path = tmp_path / 'joint.json'
    path.write_text(json.dumps(joint))
    assert told_of([one, three], str(path)) == []
    for kind in ('MultiDatasetsEvaluator', MultiDatasetsEvaluator):
        assert told_of([one, two], one, type=kind) == []


def test_objects_for_montages_are_checked_as_boxes_are():
    inner = dataset(type='ObjectDataset', metainfo=None, filter_cfg=None)
    outer = dict(type='MontageDataset', dataset=inner, pipeline=[])
    cfg = Config(
        dict(default_scope='mmselfemd', train_dataloader=dict(dataset=outer))
    )
    (usage,), findings = usages_of(cfg, ['train'])
    assert not list(findings)
    assert (usage.ann_file, usage.folder) == (
        'pets/train.json',
        'pets/photos/',
    )
    assert usage.classes is None and usage.needs_boxes
    assert usage.setting == f'{LOADER}.dataset'
