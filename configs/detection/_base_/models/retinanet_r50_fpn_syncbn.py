# RetinaNet with FPN, all of it trained, with SyncBN in backbone and FPN. The
# heads have no norm: one BN over the five levels of the pyramid mixes their
# statistics. The `sepbn` variant has one for each level.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

norm_cfg = dict(type='SyncBN', requires_grad=True)

model = dict(
    # RGB with mean and std, as in pre-training.
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',  # the stride of 2 in the 3x3 convolution
        init_cfg=None,
    ),  # set from `pretrained` by PretrainedBackboneHook
    # Initialised as in Detectron2, which takes the fan-in alone; and P7 comes
    # from P6 after a ReLU, as in Detectron2 and in RetinaNet's paper.
    neck=dict(
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Caffe2Xavier', layer='Conv2d'),
        relu_before_extra_convs=True,
    ),
)
