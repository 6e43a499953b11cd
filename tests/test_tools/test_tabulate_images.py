"""The table of kinds in the documentation is what the tool gives."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tools/analysis_tools')
        return importlib.import_module('tabulate_images')


def documented():
    page = (ROOT / 'docs/input.md').read_text()
    return re.search(
        r'<!-- tabulate_images.py -->\n(.*?)\n<!-- end -->', page, re.S
    )[1].splitlines()


def test_the_table_is_what_the_tool_gives_here(tool, tmp_path, our_scope):
    lines = documented()
    assert lines[:2] == tool.HEAD.splitlines()
    rows = dict(
        zip((kind.name for kind in tool.KINDS), lines[2:], strict=True)
    )
    checked = 0
    for kind in tool.KINDS:
        try:
            for module in kind.needs:
                importlib.import_module(module)
        except ImportError:
            continue
        assert tool.row(kind, tmp_path) == rows[kind.name]
        checked += 1
    assert checked >= 35  # without the extra


def test_at_least_forty_kinds_and_none_comes_in_wrong():
    lines = documented()[2:]
    assert len(lines) >= 40
    for line in lines:
        assert 'other' not in line
        assert any(
            words in line
            for words in (
                'its colours',
                'its grey',
                'black and white',
                'not read: it is a',
            )
        )
