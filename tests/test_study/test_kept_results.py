"""The readings that are kept are those of the page, each with controls."""

import json
import re

import pytest

from mmselfemd.saved_arrays import load_arrays
from mmselfemd.study import (
    CANDIDATES,
    CAUSES,
    Origin,
    Record,
    load_sums,
    plan_runs,
    report,
)
from mmselfemd.study.records import differences_of

NEEDED = {'candidate', 'seed', 'epoch', 'ridge', 'knn', *report.CONTROLS}


@pytest.fixture(scope='module')
def records(root):
    return json.loads(
        (root / 'docs/results/what_the_flow_adds_20epochs.json').read_text()
    )


def test_each_reading_has_its_controls(records):
    for record in records:
        assert record.keys() >= NEEDED
        gain = record['accuracy'] - record['other_image']
        assert record['gain'] == pytest.approx(gain, abs=2e-5)


def test_the_page_shows_every_seed(records, root):
    text = (root / 'docs/small_experiments.md').read_text()
    _, page = text.split('### Half as long, not begun alike')
    names = {record['candidate'] for record in records}
    assert {report.BASELINE, report.UNTRAINED, 'selfemd'} <= names
    for name in names:
        runs = sorted(
            (r['seed'], r['gain'], r['ridge'])
            for r in records
            if r['candidate'] == name and r['epoch'] in (0, 20)
        )
        assert len(runs) == 3
        (row,) = (
            line
            for line in page.splitlines()
            if line.startswith(f'| {report.LABELS[name]} | 3 |')
        )
        for place in (1, 2):
            values = ', '.join(f'{run[place]:.3f}' for run in runs)
            assert f'| {values} |' in row


@pytest.fixture(scope='module')
def kept(root):
    """The readings of the longer study that are to be gone on from."""
    runs = plan_runs(
        (*CANDIDATES, *CAUSES),
        *([0, 1, 2], root, root / 'docs/results'),
        *(40, 10),
    )
    found = [
        Record('untrained', int(path.stem[-1]), 0, load_sums(path))
        for path in root.glob('docs/results/readings/untrained_*.npz')
    ]
    return found + [
        Record(run.candidate.name, run.seed, epoch, load_sums(path))
        for run in runs
        for epoch, path in run.readings.items()
    ]


def test_no_kept_reading_is_of_something_else(kept, root):
    files = [*root.glob('docs/results/readings/*')]
    assert len(files) == len(kept) >= 121


def test_kept_readings_are_those_of_the_page_and_the_json(kept, root):
    path = root / 'docs/results/what_the_flow_adds.json'
    written = {tuple(r.items()) for r in json.loads(path.read_text())}
    assert {tuple(record.as_json().items()) for record in kept} == written
    page = (root / 'docs/small_experiments.md').read_text()
    assert report.render_study(kept, 40) in page


def test_single_runs_that_were_ended_early_are_on_the_page(kept, root):
    page = (root / 'docs/small_experiments.md').read_text()
    of_other_causes = {
        *('untrained', 'byol_three_views', 'selfemd', 'flow_warm_up'),
        *('predictor_lr_10x', 'byol_predictor_lr_10x', 'key_momentum_0.996'),
    }
    records = [
        record
        for record in kept
        if record.seed == 0 and record.candidate in of_other_causes
    ]
    assert report.render_study(records, 20) in page


def test_a_curve_of_one_seed_is_not_drawn_as_a_mean(kept):
    one_seed = [r for r in kept if r.seed == 0 or r.candidate != 'known_pairs']
    figure = report.draw_study(one_seed)
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert titles == [*report.FIGURES.values()]
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert f'{report.LABELS["known_pairs"]}, one seed' in texts
    assert report.LABELS['selfemd'] in texts
    styles = {
        line.get_label(): line.get_linestyle() for line in figure.axes[0].lines
    }
    assert styles[f'{report.LABELS["known_pairs"]}, one seed'] == ':'
    assert styles[report.LABELS['selfemd']] == '-'


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_kept_readings_of_a_seed_may_be_paired(root, seed):
    """They are of one origin, which the next machine's have to share."""
    paths = [
        path
        for name in (f'untrained_{seed}', f'*_{seed}_40epochs_*')
        for path in root.glob(f'docs/results/readings/{name}.npz')
    ]
    assert len(paths) >= 9
    first, *others = (
        Origin(**load_arrays(path, Origin._fields, 'origin')) for path in paths
    )
    for other in others:
        first._replace(data=str(first.data)).check(root, other)


