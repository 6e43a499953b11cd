# BYOL, MobileNetV2, COCO train2017, 800 epochs (Table 3: 26.0 AP).
_base_ = ['./byol_r50_coco_800e.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.MobileNetV2',
        # Ours: the map of 1280 channels, after the last convolution.
        out_indices=(7,),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=dict(in_channels=1280),
)
