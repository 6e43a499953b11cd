# MobileNetV2 (Table 3: 27.1 AP).
_base_ = ['./faster-rcnn_r50_fpn_syncbn_90k_coco.py']

pretrained = 'mmselfemd://selfemd_mobilenet-v2_coco_800e'

# mmpretrain's network, as in pre-training: mmdet's has other names. The maps
# of stride 4, 8, 16 and 32, the last one after the last convolution, so that
# every tensor of the pre-trained file has its place and is trained.
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.MobileNetV2',
        out_indices=(1, 2, 4, 7),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=dict(in_channels=[24, 32, 96, 1280]),
)
