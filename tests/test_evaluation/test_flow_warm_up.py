"""The flow's loss grows over the beginning of a run, and nothing else does."""

import pytest
import torch
from mmengine.logging import MessageHub
from small_models import small_model

from mmselfemd.evaluation import FlowWarmUpHead
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead

CONFIG = 'selfemd_r18_voc256_20e_flow-warm-up'


def embedding():
    nodes = torch.randn(2, 9, 64)
    return Embedding(nodes, nodes.mean(1), torch.randn(2, 9, 64))


@pytest.fixture
def head():
    return small_model(CONFIG).eval().head


@pytest.fixture
def hub():
    return MessageHub.get_instance('warm-up')


def far(hub, iteration):
    hub.update_info('iter', iteration)
    hub.update_info('max_iters', 400)


@pytest.mark.parametrize(
    ('iteration', 'weight'), [(0, 0), (25, 0.25), (100, 1), (399, 1)]
)
def test_it_grows_over_a_quarter_of_the_run(head, hub, iteration, weight):
    views = [embedding(), embedding()]
    with torch.no_grad():
        queries = [head.predict(view) for view in views]
        far(hub, iteration)
        losses = head.loss(queries, views)
        whole = EMDHead.loss(head, queries, views)
    emd = whole.pop('loss_emd')
    assert emd > 0.1
    torch.testing.assert_close(losses.pop('loss_emd'), weight * emd)
    torch.testing.assert_close(losses, whole)


def test_without_a_run_it_is_whole(head):
    MessageHub.get_instance('no-run')
    assert head.growth() == 1


@pytest.mark.parametrize('warm_up', [0, -0.1, 1.5])
def test_what_is_no_share_of_the_run_is_refused(warm_up):
    with pytest.raises(ValueError, match='above 0 and at most 1'):
        FlowWarmUpHead(64, 64, warm_up=warm_up)
