# Montage pre-training from the boxes of a few thousand small photographs, by
# the backbone, the batch and the steps of selfemd_r18_voc256_20e.py.
# Montages of 112 pixels, whose map is 7 x 7 as there; the schedule is that of
# montage_r50_coco_64k.py, shortened.
_base_ = ['../montage/montage_r50_coco_64k.py']

model = dict(
    backbone=dict(
        depth=18, stem_channels=16, base_channels=16, strides=(1, 2, 2, 1)
    ),
    head=dict(num_classes=20, in_channels=128),
)

train_pipeline = [
    dict(type='StitchMontage', size=112, corner=32),
    {{_base_.pack}},
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    pin_memory=False,
    dataset=dict(
        length=3000,  # as many as there are photographs
        dataset=dict(
            data_root='data/voc07_256/',
            ann_file='annotations/instances_train3000.json',
            data_prefix=dict(img='images/'),
        ),
        pipeline=train_pipeline,
    ),
)

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(by_epoch=True, interval=2, max_keep_ckpts=-1),
    # About 13 times in a run, as in the paper's; each costs two seconds.
    label_weights=dict(interval=70, num_images=8),
)
optim_wrapper = dict(optimizer=dict(lr=0.1))  # 0.8 at a batch of 512
train_cfg = dict(
    _delete_=True, type='ReproducibleEpochBasedTrainLoop', max_epochs=20
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.25,
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
log_processor = dict(window_size=10, by_epoch=True)
auto_scale_lr = dict(base_batch_size=64)
randomness = dict(seed=0)
