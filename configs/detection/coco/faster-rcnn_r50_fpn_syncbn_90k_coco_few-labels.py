# 1, 5 or 10 % of COCO's labels, 10 unless said. What is trained on comes from
# the environment, so that child configs and mmdet's tools see the same:
#     PERCENT=1 FOLD=2 tools/dist_train.sh THIS_FILE 8
# Nothing else changes. configs/detection/README.md says how the five folds of
# each are made.
_base_ = ['./faster-rcnn_r50_fpn_syncbn_90k_coco.py']

train_dataloader = dict(
    dataset=dict(
        ann_file=(
            'semi_anns/instances_train2017.{{$FOLD:1}}@{{$PERCENT:10}}.json'
        )
    )
)

# A folder for each, so that runs do not write over each other.
work_dir = (
    'work_dirs/faster-rcnn_r50_fpn_syncbn_90k_coco_few-labels/'
    '{{$PERCENT:10}}percent_fold{{$FOLD:1}}'
)
