"""Configs that are written."""

import pytest
from mmengine.config import Config

from mmselfemd.apis.config_text import Name, Setting, config_text

VALUES = dict(
    texts=["O'Brien, Ann", 'a\nb', '"', 'größe', r'C:\new'],
    one=('cat',),
    hostile=['a\nraise SystemExit', '\u2028', '\udcff', '{{ fileBasename }}'],
    empty=dict(a=[], b=(), c={}),
    numbers=[0.1, 1e-6, -3, True, None],
    deep=dict(inner=dict(values=[dict(name='x' * 50), dict(name='y' * 50)])),
    many=tuple(f'class {number}' for number in range(40)),
)


@pytest.fixture
def text():
    settings = [Setting(n, v, 'Why. ' * 40) for n, v in VALUES.items()]
    settings.append(Setting('again', Name('deep')))
    return config_text(['What it is.', ''], settings)


def test_what_is_read_is_what_was_written(text):
    names: dict = {}
    exec(text, names)
    for name, value in VALUES.items():
        assert names[name] == value, name
    assert names['again'] is names['deep']
    assert text.startswith('# What it is.\n#\n')


def test_mmengine_reads_it(text, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(text, encoding='utf-8')
    cfg = Config.fromfile(path)
    assert tuple(cfg.many) == VALUES['many']
    assert cfg.again.inner['values'][1].name == 'y' * 50


@pytest.mark.parametrize('name', VALUES['hostile'])
def test_a_name_is_never_run_nor_replaced(name, tmp_path):
    text = config_text([f'Classes: {name}.'], [Setting('classes', (name,))])
    assert text.startswith('# Classes: ') and text.count('\n') == 2
    path = tmp_path / 'mine.py'
    path.write_bytes(text.encode())
    assert Config.fromfile(path).classes == (name,)


def test_lines_fit_a_screen(text):
    lines = text.splitlines()
    assert max(map(len, lines)) <= 79
    assert len(lines) > 60
