# coco_views.py with the colours changed on the device, in batches; what is
# done to each view is drawn on the host. Large photographs are decoded at the
# scale that their crops allow. docs/input.md says what differs, by how much.
_base_ = './coco_views.py'

data_preprocessor = dict(type='PhotometricPreprocessor', non_blocking=True)

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

load = dict(type='LoadImage', lazy=True)
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
train_pipeline = [
    load,
    dict(
        type='CutViews',
        views=[
            *large_views,
            # Ours: the small view is augmented as the second one; the paper
            # says only that its patch "is resized to 112 x 112".
            dict(size=112, photometric=second_photometric),
        ],
        **crops,
    ),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

val_pipeline = [
    load,
    dict(
        type='CutViews',
        views=large_views,
        **crops,
    ),
    pack,
]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
