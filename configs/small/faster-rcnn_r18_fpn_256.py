# The detector of faster-rcnn_r18_fpn_voc256.py for photographs of any size:
# training scales them to a longest side of 256 pixels, as the test does. It is
# what tools/compare_pretraining.py takes unless it is told otherwise.
_base_ = ['./faster-rcnn_r18_fpn_voc256.py']

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(256, 256), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
