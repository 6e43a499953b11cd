# SimCLR with ResNet-50, mmpretrain's. The figures are those of the paper,
# https://arxiv.org/abs/2002.05709, and of its code.
model = dict(
    type='mmpretrain.SimCLR',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(3,),
        norm_cfg=dict(type='SyncBN'),
        zero_init_residual=True,
    ),
    neck=dict(
        type='mmpretrain.NonLinearNeck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128,
        num_layers=2,
        with_avg_pool=True,
    ),
    head=dict(
        type='mmpretrain.ContrastiveHead',
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        temperature=0.1,
    ),
)
