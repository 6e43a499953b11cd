# The recipe of selfemd_r50_coco_800e.py on one GPU: the optimiser steps on the
# same 256 images, as 8 batches of 32 whose gradients are summed. What differs
# from 8 GPUs: BN takes its statistics from 32 images, not from 256.
#
#   python tools/train.py configs/selfemd/selfemd_r50_coco_800e_1gpu.py
#
# The 118,287 images make 3,696 batches, 462 steps an epoch, as on 8 GPUs.
_base_ = ['./selfemd_r50_coco_800e.py']

optim_wrapper = dict(accumulative_counts=8)
