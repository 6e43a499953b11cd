"""``mim download`` itself fetches a model that was published.

By a Python that has openmim and sees the packages of .venv, which MIM_PYTHON
names (CONTRIBUTING.md, "mim").
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from finished_demo import NAME as OF_DEMO
from finished_demo import make_demo
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError
from mmselfemd.publishing import publish
from mmselfemd.version import __version__
from mmselfemd.zoo import download_model

PYTHON = os.environ.get('MIM_PYTHON')
pytestmark = pytest.mark.skipif(
    not PYTHON, reason='MIM_PYTHON names no Python with openmim'
)
NAME = 'selfemd_r18-w16_scenes_6e'


@pytest.fixture
def site(root, tmp_path) -> Path:
    """A folder of packages with this one as a wheel has it installed."""
    site = tmp_path / 'site'
    package = site / 'mmselfemd'
    package.mkdir(parents=True)
    for path in (root / 'mmselfemd').iterdir():
        if path.name not in ('.mim', '__pycache__'):
            (package / path.name).symlink_to(path)
    shutil.copytree(root / 'configs', package / '.mim' / 'configs')
    shutil.copy2(root / 'model-index.yml', package / '.mim')
    info = site / f'mmselfemd-{__version__}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: mmselfemd\nVersion: {__version__}\n'
    )
    return site


@pytest.fixture
def published(site, server, tmp_path):
    """The project's own entry, with a file on the server."""
    demo = make_demo(tmp_path / 'scenes_0')
    config = demo / 'pretrain' / f'{OF_DEMO}.py'
    config.rename(config.with_stem(NAME))
    index = site / 'mmselfemd' / '.mim'
    made = publish(
        *([demo], index, tmp_path / 'upload', server.address), force=True
    )
    server.files[made.weights.name] = made.weights.read_bytes()
    return made


def mim(site: Path, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PYTHON, '-m', 'mim', *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=site,
        env=dict(os.environ, PYTHONPATH=str(site)),
    )


def download(site: Path, folder: Path) -> subprocess.CompletedProcess:
    return mim(
        site, 'download', 'mmselfemd', '--config', NAME, '--dest', folder
    )


def test_weights_and_config_come(published, server, site, tmp_path):
    name = published.weights.name
    server.moved.add(name)
    done = download(site, tmp_path / 'dest')
    assert done.returncode == 0, done.stderr[-4000:]
    copy = tmp_path / 'dest' / name
    assert copy.read_bytes() == published.weights.read_bytes()
    assert server.asked == [f'/{name}', f'/moved/{name}']
    cfg = Config.fromfile(tmp_path / 'dest' / f'{NAME}.py')
    assert cfg.model.type == 'SelfEMD' and cfg.train_cfg.max_epochs == 10
    # What it says about models, it says about this one.
    said = mim(
        *(site, 'search', 'mmselfemd', '--config', NAME),
        *('--field', 'weight', '--display-width', '400'),
    )
    assert f'{server.address}/{name}' in said.stdout


@pytest.mark.parametrize('fail', ['absent', 'cut'])
def test_what_it_does_not_check_is_refused_and_mended(
    published, server, site, tmp_path, fail
):
    """openmim 0.3.9 looks at no status, length or hash, and says success."""
    name = published.weights.name
    content = server.files[name]
    if fail == 'absent':
        server.files.clear()
    else:
        server.cut.add(name)
    download(site, tmp_path / 'dest')
    path = tmp_path / 'dest' / name
    if path.exists():
        with pytest.raises(UserError):
            CheckpointLoader.load_checkpoint(str(path))
    server.files[name] = content
    server.cut.clear()
    download_model(NAME, path.parent, site / 'mmselfemd' / '.mim')
    assert path.read_bytes() == content
