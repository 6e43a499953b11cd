"""The site is built without a warning, and each page of docs/ is in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_page_and_the_reference_are_there(tmp_path):
    """Of a copy: the reference is written beside the pages."""
    pytest.importorskip('sphinx', reason='it is in mmselfemd[docs]')
    source, site = tmp_path / 'source', tmp_path / 'built'
    left_out = shutil.ignore_patterns('.*', 'work_dirs', 'data', '*.pth')
    shutil.copytree(ROOT, source, symlinks=True, ignore=left_out)
    result = subprocess.run(
        [
            *(sys.executable, '-m', 'sphinx', '-q', '-W', '--keep-going'),
            *('-c', 'docs', '-b', 'html', '.', str(site)),
        ],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-5000:]
    pages = [*ROOT.glob('docs/*.md'), *ROOT.glob('configs/*/README.md')]
    for page in pages:
        built = site / page.relative_to(ROOT).with_suffix('.html')
        assert built.is_file(), page
    assert (site / 'index.html').read_text() == (
        site / 'README.html'
    ).read_text()
    text = (site / 'docs/api/mmselfemd.models.selfsup.html').read_text()
    assert 'mmselfemd.models.selfsup.self_emd.SelfEMD' in text
