"""docs/notebooks/two_views.ipynb: whole, without outputs, and it runs."""

import json
import os
import re
from pathlib import Path

import pytest
from forked_scripts import run_script

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'docs' / 'notebooks' / 'two_views.ipynb'
# Runs the code of a notebook, cell by cell, and prints what it ends with.
RUN_CELLS = """
import json, sys

names = {'__name__': '__main__'}
for number, cell in enumerate(json.load(open(sys.argv[1]))['cells']):
    if cell['cell_type'] == 'code':
        exec(compile(''.join(cell['source']), f'cell {number}', 'exec'), names)
print(json.dumps(dict(
    losses=names['losses'],
    error=names['error'].item(),
    **{when: {name: tuple(figure) for name, figure in names[when].items()}
       for when in ('before', 'after')},
    cost=[names[f'flow_{when}']['cost'] for when in ('before', 'after')],
)))
"""


@pytest.fixture(scope='module')
def cells():
    return json.loads(NOTEBOOK.read_text())['cells']


def test_it_is_stored_without_outputs(cells):
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook['nbformat'] == 4
    codes = [cell for cell in cells if cell['cell_type'] == 'code']
    assert len(codes) > 5
    for cell in codes:
        assert cell['outputs'] == [] and cell['execution_count'] is None
        compile(''.join(cell['source']), NOTEBOOK.name, 'exec')


def test_its_links_lead_somewhere(cells):
    for cell in cells:
        if cell['cell_type'] == 'markdown':
            for link in re.findall(r'\]\(([^)#]+)', ''.join(cell['source'])):
                assert (NOTEBOOK.parent / link).exists(), link


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_runs(tmp_path):
    script = tmp_path / 'run_cells.py'
    script.write_text(RUN_CELLS)
    env = dict(
        os.environ,
        MPLBACKEND='Agg',
        OMP_NUM_THREADS='1',
        PYTHONPATH=str(ROOT),
    )
    result = run_script(script, NOTEBOOK, cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr[-3000:]
    found = json.loads(result.stdout.splitlines()[-1])
    losses, before, after = (
        found[name] for name in ('losses', 'before', 'after')
    )
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])
    assert found['error'] < 1e-5
    for name in ('same_position', 'chance'):  # no network is in these
        assert before[name] == after[name]
    assert found['cost'][1] < found['cost'][0]
    # What the scene adds, beyond what chance does: value and error.
    value, error = after['gain'][:2]
    assert value > before['gain'][0] and value > 2 * error
