# Self-EMD in miniature, for `make demo`: the whole method with a ResNet-18 of
# a quarter of the usual width on synthetic scenes, in minutes on a CPU. The
# schedule is ours; nothing here is meant to give good weights.
_base_ = ['../selfemd/selfemd_r50_coco_800e.py']

model = dict(
    backbone=dict(depth=18, stem_channels=16, base_channels=16),
    neck=[
        dict(
            type='DenseProjectionNeck',
            in_channels=128,
            hidden_channels=256,
            out_channels=64,
            norm_cfg=dict(type='SyncBN'),
            node_vectors=True,
        ),
        dict(type='SPCNeck', pools=[(3, 1), (3, 2)]),
    ],
    head=dict(in_channels=64, hidden_channels=256),
)

train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    pin_memory=False,
    dataset=dict(data_root='data/demo_scenes/'),
)
val_dataloader = dict(dataset=dict(data_root='data/demo_scenes/', indices=128))
test_dataloader = val_dataloader

# A short run has no time for a slow average.
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(interval=2, max_keep_ckpts=1),
    momentum_update=dict(base_momentum=0.98),
    transport_monitor=dict(interval=2),
)
optim_wrapper = dict(optimizer=dict(lr=0.05))
train_cfg = dict(max_epochs=6, val_interval=6)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=1,
        convert_to_iter_based=True,
    ),
]
log_processor = dict(window_size=10)
auto_scale_lr = dict(base_batch_size=32)
randomness = dict(seed=0)