FLOWS = {
    'where_the_flow_goes': {
        'prediction and key: the loss': 'prediction',
        'keys of both views': 'keys',
        "backbone's maps": 'backbone',
    },
    'where_the_flow_goes_gamma0.01': {
        'the loss, gamma 0.01': 'prediction',
        "backbone's maps, gamma 0.01": 'backbone',
    },
    'where_the_flow_goes_partnered': {
        'the loss, `partnered_flow`': 'prediction',
        "backbone's maps, `partnered_flow`": 'backbone',
    },
}
ENDINGS = {
    'where_the_flow_goes': '',
    'where_the_flow_goes_gamma0.01': ', gamma 0.01',
    'where_the_flow_goes_partnered': ', `partnered_flow`',
}
COLUMNS = (
    *('right_share', 'right_share_other_image'),
    *('accuracy', 'other_image'),
)
CONTROLS = {
    'control: node i to node i': 'same_position',
    'control: chance': 'chance',
    'best possible': 'best',
}


@pytest.mark.parametrize('file', FLOWS)
def test_the_page_shows_where_the_flow_goes(root, file):
    read = json.loads((root / f'docs/results/{file}.json').read_text())
    _, *trained = read.values()
    page = (root / 'docs/small_experiments.md').read_text().splitlines()
    assert len(trained) == 3

    def cell(source, name):
        return ', '.join(f'{network[source][name]:.3f}' for network in trained)

    for label, source in FLOWS[file].items():
        cells = [cell(source, name) for name in COLUMNS]
        assert f'| {label} | {" | ".join(cells)} |' in page
    ending = ENDINGS[file]
    for label, name in CONTROLS.items():
        if ending and name != 'best':
            continue
        share = cell('prediction', f'right_share_{name}')
        accuracy = cell('prediction', name)
        assert f'| {label}{ending} | {share} | | {accuracy} | |' in page


@pytest.mark.parametrize('rival', ['byol_three_views', 'selfemd'])
def test_known_pairs_say_what_they_differ_by(root, kept, rival):
    sums = {
        name: [r.sums for r in kept if r[:1] + r[2:3] == (name, 40)]
        for name in ('known_pairs', rival)
    }
    found = differences_of(*sums.values())
    page = (root / 'configs/known_pairs/README.md').read_text()
    row = re.compile(r'^\| ([\w, ]+) \| ([^|]+ \| [^|]+) \|', re.M)
    rows = dict(row.findall(page))
    place = ['byol_three_views', 'selfemd'].index(rival)
    for label, name in {
        'ridge': 'ridge',
        'kNN, classes balanced': 'knn_balanced',
        'kNN': 'knn',
        'gain': 'gain',
    }.items():
        mean, low, high, num_seeds = found[name]
        assert num_seeds == 3
        said = rows[label].split(' | ')[place]
        assert said == f'{mean:+.3f} [{low:+.3f}, {high:+.3f}]'


def test_own_flows_of_the_page_are_those_of_the_logs(root):
    path = root / 'docs/results/what_the_logs_say.json'
    logs = {
        (r['candidate'], r['seed']): r for r in json.loads(path.read_text())
    }
    flows = [logs['selfemd', seed]['own_flow'] for seed in (0, 1, 2)]
    page = (root / 'docs/small_experiments.md').read_text()
    said = re.search(
        r'`transport/own_flow`\]\(monitors.md\) of (.*), (.*) and (.*)\n', page
    )
    assert list(said.groups()) == [f'{f["own_flow"]:.2f}' for f in flows]
    for flow in flows:
        assert flow['own_flow_chance'] < flow['own_flow']
        assert flow['own_flow'] < flow['own_flow_same_position']
        assert flow['flow_matches'] is False
