# Mask R-CNN with FPN, all of it trained, with SyncBN in backbone and FPN. The
# heads are Detectron2's, without norm: the paper's supervised row is MoCo's
# to the decimal, and MoCo has no norm there.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

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
    # Initialised as in Detectron2, which takes the fan-in alone.
    neck=dict(
        norm_cfg=norm_cfg, init_cfg=dict(type='Caffe2Xavier', layer='Conv2d')
    ),
    roi_head=dict(
        bbox_head=dict(
            init_cfg=[
                dict(type='Caffe2Xavier', override=dict(name='shared_fcs')),
                dict(type='Normal', std=0.01, override=dict(name='fc_cls')),
                dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
            ]
        )
    ),
    # As in Detectron2; mmdet's base differs for masks alone.
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))),
)
