# The two large views of coco_views.py, without the small one.
_base_ = './coco_views.py'

train_pipeline = {{_base_.val_pipeline}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
