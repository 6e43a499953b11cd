"""Who may import whom, as CONTRIBUTING's table of rooms has it."""

import re

import pytest


@pytest.mark.parametrize(
    'room',
    [
        'datasets',
        'evaluation',
        'models',
        'results',
        'transport',
        'visualization',
        'zoo',
    ],
)
def test_the_engine_stands_on_the_rooms_and_not_they_on_it(root, room):
    files = list((root / 'mmselfemd' / room).rglob('*.py'))
    assert files
    for file in files:
        names = re.findall(
            r'^\s*(?:from|import) (mmselfemd\S*)', file.read_text(), re.M
        )
        assert not [n for n in names if n.startswith('mmselfemd.engine')], file
