"""The report that is kept is that of the page, with its control."""

import json

import pytest


@pytest.fixture(scope='module')
def report(root):
    path = root / 'docs/results/did_it_help_person.json'
    return json.loads(path.read_text())


def test_both_pages_have_its_sentence(report, root):
    (answer,) = report['sentences']
    for page in ('did_it_help', 'did_it_help_person'):
        text = (root / f'docs/{page}.md').read_text().replace('\n> ', ' ')
        assert answer['sentence'] in text


def test_the_page_shows_every_seed_of_both(report, root):
    page = (root / 'docs/did_it_help.md').read_text()
    for name in ('random', 'selfemd'):
        runs = [r for r in report['detectors'] if r['candidate'] == name]
        assert [run['seed'] for run in runs] == [0, 1, 2]
        cells = [
            ', '.join(f'{100 * run["figures"][metric]:.1f}' for run in runs)
            for metric in ('AP50', 'AP')
        ]
        assert f'| {cells[0]} | {cells[1]} |' in page


def test_the_page_shows_the_differences(report, root):
    page = (root / 'docs/did_it_help.md').read_text()
    found = {each['metric']: each for each in report['differences']}
    cells = [
        '{mean:+.1f} [{low:+.1f}, {high:+.1f}]'.format(
            **{name: 100 * found[m][name] for name in ('mean', 'low', 'high')}
        )
        for m in ('AP50', 'AP')
    ]
    assert f'| {cells[0]} | {cells[1]} |' in page
    clear = [name for name, each in found.items() if each['is_clear']]
    assert clear == ['AP', 'AP75']
    assert 'By AP and AP75, two of the report' in page
