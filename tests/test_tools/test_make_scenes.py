from pathlib import Path
from subprocess import CompletedProcess

from forked_scripts import run_script

from mmselfemd.datasets.scenes import make_scenes

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'dataset_converters' / 'make_scenes.py'


def run(*arguments: object) -> CompletedProcess:
    return run_script(
        TOOL,
        *arguments,
        cwd=ROOT,
        env={'PYTHONPATH': str(ROOT)},
    )


def test_the_tool_writes_what_the_function_writes(tmp_path):
    result = run(
        tmp_path / 'tool',
        '--train',
        2,
        '--val',
        1,
        '--seed',
        5,
        '--size',
        160,
        120,
    )
    assert result.returncode == 0, result.stderr
    assert '3/3' in result.stdout and str(tmp_path / 'tool') in result.stdout
    made = make_scenes(tmp_path / 'function', 2, 1, seed=5, size=(160, 120))
    files = [file.relative_to(made) for file in made.rglob('*.*')]
    assert len(files) == 5
    for file in files:
        assert (tmp_path / 'tool' / file).read_bytes() == (
            made / file
        ).read_bytes()


def test_a_foreign_folder_is_refused_in_one_line(tmp_path):
    (tmp_path / 'notes.txt').write_text('mine')
    result = run(tmp_path, '--train', 1, '--val', 1)
    assert result.returncode == 2
    assert 'notes.txt' in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ['notes.txt']
