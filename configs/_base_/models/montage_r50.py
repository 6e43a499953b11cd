# Montage pre-training with ResNet-50, "Cheaper Pre-training Lunch", Sec. 3.3.
# What could not be established is marked as ours; docs/montage.md has more.
model = dict(
    type='Montage',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(3,),
        norm_cfg=dict(type='BN'),  # ours: 64 montages a GPU are enough
        zero_init_residual=False,  # ours, as in the other configs here
    ),
    head=dict(
        type='ERFAdaptiveHead',
        num_classes=80,
        in_channels=2048,
        map_size=(7, 7),
        threshold=0.7,  # tau of Eq. 2, Sec. 4.1
    ),
)
