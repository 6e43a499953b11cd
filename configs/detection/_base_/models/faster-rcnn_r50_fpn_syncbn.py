# Faster R-CNN with FPN, all of it trained, with SyncBN.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

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
    # Ours, the paper does not say: four convolutions with SyncBN and one
    # linear layer. See configs/detection/README.md for the evidence.
    roi_head=dict(
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead',
            conv_out_channels=256,
            norm_cfg=norm_cfg,
            init_cfg=[
                dict(type='Caffe2Xavier', override=dict(name='shared_fcs')),
                dict(type='Normal', std=0.01, override=dict(name='fc_cls')),
                dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
            ],
        )
    ),
)
