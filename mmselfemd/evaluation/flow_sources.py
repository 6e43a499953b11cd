"""Where the flow of the loss goes, and where that of other features would."""

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.transport import cosine_cost, sinkhorn

from .matching import matching_sums, score_matching
from .transport import pyramid_partners

#: What the nodes of a query and of a key can be taken from, and from where.
SOURCES = dict(
    prediction="the head's prediction, and the key: what the loss compares",
    projection="the query's neck, and the key's",
    keys="the key's neck, for both views",
    backbone="the query's backbone, and the key's",
)

#: What :func:`measure_flows` counts in each image.
COUNTED = (
    'accuracy',
    'same_position',
    'other_image',
    'chance',
    'right_share',
    'right_share_other_image',
)


def measure_flows(
    model: SelfEMD, batches: Iterable[dict]
) -> dict[str, np.ndarray]:
    """Hold flows from different features against the geometry of the views.

    Each is solved as in the loss, with its gamma and its weights of the
    nodes, from the first view of an image as a query to its second as a key;
    only what the cost is made of differs. Norms use the statistics of the
    batch, as in training, so that an untrained network can be measured.

    Args:
        model (SelfEMD): Model with an :class:`EMDHead` and an
            :class:`SPCNeck`, which is left as it is.
        batches (Iterable[dict]): Collated ``inputs`` and ``data_samples``,
            with the metainfo ``views``. A batch of one image is left out: the
            norms of its vectors have no statistics, and it has no other one.

    Returns:
        dict[str, np.ndarray]: For each of :data:`SOURCES` the sums over the
        nodes of each image, and over how many, (I, 2, 6), in the order of
        :data:`COUNTED`, for :func:`flow_figures`.
    """
    pyramid = find_pyramid(model)
    sums = {source: [] for source in SOURCES}
    for batch in batches:
        if len(batch['data_samples']) < 2:
            continue
        with batch_statistics(model):
            data = model.data_preprocessor(batch, True)
            views = [sample.views[:2] for sample in data['data_samples']]
            flows = _flows(model, pyramid, data['inputs'])
        for source, found in flows.items():
            partners = pyramid_partners(views, *found[0].shape[1:], pyramid)
            sums[source].append(_count(found, partners))
    return {source: np.concatenate(parts) for source, parts in sums.items()}


def find_pyramid(model: SelfEMD) -> SPCNeck | None:
    """The pyramid that makes the nodes of a model.

    Args:
        model (SelfEMD): The model.

    Returns:
        SPCNeck | None: In its neck or its head; None where there is no flow
        between the nodes of a pyramid to be measured.
    """
    if not isinstance(getattr(model, 'head', None), EMDHead):
        return None
    return next((m for m in model.modules() if isinstance(m, SPCNeck)), None)


def flow_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of sums over the nodes of images.

    Args:
        sums (np.ndarray): From :func:`measure_flows`, (..., 2, 6).

    Returns:
        dict[str, np.ndarray]: (...) each, of the nodes with a corresponding
        one. ``accuracy``: whose largest flow goes to one, with
        ``other_image``, ``same_position`` and ``chance`` as in
        :class:`MatchingResult`, and ``gain``, accuracy less ``other_image``.
        ``right_share``: the share of their flow that goes to one, which is
        how much of the loss pulls right; ``right_share_other_image``: the
        same of the flow to the second view of another image.
    """
    with np.errstate(invalid='ignore'):  # NaN is what is unknown
        shares = np.moveaxis(sums[..., 0, :] / sums[..., 1, :], -1, 0)
    figures = dict(zip(COUNTED, shares, strict=True))
    gain = figures['accuracy'] - figures['other_image']
    return figures | dict(gain=gain)


def _flows(
    model: SelfEMD, pyramid: SPCNeck, inputs: Sequence[Tensor]
) -> dict[str, list[Tensor]]:
    """Flows to the key of the own image, and of the next one."""
    head, (view1, view2) = model.head, inputs[:2]
    query_maps, key_maps = model.backbone(view1), model.key['backbone'](view2)
    projection = model.neck(query_maps)
    query = head.pyramid(head.predict(projection))
    key = head.pyramid(model.key['neck'](key_maps))
    key_nodes = pyramid.pyramid(key_maps[-1])
    compared = dict(
        prediction=(query.nodes, key.nodes),
        projection=(head.pyramid(projection).nodes, key.nodes),
        keys=(head.pyramid(model.key_encoder(view1)).nodes, key.nodes),
        backbone=(pyramid.pyramid(query_maps[-1]), key_nodes),
    )
    settings = {k: head.transport_cfg[k] for k in ('gamma', 'max_iters')}
    flows = {source: [] for source in compared}
    for image in range(2):
        other = Embedding(
            *(x if x is None else x.roll(-image, 0) for x in key)
        )
        weights = (
            head.node_weights(query, other),
            head.node_weights(other, query),
        )
        for source, (nodes, targets) in compared.items():
            cost = cosine_cost(nodes, targets.roll(-image, 0))
            plan = sinkhorn(cost, *weights, **settings, warn=False)
            flows[source].append(plan.flow)
    return flows


def _count(
    flows: Sequence[Tensor], partners: Sequence[np.ndarray]
) -> np.ndarray:
    own, other = (flow.double().cpu().numpy() for flow in flows)
    scores = matching_sums(score_matching(own, partners, others=other))
    truth = np.stack(partners)
    shares = [
        [
            (flow * truth).sum((1, 2)),
            (flow * truth.any(2, keepdims=True)).sum((1, 2)),
        ]
        for flow in (own, other)
    ]
    # Last among the scores is the best possible, which is not known here.
    return np.concatenate(
        [scores[..., :-1], np.transpose(shares, (2, 1, 0))], axis=2
    )
