"""Options of the paper's ablations and of what it leaves open."""

import pytest
import torch
import torch.nn.functional as F

from mmselfemd.models import DenseProjectionNeck, EMDHead, SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import BYOLHead

NORM = dict(type='BN')


def embedding(n=5, batch=2):
    return Embedding(
        torch.randn(batch, n, 4),
        torch.randn(batch, 4),
        torch.randn(batch, n, 4),
    )


def maps(side, batch=2):
    return Embedding(
        torch.randn(batch, 4, side, side),
        torch.randn(batch, 4),
        torch.randn(batch, 4, side, side),
    )


def test_shared_branches_are_one_projector_and_one_predictor():
    neck = DenseProjectionNeck(6, 8, 4, NORM, branch='shared').eval()
    # One place everywhere: pooling first or last makes no difference.
    place = torch.randn(2, 6)
    view = neck((place[:, :, None, None].expand(2, 6, 3, 3),))
    assert torch.allclose(
        view.nodes, view.vector[:, :, None, None].expand(2, 4, 3, 3)
    )
    head = EMDHead(4, 8, branch='shared', norm_cfg=NORM).eval()
    nodes = SPCNeck()(view)
    predicted = head.predict(nodes)
    assert torch.allclose(predicted.nodes[:, 0], predicted.vector)
    for shared, parallel in (
        (neck, DenseProjectionNeck(6, 8, 4, NORM)),
        (head, EMDHead(4, 8, norm_cfg=NORM)),
    ):
        count, twice = (
            sum(p.numel() for p in module.parameters())
            for module in (shared, parallel)
        )
        assert twice == 2 * count
    for build in (
        lambda: DenseProjectionNeck(6, branch='none'),
        lambda: EMDHead(branch='none'),
    ):
        with pytest.raises(ValueError, match='branch must be'):
            build()


@pytest.mark.parametrize('pairs', [[(0, 1)], [(1, 0), (2, 1), (0, 0)]])
def test_view_pairs_choose_what_is_compared(pairs):
    queries = [embedding(n) for n in (5, 5, 3)]
    keys = [embedding(), embedding()]
    head = EMDHead(4, 8, view_pairs=pairs, norm_cfg=NORM)
    losses = head.loss(queries, keys)
    # Each pair by itself, as the only query and key.
    alone = [
        EMDHead(4, 8, view_pairs=[(0, 0)], norm_cfg=NORM).loss(
            [queries[i]], [keys[j]]
        )
        for i, j in pairs
    ]
    for name in ('loss_emd', 'loss_byol'):
        expected = torch.stack([loss[name] for loss in alone]).mean()
        assert torch.allclose(losses[name], expected, atol=1e-5)


def test_without_view_pairs_every_other_key_is_met():
    queries = [embedding(n) for n in (5, 5, 3)]
    keys = [embedding(), embedding()]
    named = [(0, 1), (1, 0), (2, 0), (2, 1)]
    for kind in (BYOLHead, EMDHead):
        default, same = (
            kind(4, 8, view_pairs=pairs, norm_cfg=NORM).loss(queries, keys)
            for pairs in (None, named)
        )
        for name, value in default.items():
            assert torch.allclose(value, same[name]), name


def test_a_view_that_there_is_not_is_an_error():
    head = BYOLHead(4, 8, NORM, view_pairs=[(0, 2)])
    views = [embedding(), embedding()]
    with pytest.raises(ValueError, match=r'view_pairs has \(0, 2\).*of 2'):
        head.loss(views, views)


@pytest.mark.parametrize('kind', [BYOLHead, EMDHead])
def test_nothing_to_compare_is_an_error_in_words(kind):
    head, views = kind(4, 8, norm_cfg=NORM), [embedding(), embedding()]
    for queries, keys in ((views[:1], views[:1]), (views, [])):
        with pytest.raises(ValueError, match='views.*num_key_views'):
            head.loss(queries, keys)
    with pytest.raises(ValueError, match='view_pairs'):
        kind(4, 8, norm_cfg=NORM, view_pairs=[]).loss(views, views)


