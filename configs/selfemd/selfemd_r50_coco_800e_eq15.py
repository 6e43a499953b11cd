# Table 2, "Eq. 15" without scale training: neither the pyramid nor the small
# view (39.5 AP).
_base_ = [
    '../_base_/models/selfemd_r50.py',
    '../_base_/datasets/coco_two_views.py',
    '../_base_/schedules/sgd_cosine_800e.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    neck=[
        dict(
            type='DenseProjectionNeck',
            in_channels=2048,
            hidden_channels=4096,
            out_channels=256,
            norm_cfg=dict(type='SyncBN'),
            node_vectors=True,
        ),
        dict(type='SPCNeck', pools=[]),
    ]
)
