"""Where the loss's flow goes, and where that of other features would."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from small_models import small_model

from mmselfemd.errors import UserValueError
from mmselfemd.evaluation.flow_sources import (
    COUNTED,
    SOURCES,
    find_pyramid,
    flow_figures,
    measure_flows,
)
from mmselfemd.evaluation.transport import pyramid_partners, score_own_flow
from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.transport import cosine_cost, normalise_marginals, sinkhorn

CONFIG = 'selfemd_r18_voc256_20e'
WHOLE = dict(box=(0, 0, 112, 112), flip=False, size=112)
LEFT = dict(box=(0, 0, 80, 112), flip=True, size=112)


def batch_of(views, num_images=4):
    images = torch.randn(num_images, 3, 112, 112)
    return dict(
        inputs=[images, images.clone()],
        data_samples=[
            DataSample(metainfo=dict(views=views)) for _ in range(num_images)
        ],
    )


def right_share(flows, partners):
    """How much goes to a partner of what nodes with a partner send."""
    right = sent = 0.0
    for flow, truth in zip(flows, partners, strict=True):
        for row, shown in zip(flow, truth, strict=True):
            if shown.any():
                sent += float(row.sum())
                right += float(row[shown].sum())
    return right / sent


def test_equal_views_are_matched_by_all_but_the_prediction():
    """The predictor has random weights, and predicts nothing yet."""
    model = small_model(CONFIG, marginals='uniform')
    sums = measure_flows(model, [batch_of([WHOLE, WHOLE])] * 2)
    assert list(sums) == list(SOURCES)
    for source, counted in sums.items():
        assert counted.shape == (8, 2, len(COUNTED))
        figures = flow_figures(counted.sum(0))
        assert figures['same_position'] == 1
        assert figures['gain'] == pytest.approx(
            figures['accuracy'] - figures['other_image']
        )
        is_matched = figures['accuracy'] > 0.95 > figures['other_image']
        assert is_matched == (source != 'prediction')
        more = figures['right_share'] - figures['right_share_other_image']
        assert (more > 0.02) == (source != 'prediction')


def test_the_prediction_is_the_flow_of_the_loss_itself():
    model = small_model(CONFIG)
    batch = batch_of([WHOLE, LEFT])
    (query, key), views = batch['inputs'], [[WHOLE, LEFT]] * 4
    pyramid = find_pyramid(model)
    with batch_statistics(model):
        queries = model.head.predict(model.encoder(query))
        keys = model.key_encoder(key)
        flows = []
        for by in (0, 1):
            other = type(keys)(*(x.roll(-by, 0) for x in keys))
            problem = model.head.transport_problems([(queries, other)])
            flows.append(sinkhorn(*problem, 0.05, 100).flow)
    expected = score_own_flow(flows[0], views, pyramid, flows[1])
    found = flow_figures(measure_flows(model, [batch])['prediction'].sum(0))
    for name, value in expected.items():
        figure = name.removeprefix('own_flow').strip('_') or 'accuracy'
        assert found[figure] == pytest.approx(value), figure
    # The share, slowly: of all that nodes with a partner send.
    partners = pyramid_partners(views, 83, 83, pyramid)
    source, target = (
        normalise_marginals(w).double()
        for w in model.head.transport_problems([(queries, keys)])[1:]
    )
    known = torch.from_numpy(np.stack(partners)).double()
    shares = dict(
        right_share=flows[0],
        right_share_other_image=flows[1],
        right_share_same_position=torch.diag_embed(source),
        right_share_chance=source[:, :, None] * target[:, None],
        right_share_best=sinkhorn(2 - 2 * known, source, target).flow,
    )
    for name, flow in shares.items():
        assert found[name] == pytest.approx(right_share(flow, partners))
    assert found['right_share_best'] > 2 * found['right_share_chance']
    has_partner = known.any(2)
    assert found['partnered_share'] == pytest.approx(
        float((source * has_partner).sum() / source.sum()), rel=1e-5
    )


def test_each_source_is_the_flow_between_what_it_is_called():
    model = small_model(CONFIG, max_iters=2)
    for parameter in model.key.parameters():  # a network of its own
        parameter *= 1 + 0.3 * torch.randn_like(parameter)
    batch = batch_of([WHOLE, LEFT])
    batch['inputs'] = view1, view2 = torch.randn(2, 4, 3, 112, 112)
    sums = measure_flows(model, [batch])
    pyramid = find_pyramid(model)
    with batch_statistics(model):
        query = model.head.predict(model.encoder(view1))
        key = model.key_encoder(view2)
        compared = dict(
            prediction=(query.nodes, key.nodes),
            projection=(model.encoder(view1).nodes, key.nodes),
            keys=(model.key_encoder(view1).nodes, key.nodes),
            backbone=(
                pyramid.pyramid(model.backbone(view1)[-1]),
                pyramid.pyramid(model.key['backbone'](view2)[-1]),
            ),
        )
        weights = (
            model.head.node_weights(query, key),
            model.head.node_weights(key, query),
        )
    partners = pyramid_partners([[WHOLE, LEFT]] * 4, 83, 83, pyramid)
    for source, nodes in compared.items():
        cost = cosine_cost(*nodes)
        flow = sinkhorn(cost, *weights, 0.05, 2, warn=False).flow
        found = flow_figures(sums[source].sum(0))['right_share']
        expected = right_share(flow, partners)
        assert found == pytest.approx(expected, rel=1e-5), source


def test_a_sharper_flow_has_more_of_it_right_where_the_nodes_know():
    batch = batch_of([WHOLE, WHOLE])
    shares = []
    for gamma in (0.5, 0.05):
        sums = measure_flows(small_model(CONFIG, gamma=gamma), [batch])
        figures = flow_figures(sums['backbone'].sum(0))
        shares.append(figures['right_share'])
    assert shares[0] < shares[1]


def test_an_image_by_itself_has_no_other_one():
    batches = [batch_of([WHOLE, WHOLE]), batch_of([WHOLE, WHOLE], 1)]
    counted = measure_flows(small_model(CONFIG), batches)['keys']
    assert counted.shape[0] == 4 and np.isfinite(counted).all()
    with pytest.raises(UserValueError, match='batches of two or more'):
        measure_flows(small_model(CONFIG), [batch_of([WHOLE, WHOLE], 1)])


def test_the_model_is_left_as_it_is():
    model = small_model(CONFIG)
    model.train()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    measure_flows(model, [batch_of([WHOLE, LEFT])])
    assert all(part.training for part in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    'config', ['byol', 'known-pairs', 'backbone-flow', 'partnered-flow']
)
def test_what_has_no_flow_of_its_own_is_not_measured(config):
    three_views = '_three-views' * (config == 'byol')
    model = small_model(f'{config}_r18_voc256_20e{three_views}')
    assert find_pyramid(model) is None


def test_views_of_unknown_place_are_refused():
    for views in ([WHOLE], []):
        with pytest.raises(UserValueError, match='CutViews with two views'):
            measure_flows(small_model(CONFIG), [batch_of(views)])
