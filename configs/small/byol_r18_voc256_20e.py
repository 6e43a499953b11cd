# BYOL by the schedule of selfemd_r18_voc256_20e.py: it differs in the views
# (no small one), neck, head and loss.
_base_ = ['./selfemd_r18_voc256_20e.py']

model = dict(
    neck=dict(
        _delete_=True,
        type='VectorProjectionNeck',
        in_channels=128,
        hidden_channels=256,
        out_channels=64,
        norm_cfg=dict(type='SyncBN'),
    ),
    head=dict(
        _delete_=True,
        type='BYOLHead',
        in_channels=64,
        hidden_channels=256,
        norm_cfg=dict(type='SyncBN'),
    ),
)

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='CutViews',
        views=[
            dict(size=112, photometric={{_base_.first_photometric}}),
            dict(size=112, photometric={{_base_.second_photometric}}),
        ],
        scale=(0.3, 1.0),
        ratio=(3 / 4, 4 / 3),
        flip_prob=0.5,
    ),
    dict(
        type='mmpretrain.PackInputs',
        meta_keys=('sample_idx', 'img_path', 'ori_shape', 'views'),
    ),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
