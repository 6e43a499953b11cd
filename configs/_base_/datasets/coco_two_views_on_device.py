# The two large views of coco_views_on_device.py, without the small one.
_base_ = './coco_views_on_device.py'

train_pipeline = {{_base_.val_pipeline}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
