"""Pairs that the crops' geometry knows, against a slow transcription."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_up_views import VIEWS, literal_partners
from mmpretrain.structures import DataSample
from small_models import build, small_config, small_model
from two_processes import two_processes

from mmselfemd.models import SelfEMD, SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads.known_pairs_head import known_flow
from mmselfemd.models.node_geometry import pyramid_places
from mmselfemd.models.selfsup.known_pairs import node_places

CONFIG = 'known-pairs_r18_voc256_20e'
PYRAMID = SPCNeck(pools=[(3, 1), (3, 2)])


@pytest.mark.parametrize('count', [83, 20])  # 20: a 4 x 4 map
def test_places_are_those_of_the_monitor(count):
    places, cells = node_places(VIEWS, count, PYRAMID)
    for view, place, cell in zip(VIEWS, places, cells, strict=True):
        expected, side = pyramid_places(view, count, PYRAMID)
        np.testing.assert_allclose(place, expected)
        np.testing.assert_allclose(
            cell.ravel(), np.divide(view['box'][2:], side)
        )


def test_flow_goes_in_equal_shares_to_all_within_a_cell():
    query, _ = node_places([VIEWS[0]] * 3, 83, PYRAMID)
    key, cell = node_places(VIEWS, 83, PYRAMID)
    flow = known_flow(query, key, cell).numpy()
    for b, view in enumerate(VIEWS):
        near = literal_partners(
            query[b], key[b], np.divide(view['box'][2:], 7)
        )
        expected = near / np.maximum(near.sum(1, keepdims=True), 1)
        total = max(expected.sum(), 1)
        np.testing.assert_allclose(flow[b], expected / total, atol=1e-12)
    assert flow[2].sum() == 0  # the crops do not overlap


def test_the_loss_is_that_of_the_pairs_and_knows_no_transport():
    head = small_model(CONFIG).head
    # The views of the second image do not overlap.
    head.locate = lambda number, count: node_places(
        [VIEWS[number], VIEWS[2 * number], VIEWS[2]], count, PYRAMID
    )
    views = [
        Embedding(
            torch.randn(3, 83, 64, requires_grad=True),
            torch.randn(3, 64),
        )
        for _ in range(2)
    ]
    losses = head.loss(views, views)
    assert losses.keys() == {'loss_byol', 'loss_emd'}
    expected = []
    for i, j in ((0, 1), (1, 0)):
        places, others = head.locate(i, 83), head.locate(j, 83)
        flow = known_flow(places[0], *others).float()
        cosine = F.cosine_similarity(
            views[i].nodes[:, :, None], views[j].nodes[:, None], dim=-1
        )
        for b in range(3):
            if flow[b].sum() > 0:
                expected.append(2 - 2 * (flow[b] * cosine[b]).sum())
    assert len(expected) == 4
    torch.testing.assert_close(
        losses['loss_emd'], 2 * torch.stack(expected).mean()
    )


def embedded(count):
    return Embedding(torch.randn(count, 5, 64), torch.randn(count, 64))


@pytest.mark.parametrize('weight', [0.0, 0.5])
def test_the_loss_of_the_vectors_has_its_weight(weight):
    head = small_model(CONFIG, byol_weight=weight).head
    head.flow = lambda *args: torch.full((2, 5, 5), 1 / 25)
    views = [embedded(2), embedded(2)]
    cosine = F.cosine_similarity(*(view.vector for view in views))
    torch.testing.assert_close(
        head.loss(views, views)['loss_byol'],
        weight * 2 * (2 - 2 * cosine).mean(),
    )


def test_images_with_a_flow_count_alike_in_all_processes(tmp_path):
    head = small_model(CONFIG).head
    views = [embedded(4), embedded(4)]
    flow = torch.full((4, 5, 5), 1 / 25)
    flow[3] = 0  # two images of one process have a flow, one of the other

    def loss(images):
        head.flow = lambda *args: flow[images]
        part = [Embedding(x.nodes[images], x.vector[images]) for x in views]
        return head.loss(part, part)['loss_emd'].item()

    halves = slice(2), slice(2, 4)
    found = two_processes(lambda rank: loss(halves[rank]), tmp_path)
    assert np.mean(found) == pytest.approx(loss(slice(4)))


def test_views_that_never_overlap_teach_nothing():
    head = small_model(CONFIG).head
    head.locate = lambda number, count: node_places(
        [VIEWS[2 * number]], count, PYRAMID
    )
    views = [
        Embedding(
            torch.randn(1, 83, 64, requires_grad=True), torch.randn(1, 64)
        )
        for _ in range(2)
    ]
    loss = head.loss(views, views)['loss_emd']
    loss.backward()
    assert loss == 0
    assert not views[0].nodes.grad.any()


def photographs(views):
    images = [torch.rand(3, 3, view['size'], view['size']) for view in views]
    samples = [DataSample(metainfo=dict(views=views)) for _ in range(3)]
    return images, samples


def test_a_step_of_the_model_takes_the_places_from_the_crops():
    model = small_model(CONFIG)
    views = [VIEWS[0], VIEWS[1], VIEWS[0] | dict(size=56)]
    losses = model.loss(*photographs(views))
    losses['loss_emd'].backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    pickle.dumps(model)  # nothing of the batch stays
    # Apart, there is nothing to be compared.
    losses = model.loss(*photographs([VIEWS[0], VIEWS[2]]))
    assert losses['loss_emd'] == 0 < losses['loss_byol']


def test_what_it_needs_is_said():
    model = small_model(CONFIG)
    images, samples = photographs(VIEWS[:2])
    with pytest.raises(ValueError, match='CutViews'):
        model.loss(images, [DataSample() for _ in samples])
    with pytest.raises(RuntimeError, match="type='KnownPairs'"):
        SelfEMD.loss(model, images, samples)
    model.neck = torch.nn.Sequential(model.neck[0])
    with pytest.raises(ValueError, match='SPCNeck last in the neck'):
        model.loss(images, samples)


def test_another_head_is_refused():
    with pytest.raises(ValueError, match='KnownPairsHead'):
        build(small_config(CONFIG, type='EMDHead'))
