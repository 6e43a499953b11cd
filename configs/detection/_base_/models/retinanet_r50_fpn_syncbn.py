# RetinaNet with FPN, all of it trained, with SyncBN in backbone and FPN. The
# heads have no norm: one BN over the five levels of the pyramid mixes their
# statistics. The `sepbn` variant has one for each level.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './protocol.py']

model = dict(
    data_preprocessor={{_base_.rgb_pixels}},
    backbone={{_base_.trained_backbone}},
    # P7 comes from P6 after a ReLU, as in Detectron2 and in RetinaNet's paper.
    neck=dict(
        norm_cfg={{_base_.syncbn}},
        init_cfg={{_base_.trained_fpn.init_cfg}},
        relu_before_extra_convs=True,
    ),
)
