"""docs/choosing_settings.md: defaults are those of the recipe, lines work."""

import argparse
import ast
import re
import shlex

import pytest

from mmselfemd.engine.command_line import CfgOptionsAction
from mmselfemd.engine.launch import load_config

RECIPE = 'configs/selfemd/selfemd_r50_coco_800e.py'


@pytest.fixture(scope='module')
def rows(root):
    """For each setting its name, default, what tells, and line."""
    page = (root / 'docs' / 'choosing_settings.md').read_text()
    rows = re.findall(r'^\| (?!-|setting)(.*) \|$', page, re.M)
    cells = [row.split(' | ') for row in rows]
    return [
        (name, default, tells, line.strip('`'))
        for name, default, _, tells, line in cells
    ]


@pytest.fixture
def recipe(root):
    return load_config(str(root / RECIPE))


def options_of(line):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction)
    words = ['--cfg-options', *shlex.split(line)]
    return parser.parse_args(words).cfg_options


def value_at(cfg, path):
    for part in path.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    return cfg


def test_the_page_has_settings(rows):
    assert len(rows) > 12


def test_lines_change_the_recipe(rows, recipe, root):
    for _, _, _, line in rows:
        if line == '--amp':
            continue
        changed = load_config(str(root / RECIPE), cfg_options=options_of(line))
        assert changed.to_dict() != recipe.to_dict(), line


def test_defaults_are_those_of_the_recipe(rows, recipe):
    compared = 0
    for name, default, _, line in rows:
        values = [ast.literal_eval(v) for v in re.findall('`(.+?)`', default)]
        if not values:  # none: there is nothing of that name
            continue
        paths = list(options_of(line))
        for path, value in zip(paths, values, strict=False):
            assert value_at(recipe, path) == value, (name, path)
            compared += 1
    assert compared > 12


def test_figures_are_explained(rows, root):
    monitors = (root / 'docs' / 'monitors.md').read_text()
    for name, _, tells, _ in rows:
        for figure in re.findall('`([a-z_]+/[a-z_]+)`', tells):
            assert f'`{figure}`' in monitors, (name, figure)
