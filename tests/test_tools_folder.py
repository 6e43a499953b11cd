"""The tools are found in a checkout and in an installed package."""

import mmselfemd
from mmselfemd.tools_folder import tools_folder


def test_in_a_checkout(root):
    assert tools_folder() == root / 'tools'


def test_in_an_installed_package(tmp_path, monkeypatch):
    package = tmp_path / 'site-packages/mmselfemd'
    installed = package / '.mim/tools'
    monkeypatch.setattr(mmselfemd, '__file__', str(package / '__init__.py'))
    assert tools_folder() == installed
    # Somebody else's folder of that name is none of ours.
    (tmp_path / 'site-packages/tools').mkdir(parents=True)
    assert tools_folder() == installed
