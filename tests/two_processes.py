"""Runs something in two processes that know of each other."""

import multiprocessing

import torch
from torch import distributed

FORK = multiprocessing.get_context('fork')


def two_processes(work, folder):
    """What `work(rank)`, plain numbers and text, is in each of two."""
    queue = FORK.Queue()
    processes = [
        FORK.Process(target=_work, args=(work, folder / 'store', rank, queue))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    found = dict(queue.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=120)
    return found[0], found[1]


def _work(work, store, rank, queue):
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    queue.put((rank, work(rank)))
    distributed.destroy_process_group()
