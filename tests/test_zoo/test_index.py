"""``mmselfemd://NAME``."""

import re

import pytest
import yaml
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.zoo import WeightsNotPublishedError, read_model_index
from mmselfemd.zoo.index import find_model

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


def test_no_weights_answers_with_the_command(root):
    with pytest.raises(WeightsNotPublishedError) as error:
        find_model('mmselfemd://selfemd_r50_coco_800e', root=root)
    message = str(error.value)
    assert 'selfemd_r50_coco_800e' in message
    assert 'tools/dist_train.sh configs/a/r50.py 8' in message
    assert 'pretrained=PATH' in message


def test_unknown_name_lists_near_ones(root):
    with pytest.raises(ValueError, match='selfemd_r50_coco_800e') as error:
        find_model('mmselfemd://selfemd_r50_coco_80e', root=root)
    assert 'byol' not in str(error.value)
    with pytest.raises(ValueError, match='Names: .*byol'):
        find_model('mmselfemd://zzz', root=root)


@pytest.mark.parametrize('zoo', [None, '', 'https://mirror.org/zoo/'])
def test_weights_come_from_their_url_or_its_mirror(root, monkeypatch, zoo):
    monkeypatch.delenv('MMSELFEMD_ZOO', raising=False)
    if zoo is not None:
        monkeypatch.setenv('MMSELFEMD_ZOO', zoo)
    found = find_model('mmselfemd://selfemd_r18', root)['Weights']
    assert found == ('https://mirror.org/zoo/selfemd.pth' if zoo else URL)
    with pytest.raises(WeightsNotPublishedError):  # a mirror mirrors
        find_model('mmselfemd://byol', root)


def test_a_folder_comes_first(root, tmp_path, monkeypatch):
    folder = tmp_path / 'zoo'
    monkeypatch.setenv('MMSELFEMD_ZOO', str(folder))
    with pytest.raises(FileNotFoundError, match='MMSELFEMD_ZOO=.*zoo: there'):
        find_model('selfemd_r18', root)
    folder.mkdir()
    assert find_model('selfemd_r18', root)['Weights'] == URL
    for name in ('selfemd.pth', 'byol.pth'):
        (folder / name).touch()
    for name, file in (('selfemd_r18', 'selfemd.pth'), ('byol', 'byol.pth')):
        assert find_model(name, root)['Weights'] == str(folder / file)


def test_a_path_is_a_file_that_comes_with_the_package(
    root, tmp_path, monkeypatch
):
    metafile = root / 'configs/b/metafile.yml'
    entry = dict(Name='byol', Config='byol.py', Weights='configs/b/byol.pth')
    metafile.write_text(yaml.safe_dump([entry]))
    with pytest.raises(FileNotFoundError, match=r'b/byol\.pth is not there'):
        find_model('byol', root)
    shipped, zoo = root / 'configs/b/byol.pth', tmp_path / 'zoo'
    shipped.touch()
    zoo.mkdir()
    monkeypatch.chdir(zoo)  # it is not looked for from here
    for place in (None, 'https://mirror.org/zoo', str(zoo)):
        if place:
            monkeypatch.setenv('MMSELFEMD_ZOO', place)
        assert find_model('byol', root)['Weights'] == str(shipped)
    (zoo / 'byol.pth').touch()
    assert find_model('byol', root)['Weights'] == str(zoo / 'byol.pth')


def test_every_published_model_can_be_checked():
    for name, model in read_model_index().items():
        if model.get('Weights'):
            assert re.fullmatch('[0-9a-f]{64}', model['SHA256']), name


def test_scheme_is_registered_and_the_shipped_default_is_in_the_index():
    with pytest.raises(
        WeightsNotPublishedError,
        match=r'dist_train.sh configs/selfemd/selfemd_r50_coco_800e\.py',
    ):
        CheckpointLoader.load_checkpoint('mmselfemd://selfemd_r50_coco_800e')
