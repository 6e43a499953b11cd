# COCO 2017 with masks, in the sizes of coco_detection.py.
_base_ = 'mmdet::_base_/datasets/coco_instance.py'

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    # Polygons are rasterised in each region's own grid, as in Detectron2,
    # and not at the image's first. (Objects whose mask is no polygon would be
    # left out; COCO has none but crowds. With such data: poly2mask=True.)
    dict(
        type='LoadAnnotations',
        with_bbox=True,
        with_mask=True,
        poly2mask=False,
    ),
    dict(
        type='RandomChoiceResize',
        scales=[
            (1333, 640),
            (1333, 672),
            (1333, 704),
            (1333, 736),
            (1333, 768),
            (1333, 800),
        ],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
# 8 GPUs x 2 images = 16. The sampler never ends: the loop counts iterations.
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
