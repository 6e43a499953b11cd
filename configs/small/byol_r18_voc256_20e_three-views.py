# BYOL by the schedule and with the three views of selfemd_r18_voc256_20e.py:
# it differs in neck, head and loss alone, so the flow is held against it.
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
