"""The recipe on one GPU: the same steps, made of more iterations."""

from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'selfemd'
NUM_IMAGES = 118287  # of COCO train2017


def test_differs_in_accumulation_alone():
    eight = Config.fromfile(CONFIGS / 'selfemd_r50_coco_800e.py')
    one = Config.fromfile(CONFIGS / 'selfemd_r50_coco_800e_1gpu.py')
    counts = one.optim_wrapper.pop('accumulative_counts')
    batch = one.train_dataloader.batch_size
    assert batch * counts == batch * 8 == eight.auto_scale_lr.base_batch_size
    assert one.to_dict() == eight.to_dict()


def test_epoch_is_as_many_steps_as_on_8_gpus():
    one = NUM_IMAGES // 32
    eight = -(-NUM_IMAGES // 8) // 32  # DefaultSampler rounds up
    assert one % 8 == 0
    assert one // 8 == eight == 462