@pytest.mark.parametrize('kind', [BYOLHead, EMDHead])
def test_losses_are_of_full_precision_under_any_autocast(kind):
    """CUDA's autocast takes a cosine in float32; others do not."""
    head = kind(4, 8, norm_cfg=NORM)
    keys = [embedding(), embedding()]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        queries = [head.predict(embedding()) for _ in range(2)]
        found = head.loss(queries, keys)
    assert queries[0].vector.dtype is torch.bfloat16
    raised = [
        Embedding(*(x if x is None else x.float() for x in query))
        for query in queries
    ]
    for name, loss in head.loss(raised, keys).items():
        torch.testing.assert_close(found[name], loss)


def test_the_pyramid_can_follow_the_predictor(our_scope):
    pools = [(3, 1), (3, 2)]
    head = EMDHead(
        4, 8, pyramid=dict(type='SPCNeck', pools=pools), norm_cfg=NORM
    ).eval()
    queries = [maps(7), maps(7)]
    keys = [maps(7), maps(7)]
    predicted = [head.predict(query) for query in queries]
    assert predicted[0].nodes.shape == (2, 4, 7, 7)
    losses = head.loss(predicted, keys)
    # Literally: each node of the map is predicted, then the map is pooled.
    flat = EMDHead(4, 8, norm_cfg=NORM)

    def pyramid(x):
        levels = [x, F.avg_pool2d(x, 3, 1), F.avg_pool2d(x, 3, 2)]
        return torch.cat([level.flatten(2).mT for level in levels], 1)

    pooled = [
        [
            Embedding(pyramid(v.nodes), v.vector, pyramid(v.node_vectors))
            for v in side
        ]
        for side in (predicted, keys)
    ]
    assert pooled[0][0].nodes.shape == (2, 83, 4)
    expected = flat.loss(*pooled)['loss_emd']
    assert torch.allclose(losses['loss_emd'], expected, atol=1e-5)
    # A predictor that is not linear does not commute with the pools.
    before = [head.predict(SPCNeck(pools)(query)) for query in queries]
    other = flat.loss(before, [SPCNeck(pools)(key) for key in keys])
    assert not torch.allclose(losses['loss_emd'], other['loss_emd'])


def test_maps_without_a_pyramid_are_an_error():
    with pytest.raises(ValueError, match='SPCNeck'):
        EMDHead(4, 8, norm_cfg=NORM).loss(
            [maps(3), maps(3)], [maps(3), maps(3)]
        )


def test_forward_hooks_see_queries_and_keys():
    head = EMDHead(4, 8, norm_cfg=NORM)
    seen = []
    head.register_forward_hook(lambda module, args, out: seen.append(args))
    views = [embedding(), embedding()]
    losses = head(views, views)
    assert seen[0][0] is views
    assert torch.equal(losses['loss_emd'], head.loss(views, views)['loss_emd'])


@pytest.mark.parametrize('gradient', ['envelope', 'implicit', 'unroll'])
@pytest.mark.parametrize('through', [False, True])
def test_the_weights_carry_a_gradient_if_asked_to(gradient, through):
    head = EMDHead(
        4,
        8,
        gamma=0.2,
        weight_nodes='dense',
        gradient=gradient,
        marginal_gradient=through,
        norm_cfg=NORM,
    )
    query, key = embedding(), embedding()
    query.vector.requires_grad_()
    # The query's vector enters loss_emd as the weights of the key's nodes.
    losses = head.loss([query, query], [key, key])
    (slope,) = (
        torch.autograd.grad(
            losses['loss_emd'], query.vector, allow_unused=True
        )
        if losses['loss_emd'].requires_grad
        else (None,)
    )
    assert (slope is not None) == through
    if through:
        assert slope.isfinite().all() and slope.abs().max() > 1e-4


@pytest.mark.parametrize(('nodes', 'sides'), [('vector', 1), ('dense', 2)])
def test_node_vectors_carry_no_gradient_to_the_weights(nodes, sides):
    head = EMDHead(
        4, 8, weight_nodes=nodes, marginal_gradient=True, norm_cfg=NORM
    )
    query = head.predict(embedding())
    _, *weights = head.transport_problems([(query, embedding())])
    # The key's weights, by the query's vector; the query's own, by its nodes.
    assert sum(side.requires_grad for side in weights) == sides
