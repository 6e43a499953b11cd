"""A flow from the backbone's maps, against a slow transcription."""

import ot
import pytest
import torch
import torch.nn.functional as F
from small_models import build, small_config, small_model

CONFIG = 'backbone-flow_r18_voc256_20e'


@pytest.fixture
def model():
    return small_model(CONFIG, gamma=0.2, max_iters=500).eval()


def nodes_of(feature_map):
    """Cells, and the means of 3 x 3 of them by a stride of 1 and of 2."""
    side = feature_map.shape[-1]
    levels = [feature_map.flatten(2)]
    for stride in (1, 2):
        if side >= 3 and (side - 3) % stride == 0:
            steps = range(0, side - 2, stride)
            means = [
                feature_map[..., y : y + 3, x : x + 3].mean((2, 3))
                for y in steps
                for x in steps
            ]
            levels.append(torch.stack(means, -1))
    return torch.cat(levels, -1).transpose(1, 2)


def test_predictions_are_compared_along_the_backbones_flow(model):
    views = [torch.randn(2, 3, size, size) for size in (112, 112, 56)]
    losses = model.loss(views, [])
    assert losses.keys() == {'loss_byol', 'loss_emd'}
    expected = []
    for i, j in ((0, 1), (1, 0), (2, 0), (2, 1)):
        query_map = model.backbone(views[i])
        key_map = model.key['backbone'](views[j])
        query = model.head.predict(model.neck(query_map))
        key = model.key['neck'](key_map)
        cosine = F.cosine_similarity(
            nodes_of(query_map[-1])[:, :, None],
            nodes_of(key_map[-1])[:, None],
            dim=-1,
        )
        weights = (
            model.head.node_weights(query, key),
            model.head.node_weights(key, query),
        )
        for b in range(2):
            source, target = (
                w[b].double() / w[b].double().sum() for w in weights
            )
            # By its method for weights of zero;
            # findings/pot_sinkhorn_zero_weights.sh.
            flow = ot.sinkhorn(
                source,
                target,
                1 - cosine[b].double(),
                reg=0.2,
                method='sinkhorn_log',
            )
            agreement = F.cosine_similarity(
                query.nodes[b][:, None], key.nodes[b][None], dim=-1
            )
            expected.append(2 - 2 * (flow.float() * agreement).sum())
    expected = 2 * torch.stack(expected).mean()
    torch.testing.assert_close(losses['loss_emd'], expected, rtol=1e-5, atol=0)


def test_the_prediction_has_a_gradient_and_no_map_is_kept(model):
    views = [torch.randn(2, 3, 112, 112) for _ in range(2)]
    emd = model.loss(views, [])['loss_emd']
    emd.backward()
    assert model.head.query_maps is model.head.key_maps is None
    norms = [p.grad for p in model.backbone.parameters()]
    assert any(g is not None and g.abs().sum() > 0 for g in norms)


def test_maps_are_seen_within_the_loss_alone(model):
    model.encoder(torch.randn(2, 3, 112, 112))
    assert model.head.query_maps is None
    with pytest.raises(TypeError):
        model.loss([None], [])
    assert model.head.query_maps is model.head.key_maps is None
    with pytest.raises(RuntimeError, match="type='BackboneFlow'"):
        model.head.flow(0, 1, ())


@pytest.mark.parametrize(
    ('changed', 'said'),
    [
        (dict(head=dict(type='EMDHead')), 'BackboneFlow with a EMDHead'),
        (dict(neck=dict(type='DenseProjectionNeck')), 'SPCNeck last'),
    ],
)
def test_what_it_is_not_for_is_refused(changed, said):
    cfg = small_config(CONFIG)
    if 'neck' in changed:
        cfg.model.neck = cfg.model.neck[0]
    else:
        cfg.model.head.type = changed['head']['type']
    with pytest.raises(ValueError, match=said):
        build(cfg)


def test_another_flow_is_another_loss(model):
    views = [torch.randn(2, 3, 112, 112) for _ in range(2)]
    first = model.loss(views, [])['loss_emd']
    model.head.query_maps, model.head.key_maps = [], []
    queries = [model.head.predict(model.encoder(view)) for view in views]
    keys = [model.key_encoder(view) for view in views]
    again = model.head.loss(queries, keys)['loss_emd']
    torch.testing.assert_close(again, first)
    model.head.key_maps = [m.flip(1) for m in model.head.key_maps]
    assert model.head.loss(queries, keys)['loss_emd'] != first
