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

train_pipeline = {{_base_.val_pipeline}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
