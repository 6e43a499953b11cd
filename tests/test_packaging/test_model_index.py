"""OpenMMLab's own reader takes our index, and it claims nothing untrue."""

from pathlib import Path

import modelindex
import pytest
import yaml
from mmengine.config import Config

from mmselfemd.zoo.download import sha256_of
from mmselfemd.zoo.index import find_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def index():
    loaded = modelindex.load(str(ROOT / 'model-index.yml'))
    loaded.build_models_with_collections()
    return loaded


def test_every_metafile_is_listed():
    listed = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    found = (ROOT / 'configs').rglob('metafile.yml')
    assert sorted(listed) == sorted(
        str(path.relative_to(ROOT)) for path in found
    )


def test_collections_name_paper_and_readme(index):
    papers = {
        collection.name: collection.paper['URL']
        for collection in index.collections
    }
    assert papers == {
        'Self-EMD': 'https://arxiv.org/abs/2011.13677',
        'BYOL': 'https://arxiv.org/abs/2006.07733',
        'MoCo v2': 'https://arxiv.org/abs/2003.04297',
        'SimCLR': 'https://arxiv.org/abs/2002.05709',
        'KnownPairs': 'https://arxiv.org/abs/2011.05499',
        'Montage': 'https://arxiv.org/abs/2004.12178',
    }
    for collection in index.collections:
        assert (ROOT / collection.readme).is_file()


# Trained here, and given away.
OURS = {'selfemd_r18-w16_scenes_6e'}


def test_every_config_but_the_small_ones_is_a_model(index):
    configs = {
        path.stem
        for path in (ROOT / 'configs').rglob('*.py')
        if not {'_base_', 'demo', 'small'} & set(path.parts)
    }
    assert {model.name for model in index.models} == configs | OURS


def test_every_config_is_there_and_named_after_its_model(index):
    for model in index.models:
        path = ROOT / model.config
        assert path.is_file()
        assert path.stem == model.name
        assert Config.fromfile(path).model.type


def test_no_weights_of_the_paper_are_promised(index):
    for model in index.models:
        assert model.weights is None or model.name in OURS


def test_weights_that_come_with_the_package_are_whole():
    for name in OURS:
        model = find_model(name, ROOT)
        assert sha256_of(model['Weights']) == model['SHA256']


def test_every_result_says_whose_it_is(index):
    results = [
        (model.name, result.metrics['Reported By'])
        for model in index.models
        for result in model.results or ()
    ]
    assert results
    for name, reported_by in results:
        whose = 'this project' if name in OURS else 'the paper'
        assert reported_by.startswith(whose)


def test_faster_rcnn_row_is_table_1s(index):
    name = 'faster-rcnn_r50_fpn_syncbn_90k_coco'
    (model,) = (m for m in index.models if m.name == name)
    (result,) = model.results
    figures = [result.metrics[f'box {key}'] for key in ('AP', 'AP50', 'AP75')]
    assert figures == [39.8, 60.0, 43.4]
