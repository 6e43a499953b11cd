"""Which candidates the words of a command line mean."""

import pytest

from mmselfemd.comparison.candidates import RECIPES, parse_candidates
from mmselfemd.errors import UserError

CONFIGS = dict(selfemd='selfemd.py', byol='byol.py')


def names(*words):
    return [each.name for each in parse_candidates(words, CONFIGS)]


def test_random_and_self_emd_unless_others_are_named():
    assert names() == ['random', 'selfemd']
    assert names('mine=a.pth') == ['random', 'selfemd', 'mine']
    assert names('byol', 'mine=a.pth') == ['byol', 'mine']


def test_each_begins_where_it_says():
    random, byol, mine = parse_candidates(
        ['random', 'byol', 'mine=moco:a=b.pth'], CONFIGS
    )
    assert random[1:] == (None, None, False)
    assert byol.config == 'byol.py' and byol.weights is None
    assert mine.weights == 'moco:a=b.pth' and mine.config is None
    assert (random.label, byol.label, mine.label) == (
        'random weights',
        'BYOL',
        'mine',
    )


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['random', 'selfemt'], 'selfemd'),
        (['random', 'random'], 'twice'),
        (['random'], 'only candidate'),
        (['random', 'a='], 'no file'),
        (['random', 'a/b=c.pth'], 'letters'),
        (['random', '..=c.pth'], 'letters'),
        (['selfemd', 'random=c.pth'], 'another name'),
    ],
)
def test_what_cannot_be_meant_is_answered(words, said):
    with pytest.raises(UserError, match=said):
        parse_candidates(words, CONFIGS)


def test_recipes_name_configs_that_are_there(root):
    for recipe in RECIPES.values():
        for config in (recipe.detector, *recipe.pretraining.values()):
            assert (root / 'configs' / config).is_file()
