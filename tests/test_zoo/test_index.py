"""``mmselfemd://NAME``."""

import pytest
import torch
import yaml
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.zoo import WeightsNotPublishedError, read_model_index
from mmselfemd.zoo.index import load_from_zoo

URL = 'https://example.org/selfemd.pth'


@pytest.fixture
def root(tmp_path):
    """An index of two metafiles, in both layouts that OpenMMLab reads."""

    def write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))

    write(
        tmp_path / 'model-index.yml',
        dict(Import=['configs/a/metafile.yml', 'configs/b/metafile.yml']),
    )
    write(
        tmp_path / 'configs/a/metafile.yml',
        dict(
            Collections=[dict(Name='SelfEMD')],
            Models=[
                dict(Name='selfemd_r50_coco_800e', Config='configs/a/r50.py'),
                dict(
                    Name='selfemd_r18', Config='configs/a/r18.py', Weights=URL
                ),
            ],
        ),
    )
    write(
        tmp_path / 'configs/b/metafile.yml',
        [dict(Name='byol', Config='configs/b/byol.py')],
    )
    return tmp_path


def test_index_is_read_in_order(root):
    assert list(read_model_index(root)) == [
        'selfemd_r50_coco_800e',
        'selfemd_r18',
        'byol',
    ]


def test_weights_come_from_their_url(root, monkeypatch):
    weights, asked = dict(state_dict=dict(a=torch.ones(1))), []

    def download(filename, map_location):
        asked.append((filename, map_location))
        return weights

    monkeypatch.setitem(CheckpointLoader._schemes, 'https://', download)
    loaded = load_from_zoo('mmselfemd://selfemd_r18', 'cpu', root=root)
    assert loaded is weights
    assert asked == [(URL, 'cpu')]


def test_no_weights_answers_with_the_command(root):
    with pytest.raises(WeightsNotPublishedError) as error:
        load_from_zoo('mmselfemd://selfemd_r50_coco_800e', root=root)
    message = str(error.value)
    assert 'selfemd_r50_coco_800e' in message
    assert 'tools/dist_train.sh configs/a/r50.py 8' in message
    assert 'pretrained=PATH' in message


def test_unknown_name_lists_near_ones(root):
    with pytest.raises(ValueError, match='selfemd_r50_coco_800e') as error:
        load_from_zoo('mmselfemd://selfemd_r50_coco_80e', root=root)
    assert 'byol' not in str(error.value)
    with pytest.raises(ValueError, match='Names: .*byol'):
        load_from_zoo('mmselfemd://zzz', root=root)


def test_scheme_is_registered_and_the_shipped_default_is_in_the_index():
    with pytest.raises(
        WeightsNotPublishedError,
        match=r'dist_train.sh configs/selfemd/selfemd_r50_coco_800e\.py',
    ):
        CheckpointLoader.load_checkpoint('mmselfemd://selfemd_r50_coco_800e')
