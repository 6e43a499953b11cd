"""Paths of --cfg-options stay as they are; lists and numbers are read."""

import argparse
import shlex

import pytest
from mmengine.config import DictAction

from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.engine.command_line import add_cfg_options
from mmselfemd.engine.launch import load_config
from mmselfemd.registry import DATASETS
from mmselfemd.settings.option_values import parse_option

DATASET = 'train_dataloader.dataset'
PATHS = [
    f'{DATASET}.data_root',
    f'{DATASET}.data_prefix',
    f'{DATASET}.data_prefix.img',
    f'{DATASET}.ann_file',
    f'{DATASET}.dataset.datasets.0.ann_file',
    f'{DATASET}.pipeline.0.backend_args.db_path',
    f'{DATASET}.pipeline.0.shrunk_dir',
    'test_evaluator.ann_file',
    'test_evaluator.0.outfile_prefix',
    'default_hooks.shrunk_images.folder',
    'default_hooks.checkpoint.out_dir',
    'default_hooks.visualization.test_out_dir',
    'model.backbone.init_cfg.checkpoint',
    'load_from',
    'pretrained',
    'work_dir',
]
NAMES = [
    'photos 2',
    'photos  2',
    'Smith, John',
    'a,b',
    ',',
    '2017',
    '1e5',
    'photos (2',
    '(1) old, [2] new',
    "O'Brien/",
    'so "called"',
    '~/my photos/',
    'a=b, c',
    '',
    'été, naïf',
]


def parse(*options):
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


@pytest.mark.parametrize('key', PATHS)
def test_a_path_is_taken_as_it_stands(key):
    for name in NAMES:
        assert parse(f'{key}={name}') == {key: name}
        # In quotation marks that the shell leaves there, too.
        quote = "'" if '"' in name else '"'
        assert parse(f'{key}={quote}{name}{quote}') == {key: name}


@pytest.mark.parametrize('key', PATHS)
def test_a_list_of_paths_is_written_in_brackets(key):
    assert parse(f'{key}=[train 2017/, 2017,b]') == {
        key: ['train 2017/', '2017', 'b']
    }
    assert parse(f'{key}=["Smith, John/", \'[old]\', "a (1"]') == {
        key: ['Smith, John/', '[old]', 'a (1']
    }
    assert parse(f'{key}="[old]"') == {key: '[old]'}
    assert parse(f'{key}=None', 'b=1') == {key: None, 'b': 1}


def test_what_holds_no_path_is_read_as_by_mmengine():
    """Up to the spaces, which no class name loses."""
    for text in (
        '3 0.1 1e-4 true False None abc 1,2,3 [1,2,3] (1,2) (0.9,0.95) '
        '[(1,2,3),[a,b],c] [(1333,640),(1333,800)] [] () [a] (1) '
        '5, mean-std a/b [[1],[2,3]] resnet50'
    ).split():
        expected = DictAction._parse_iterable(text)
        found = parse_option('model.some.setting', text)
        assert found == expected and type(found) is type(expected), text
    key = 'train_dataloader.dataset.metainfo.classes'
    for text, expected in {
        'traffic light,car': ['traffic light', 'car'],
        '[traffic light, car]': ['traffic light', 'car'],
        '("traffic light", "car, red")': ('traffic light', 'car, red'),
        '[1, 2.5 , None]': [1, 2.5, None],
        '(1,2),(3,4)': [(1, 2), (3, 4)],  # mmengine never ends
        '[a],[b]': [['a'], ['b']],
        ' 7 ': 7,
        'a run of mine': 'a run of mine',
        "'18'": '18',
    }.items():
        found = parse_option(key, text)
        assert found == expected and type(found) is type(expected), text
    # mmengine's help writes a list of lists so; the quotation marks may stay.
    scales = parse_option('train_pipeline.2.scales', '"[(320,256),(1,2)]"')
    assert scales == [(320, 256), (1, 2)]
    assert parse_option('model.backbone.drop_path', '0.1') == 0.1
    assert parse_option('model.backbone.drop_path_rate', '0.1') == 0.1
    assert parse_option('model.backbone.use_checkpoint', 'True') is True
    assert parse_option('model.backbone.pretrained', 'False') is False


@pytest.mark.parametrize(
    'options',
    [
        'a=[1,2',
        'a=(1',
        'a=1]',
        'a=[(1])',
        'a=["b]',
        # A list with a space that nobody quoted.
        f'{DATASET}.data_prefix=[a/, b/]',
        # A path with one.
        f'{DATASET}.data_root=photos 2',
    ],
)
def test_half_a_value_is_an_error_that_says_to_quote(options, capsys):
    with pytest.raises(SystemExit) as error:
        parse(*shlex.split(options, posix=False))
    assert error.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert '--cfg-options' in line and 'quote' in line


CONFIG = """
model = dict(type='Toy', drop_path='~',
             init_cfg=dict(type='Pretrained', checkpoint='~/w.pth'))
train_dataloader = dict(dataset=dict(
    type='ConcatDataset',
    datasets=[
        dict(data_root='~/a', data_prefix=dict(img='~/i', seg='/s/')),
        dict(data_root='b/~', data_prefix=['~/c', 'd'], ann_file='~/e.json'),
    ],
    metainfo=dict(classes=('~/cat',)),
))
default_hooks = dict(checkpoint=dict(out_dir='~/out'))
default_scope = '~'
"""


def test_the_home_folder_stands_for_a_tilde_in_all_of_them(
    tmp_path, monkeypatch
):
    home = str(tmp_path / 'home')
    monkeypatch.setenv('HOME', home)
    (tmp_path / 'toy.py').write_text(CONFIG)
    config = str(tmp_path / 'toy.py')
    cfg = load_config(
        config,
        work_dir='~/my runs',
        cfg_options=parse('load_from=~/a, b.pth'),
    )
    assert cfg.work_dir == f'{home}/my runs'
    assert cfg.load_from == f'{home}/a, b.pth'
    assert cfg.model.init_cfg.checkpoint == f'{home}/w.pth'
    assert cfg.default_hooks.checkpoint.out_dir == f'{home}/out'
    first, second = cfg.train_dataloader.dataset.datasets
    assert first.data_root == f'{home}/a'
    assert first.data_prefix == dict(img=f'{home}/i', seg='/s/')
    assert second.data_prefix == [f'{home}/c', 'd']
    assert second.ann_file == f'{home}/e.json'
    # What holds no path, or no ~ in front, stays.
    assert second.data_root == 'b/~' and cfg.default_scope == '~'
    assert cfg.model.drop_path == '~'
    assert cfg.train_dataloader.dataset.metainfo.classes == ('~/cat',)


def test_the_folder_that_is_named_is_the_one_that_is_read(
    root, image_folder, our_scope
):
    """Also where the name without its space is a folder, too."""
    (image_folder / 'photos2').mkdir()
    (image_folder / 'photos2' / 'wrong.jpg').touch()
    for name in ('photos 2', 'Smith, John', '2017'):
        (image_folder / name).mkdir()
        (image_folder / name / 'right.jpg').touch()
        cfg = load_config(
            str(root / 'configs/selfemd/selfemd_r50_coco_800e.py'),
            cfg_options=parse(
                f'{DATASET}.data_root={image_folder}',
                f'{DATASET}.data_prefix={name}',
            ),
        )
        check_data_paths(cfg, ['train'])
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        assert dataset.data_list[0] == str(image_folder / name / 'right.jpg')
        assert len(dataset) == 1


def test_a_position_alone_is_no_path():
    assert parse_option('0', '1,2') == [1, 2]
