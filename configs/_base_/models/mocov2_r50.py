# MoCo v2 with ResNet-50, mmpretrain's. The figures are those of the paper,
# https://arxiv.org/abs/2003.04297, and of its code.
model = dict(
    type='mmpretrain.MoCo',
    queue_len=65536,
    feat_dim=128,
    momentum=0.001,  # mmengine's sense of it: MoCo's m is 0.999
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(3,),
        # Not SyncBN: MoCo shuffles the keys between GPUs instead.
        norm_cfg=dict(type='BN'),
        zero_init_residual=False,
    ),
    neck=dict(
        type='mmpretrain.MoCoV2Neck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128,
        with_avg_pool=True,
    ),
    head=dict(
        type='mmpretrain.ContrastiveHead',
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        temperature=0.2,
    ),
)
