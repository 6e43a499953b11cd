"""Where the flow of the loss goes, and where that of other features would."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mmselfemd.errors import UserValueError
from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.transport import cosine_cost, normalise_marginals, sinkhorn

from .matching import matching_sums, score_matching
from .transport import pyramid_partners

#: What the nodes of a query and of a key can be taken from, and from where.
SOURCES = dict(
    prediction="the head's prediction, and the key: what the loss compares",
    projection="the query's neck, and the key's",
    keys="the key's neck, for both views",
    backbone="the query's backbone, and the key's",
)

#: What is counted of the nodes, as in :class:`MatchingResult`.
_SCORES = ('accuracy', 'same_position', 'other_image', 'chance', 'best')

#: What :func:`measure_flows` counts in each image.
COUNTED = (
    *_SCORES,
    'right_share',
    *(f'right_share_{name}' for name in _SCORES[1:]),
    'partnered_share',
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
        nodes of each image, and over how many, (I, 2, 11), in the order of
        :data:`COUNTED`, for :func:`flow_figures`.

    Raises:
        UserValueError: If a batch has no two views of known geometry, or
            none has two images.
    """
    pyramid = find_pyramid(model)
    sums = {source: [] for source in SOURCES}
    for batch in batches:
        samples = batch['data_samples']
        if not all(len(sample.get('views', ())) > 1 for sample in samples):
            raise UserValueError(
                'There are no two views of an image whose place is known: '
                'take CutViews with two views in the pipeline of the held-out '
                'images'
            )
        if len(samples) < 2:
            continue
        with batch_statistics(model):
            data = model.data_preprocessor(batch, True)
            views = [sample.views[:2] for sample in samples]
            flows, weights = _flows(model, pyramid, data['inputs'])
        num_nodes = [side.shape[1] for side in weights]
        partners = pyramid_partners(views, *num_nodes, pyramid)
        controls = _controls(weights, partners, model.head.transport_cfg)
        for source, found in flows.items():
            sums[source].append(_count(found, controls, partners))
    if not all(sums.values()):
        raise UserValueError(
            'Each held-out batch has one image, and what a flow to another '
            'image would have is measured within a batch: take batches of two '
            'or more'
        )
    return {source: np.concatenate(parts) for source, parts in sums.items()}


def find_pyramid(model: SelfEMD) -> SPCNeck | None:
    """The pyramid that makes the nodes of a model.

    Args:
        model (SelfEMD): The model.

    Returns:
        SPCNeck | None: In its neck or its head; None where there is no flow
        between the nodes of a pyramid to be measured, as where it is given.
    """
    head = getattr(model, 'head', None)
    if not isinstance(head, EMDHead) or not head.flow_is_own:
        return None
    return next((m for m in model.modules() if isinstance(m, SPCNeck)), None)


def flow_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of sums over the nodes of images.

    Args:
        sums (np.ndarray): From :func:`measure_flows`, (..., 2, 11).

    Returns:
        dict[str, np.ndarray]: (...) each, of the nodes with a corresponding
        one:

        - ``accuracy``: whose largest flow goes to one, beside
          ``same_position``, ``other_image``, ``chance`` and ``best`` as in
          :class:`MatchingResult`, and ``gain``, accuracy less other image;
        - ``right_share``: how much of their flow goes to one, and the same
          ``_same_position``, of a flow from node i to node i;
          ``_other_image``, to the second view of another image; ``_chance``,
          of a flow that goes to each node by its weight; ``_best``, of a
          network that knows;
        - ``partnered_share``: how much of all weight lies on these nodes.
    """
    with np.errstate(invalid='ignore'):  # NaN is what is unknown
        shares = np.moveaxis(sums[..., 0, :] / sums[..., 1, :], -1, 0)
    figures = dict(zip(COUNTED, shares, strict=True))
    gain = figures['accuracy'] - figures['other_image']
    return figures | dict(gain=gain)


def _flows(
    model: SelfEMD, pyramid: SPCNeck, inputs: Sequence[Tensor]
) -> tuple[dict[str, list[Tensor]], tuple[Tensor, Tensor]]:
    """Flows to the own image's key and the next one's; weights of the own."""
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
    flows = {source: [] for source in compared}
    weights = []
    for image in range(2):
        other = Embedding(
            *(x if x is None else x.roll(-image, 0) for x in key)
        )
        weights.append(
            (head.node_weights(query, other), head.node_weights(other, query))
        )
        for source, (nodes, targets) in compared.items():
            cost = cosine_cost(nodes, targets.roll(-image, 0))
            flow = _solve(cost, weights[image], head.transport_cfg)
            flows[source].append(flow)
    return flows, weights[0]


def _solve(
    cost: Tensor, weights: Sequence[Tensor], transport_cfg: Mapping
) -> Tensor:
    settings = {name: transport_cfg[name] for name in ('gamma', 'max_iters')}
    return sinkhorn(cost, *weights, **settings, warn=False).flow


def _controls(
    weights: Sequence[Tensor],
    partners: Sequence[np.ndarray],
    transport_cfg: Mapping,
) -> dict[str, np.ndarray]:
    """Flows that know nothing, and one that knows all, (B, N, M) each."""
    source, target = (normalise_marginals(w.double().cpu()) for w in weights)
    # As far apart as a cosine can be.
    cost = torch.from_numpy(np.where(np.stack(partners), 0.0, 2.0))
    flows = dict(
        chance=source[:, :, None] * target[:, None],
        best=_solve(cost, (source, target), transport_cfg),
        same_position=torch.zeros_like(cost),
    )
    if cost.shape[1] == cost.shape[2]:
        flows['same_position'] = torch.diag_embed(source)
    return {name: flow.numpy() for name, flow in flows.items()}


def _count(
    flows: Sequence[Tensor],
    controls: Mapping[str, np.ndarray],
    partners: Sequence[np.ndarray],
) -> np.ndarray:
    own, other = (flow.double().cpu().numpy() for flow in flows)
    scores = score_matching(own, partners, controls['best'], other)
    flows = dict(controls, other_image=other)
    truth = np.stack(partners)
    has_partner = truth.any(2, keepdims=True)
    right, sent = (
        [
            (flow * of).sum((1, 2))
            for flow in (own, *(flows[name] for name in _SCORES[1:]))
        ]
        for of in (truth, has_partner)
    )
    # Of all that is sent, how much those send that have a partner.
    shares = [*right, sent[0]], [*sent, own.sum((1, 2))]
    return np.concatenate(
        [matching_sums(scores), np.transpose(shares, (2, 0, 1))], axis=2
    )
