# Self-EMD on a few thousand small photographs, to compare choices of the
# method on 2 cores: a ResNet-18 of a quarter of the usual width, views of 112,
# 112 and 56, and a last stage without stride, so that the map is 7 x 7 all
# the same. The schedule is ours; nothing here is meant to give good weights.
_base_ = ['../selfemd/selfemd_r50_coco_800e.py']

model = dict(
    backbone=dict(
        depth=18, stem_channels=16, base_channels=16, strides=(1, 2, 2, 1)
    ),
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

load = {{_base_.load}}
crops = dict(
    scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3), flip_prob=0.5, backend='torch'
)
pack = {{_base_.pack}}
large_views = [
    dict(size=112, photometric={{_base_.first_photometric}}),
    dict(size=112, photometric={{_base_.second_photometric}}),
]
small_view = dict(size=56, photometric={{_base_.second_photometric}})
train_pipeline = [
    load,
    dict(type='CutViews', views=[*large_views, small_view], **crops),
    pack,
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    pin_memory=False,
    dataset=dict(
        data_root='data/voc07_256/',
        data_prefix='images/',
        ann_file='train3000.txt',
        pipeline=train_pipeline,
    ),
)

val_pipeline = [load, dict(type='CutViews', views=large_views, **crops), pack]
val_dataloader = dict(
    batch_size=64,
    dataset=dict(
        data_root='data/voc07_256/',
        data_prefix='images/',
        ann_file='val1952.txt',
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=2, max_keep_ckpts=-1),
    # A short run has no time for a slow average.
    momentum_update=dict(base_momentum=0.98),
)
optim_wrapper = dict(optimizer=dict(lr=0.05))
train_cfg = dict(max_epochs=20, val_interval=2)
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
auto_scale_lr = dict(base_batch_size=64)
randomness = dict(seed=0)
