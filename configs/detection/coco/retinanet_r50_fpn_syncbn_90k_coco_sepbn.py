# SyncBN in the heads, one for each of the five levels; the convolutions stay
# shared.
_base_ = ['./retinanet_r50_fpn_syncbn_90k_coco.py']

model = dict(
    bbox_head=dict(
        type='RetinaSepBNHead',
        num_ins=5,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
    )
)

# The optimiser meets the shared convolutions five times, and takes them once.
optim_wrapper = dict(paramwise_cfg=dict(bypass_duplicate=True))
