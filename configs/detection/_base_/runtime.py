# What all detectors share: where the backbone comes from, and our hooks.
_base_ = 'mmdet::_base_/default_runtime.py'

# For mmdet's own tools; those of this project have it imported already.
custom_imports = dict(imports=['mmselfemd'], allow_failed_imports=False)

# The backbone: a path, mmselfemd://NAME, torchvision://resnet50, or None for
# random weights. A child config and --cfg-options may change it.
pretrained = 'mmselfemd://selfemd_r50_coco_800e'

# Those of pre-training, where it has them: docs/input.md.
value_range = None
bands = None

# Not in `custom_hooks`: a child that sets that list would drop ours.
default_hooks = dict(
    # Else mmengine puts every evaluation at step 0 of the curves.
    logger=dict(log_metric_by_epoch=False),
    # Precise BN runs where validation follows, so it has the same interval.
    checkpoint=dict(
        _delete_=True,
        type='mmselfemd.SafeCheckpointHook',
        by_epoch=False,
        interval=10000,
        max_keep_ckpts=3,
    ),
    pretrained_backbone=dict(type='mmselfemd.PretrainedBackboneHook'),
    precise_bn=dict(type='mmselfemd.PreciseBNHook', num_images=3200),
    preemption=dict(type='mmselfemd.PreemptionHook', interval=10),
    run_report=dict(type='mmselfemd.RunReportHook'),
    # Else mmengine's history of each scalar grows with the run.
    bounded_history=dict(type='mmselfemd.BoundedHistoryHook'),
    run_record=dict(type='mmselfemd.RunRecordHook'),
    annotations=dict(type='mmselfemd.CheckAnnotationsHook'),
    # Stops before training where images need a value_range.
    check_images=dict(type='mmselfemd.CheckImagesHook'),
)

log_processor = dict(by_epoch=False)
