# What the detectors of the protocol share. It is no model by itself: those
# beside it take from it by name.
syncbn = dict(type='SyncBN', requires_grad=True)

# RGB with mean and std, as in pre-training.
rgb_pixels = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)

trained_backbone = dict(
    frozen_stages=-1,
    norm_cfg=syncbn,
    norm_eval=False,
    style='pytorch',  # the stride of 2 in the 3x3 convolution
    init_cfg=None,  # set from `pretrained` by PretrainedBackboneHook
)

# Initialised as in Detectron2, which takes the fan-in alone.
trained_fpn = dict(
    norm_cfg=syncbn, init_cfg=dict(type='Caffe2Xavier', layer='Conv2d')
)
box_head_init = [
    dict(type='Caffe2Xavier', override=dict(name='shared_fcs')),
    dict(type='Normal', std=0.01, override=dict(name='fc_cls')),
    dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
]
