# BYOL with ResNet-50: SelfEMD with the vector branch alone.
model = dict(
    type='SelfEMD',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(3,),
        norm_cfg=dict(type='SyncBN'),
        zero_init_residual=False,
    ),
    neck=dict(
        type='VectorProjectionNeck',
        in_channels=2048,
        hidden_channels=4096,
        out_channels=256,
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(
        type='BYOLHead',
        in_channels=256,
        hidden_channels=4096,
        norm_cfg=dict(type='SyncBN'),
    ),
    num_key_views=2,
)
