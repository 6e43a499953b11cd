# COCO train2017 without labels, three views an image: 224, 224 and 112.
# "We use the same set of image augmentations as in BYOL" (Sec. 4.1); the
# figures of each are BYOL's, the paper gives none.
#
# What happens to a view's colours is drawn on the host and done on the device,
# in batches; coco_views_on_host.py does it on the host, image by image.
data_preprocessor = dict(
    type='PhotometricPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    non_blocking=True,
)

colour_changes = dict(
    type='DrawPhotometric',
    brightness=0.4,
    contrast=0.4,
    saturation=0.2,
    hue=0.1,
    jitter_prob=0.8,
    grey_prob=0.2,
    blur_sigma=(0.1, 2.0),
    solarise_threshold=128,
)
first_photometric = [dict(**colour_changes, blur_prob=1.0, solarise_prob=0.0)]
second_photometric = [dict(**colour_changes, blur_prob=0.1, solarise_prob=0.2)]

load = dict(type='LoadImage', lazy=True)  # at the scale that the crops allow
crops = dict(
    scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), flip_prob=0.5, backend='torch'
)
pack = dict(
    type='mmpretrain.PackInputs',
    meta_keys=('sample_idx', 'img_path', 'ori_shape', 'views'),
)

large_views = [
    dict(size=224, photometric=first_photometric),
    dict(size=224, photometric=second_photometric),
]
# Ours: the small view is augmented as the second one; the paper says only
# that its patch "is resized to 112 x 112".
small_view = dict(size=112, photometric=second_photometric)
train_pipeline = [
    load,
    dict(type='CutViews', views=[*large_views, small_view], **crops),
    pack,
]

train_dataloader = dict(
    batch_size=32,  # on each of 8 GPUs: 256 in all
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledDataset',
        data_root='data/coco/',
        data_prefix='train2017/',
        pipeline=train_pipeline,
    ),
)

# Matching accuracy on the two large views of 512 held-out images, always the
# same ones; it needs no labels. Where the folder is absent, training goes on
# without it.
val_pipeline = [load, dict(type='CutViews', views=large_views, **crops), pack]
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledDataset',
        data_root='data/coco/',
        data_prefix='val2017/',
        indices=512,
        seed=0,
        pipeline=val_pipeline,
    ),
)
val_cfg = dict()
val_evaluator = dict(type='MatchingAccuracy')

# tools/test.py measures a checkpoint in the same way.
test_dataloader = val_dataloader
test_cfg = dict()
test_evaluator = val_evaluator
