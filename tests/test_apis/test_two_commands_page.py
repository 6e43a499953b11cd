"""docs/two_commands.md says what the code has."""

import re

import pytest

from mmselfemd.apis import finetuning_rule, pretraining_rule
from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.apis.detectors import DETECTORS


@pytest.fixture
def page(root):
    return (root / 'docs' / 'two_commands.md').read_text()


@pytest.mark.parametrize('name', ['memory', 'seconds'])
def test_the_tables_are_those_of_the_code(page, name):
    (block,) = re.findall(rf'<!-- {name} -->\n(.*?)<!-- end -->', page, re.S)
    rows = re.findall(
        r'^\| `([\w-]+)` \| ([\d.]+) \| ([\d.]+) \|$', block, re.M
    )
    assert [row[0] for row in rows] == list(ARCHITECTURES)
    for arch, *figures in rows:
        found = ARCHITECTURES[arch]
        expected = found.seconds
        if name == 'memory':
            expected = (found.view_memory, found.image_memory)
        assert tuple(map(float, figures)) == expected


def test_the_options_are_those_of_the_tools(page):
    (line,) = re.findall(r'^\| `--arch` \| ([^;]+);', page, re.M)
    assert re.findall(r'`([\w-]+)`', line) == list(ARCHITECTURES)
    (line,) = re.findall(r'^\| `--detector` \| \| ([^;]+);', page, re.M)
    assert re.findall(r'`([\w-]+)`', line) == list(DETECTORS)


def test_the_figures_of_the_rule_are_those_of_the_code(page):
    pretraining, finetuning = page.split('### Fine-tuning')
    for number in (
        pretraining_rule.BATCH,
        pretraining_rule.RATE,
        pretraining_rule.EPOCHS,
        f'{pretraining_rule.COCO:,}',
        pretraining_rule.MOMENTUM,
        pretraining_rule.SHORT_MOMENTUM,
        f'{pretraining_rule.SHORT:,}',
        f'{pretraining_rule.BATCH * pretraining_rule.LEAST_STEPS:,}',
        f'{pretraining_rule.LEAST_VAL} to {pretraining_rule.MOST_VAL}',
    ):
        assert str(number) in pretraining, number
    for number in (
        f'{finetuning_rule.STEPS:,}',
        f'{finetuning_rule.WARM_UP:,}',
        f'{finetuning_rule.PRECISE_BN_IMAGES:,}',
        f'{round(finetuning_rule.steps_for(16_551), -2):,}',
        f'{round(finetuning_rule.steps_for(2975), -2):,}',
    ):
        assert number in finetuning, number
