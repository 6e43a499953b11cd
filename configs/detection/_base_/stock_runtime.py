# mmdet's own runtime, with the backbone from `pretrained` and our hooks. No
# precise BN: mmdet's stock detectors keep the statistics of pre-training.
_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['mmselfemd'], allow_failed_imports=False)

# A path, mmselfemd://NAME or torchvision://resnet50. Not None: the first
# stage and every norm are frozen here, and random ones would stay random.
pretrained = 'mmselfemd://selfemd_r50_coco_800e'

# Those of pre-training, where it has them: docs/input.md.
value_range = None
bands = None

default_hooks = dict(
    checkpoint=dict(
        _delete_=True,
        type='mmselfemd.SafeCheckpointHook',
        interval=1,
        max_keep_ckpts=3,
    ),
    pretrained_backbone=dict(type='mmselfemd.PretrainedBackboneHook'),
    preemption=dict(type='mmselfemd.PreemptionHook', interval=10),
    run_report=dict(type='mmselfemd.RunReportHook'),
    # Else mmengine's history of each scalar grows with the run.
    bounded_history=dict(type='mmselfemd.BoundedHistoryHook'),
    run_record=dict(type='mmselfemd.RunRecordHook'),
    annotations=dict(type='mmselfemd.CheckAnnotationsHook'),
    # Stops before training where images need a value_range.
    check_images=dict(type='mmselfemd.CheckImagesHook'),
)
