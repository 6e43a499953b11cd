_base_ = [
    '../_base_/models/mask-rcnn_r50_c4_syncbn.py',
    '../_base_/datasets/coco_instance.py',
    '../_base_/schedules/schedule_90k.py',
    '../_base_/runtime.py',
]

# ResLayerExtraNorm is registered when mmpretrain's models are imported.
custom_imports = dict(imports=['mmselfemd', 'mmpretrain.models'])
