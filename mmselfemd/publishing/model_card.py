"""The page that goes with a model's weights."""

from collections.abc import Sequence

from mmselfemd.evaluation.own_flow import own_flow_verdict
from mmselfemd.zoo.extract import ExtractedBackbone

from .finished_run import FinishedRun
from .readings import table_of

__all__ = ['model_card']

_CARD = """\
# {name}

A backbone that this project trained itself, by Self-EMD, and gives away: a
network in miniature, trained on made-up scenes. The figures below are this
project's, not the paper's.

| | |
| --- | --- |
| file | {file}, {size:,} bytes |
| SHA-256 | `{sha256}` |
| config | `{config}` |
| values | {values:,} in {tensors} tensors, the backbone alone |
| pixels | {channel_order}, mean {mean}, std {std}, of values from 0 to 255 |
| trained for | {epochs} epochs, {iterations:,} steps of {batch_size} images |
| seed | {seed} |
| log, curve | [{name}.json]({name}.json), [{name}.png]({name}.png) |

## What it is for

To try the whole way of a backbone with real weights: by its name, from a file
or a server, into a detector or into features.

```python
from mmselfemd import extract_features

backbone = 'mmselfemd://{name}'
for maps in extract_features(['photo.jpg'], backbone):
    print({{name: tuple(value.shape) for name, value in maps.items()}})
```

In the config of a detector with this backbone, it is
`pretrained = 'mmselfemd://{name}'`.

## What it is not for

- **No start for detectors on photographs.** It has seen {num_scenes:,} drawn
  scenes of eight kinds of objects and no photograph. What it is worth on
  photographs was not measured.
- It says nothing about the paper's models, which are much larger and learnt
  from COCO for 800 epochs.
- The readings below tell whether it learnt its own scenes' content, beside
  what needs no content. They are no benchmark.

## How it was made

```bash
{command}
```

{more_seeds}It pre-trains, takes the backbone out, fine-tunes a detector
from it and one from random weights, and measures all of them.

## Data and licence

{num_scenes:,} scenes for training and {held_out:,} that it did not see, which
`tools/demo.py` draws (`mmselfemd.datasets.scenes`, seed 0); pre-training saw
no labels. They are made by a program of this project: no photograph and no one
else's work is in them. The weights are given under the project's licence,
{licence}.

## Readings

By the command above with every seed; the file is of seed {seed}. Matching was
measured on {matched:,} of the scenes that were not trained on, detectors on
all of them after {max_iters} steps of fine-tuning, the loss's own flow in the
last third of pre-training. Rows with a dash belong to the row above them: what
is reached without content, without training or without pre-training, and the
difference to that. Matching and flow are shares of the nodes, AP is in
percent.

{table}

{interval}

What each run says by itself. There the AP is not rounded before the
difference is taken, as it is in the table, so that the two may differ by a
tenth:

{sentences}

![The losses of pre-training]({name}.png)
"""

_INTERVAL = (
    "In brackets the 95 % interval of the mean by Student's t over the "
    'seeds. All were read on the same scenes: what another choice of scenes '
    'would do is not in it.'
)
_ONE_SEED = 'One seed has no interval: what another would give is not known.'


def model_card(
    name: str,
    config: str,
    file: str,
    address: str | None,
    up: str | None,
    backbone: ExtractedBackbone,
    runs: Sequence[FinishedRun],
) -> str:
    """Write the card.

    Args:
        name (str): The model's name.
        config (str): The path of its config in the project.
        file (str): The name of the weights' file.
        address (str | None): Where it is; None: with the package.
        up (str | None): The way from the card to the project's root, if it
            lies below that.
        backbone (ExtractedBackbone): What is in the file.
        runs (Sequence[FinishedRun]): The runs; the file is of the first.

    Returns:
        str: Markdown.
    """
    first = runs[0]
    held_out = max(first.num_scenes // 5, 4)  # as tools/demo.py draws them
    most = first.settings.get('pretrain: val_dataloader.dataset.indices')
    pixels = backbone.pixels
    text = _CARD.format(
        name=name,
        file=f'[{file}]({address})' if address else f'`{file}`',
        config=config,
        licence=f'[Apache-2.0]({up}LICENSE)' if up else 'Apache-2.0',
        size=backbone.size,
        sha256=backbone.sha256,
        values=backbone.parameters,
        tensors=backbone.tensors,
        channel_order=pixels.get('channel_order'),
        mean=pixels.get('mean'),
        std=pixels.get('std'),
        epochs=first.epochs,
        iterations=first.summary['pretrain']['iterations'],
        batch_size=first.settings['pretrain: train_dataloader.batch_size'],
        max_iters=first.settings['detector: train_cfg.max_iters'],
        seed=first.seed,
        num_scenes=first.num_scenes,
        held_out=held_out,
        matched=min(held_out, most or held_out),
        command=_command(config, first),
        more_seeds=_more_seeds(runs),
        table=table_of(runs),
        interval=_INTERVAL if len(runs) > 1 else _ONE_SEED,
        sentences='\n'.join(map(_sentences, runs)),
    )
    return '\n'.join(line.rstrip() for line in text.splitlines()) + '\n'


def _command(config: str, run: FinishedRun) -> str:
    return (
        f'python tools/demo.py --pretraining {config} \\\n'
        f'    --num-scenes {run.num_scenes} --scenes-dir data/scenes \\\n'
        f'    --work-dir work_dirs/scenes_{run.seed} --seed {run.seed}'
    )


def _sentences(run: FinishedRun) -> str:
    helped = run.summary['did_it_help']
    return (
        f'- Seed {run.seed}: {helped} {own_flow_verdict(run.summary["flow"])}'
    )


def _more_seeds(runs: Sequence[FinishedRun]) -> str:
    if len(runs) == 1:
        return ''
    seeds = ', '.join(str(run.seed) for run in runs[1:])
    return f'Likewise with `--seed {seeds}`, each in a folder of its own. '
