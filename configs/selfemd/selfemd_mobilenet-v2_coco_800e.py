# Self-EMD, MobileNetV2, COCO train2017, 800 epochs (Table 3: 27.1 AP).
_base_ = ['./selfemd_r50_coco_800e.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.MobileNetV2',
        # Ours: the map of 1280 channels, after the last convolution.
        out_indices=(7,),
        norm_cfg=dict(type='SyncBN'),
    ),
    neck=[
        dict(
            type='DenseProjectionNeck',
            in_channels=1280,
            hidden_channels=4096,
            out_channels=256,
            norm_cfg=dict(type='SyncBN'),
            node_vectors=True,
        ),
        dict(type='SPCNeck', pools=[(3, 1), (3, 2)]),
    ],
)
