# Self-EMD with pairs that the crops' geometry knows, in place of the flow:
# ResNet-50, COCO train2017, 800 epochs, batch 8 x 32. Not the paper's, and
# nobody has run it.
#
#   tools/dist_train.sh configs/known_pairs/known-pairs_r50_coco_800e.py 8
_base_ = ['../selfemd/selfemd_r50_coco_800e.py']

model = dict(type='KnownPairs', head=dict(type='KnownPairsHead'))
