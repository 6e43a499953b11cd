"""What follows from the figures of gpu_report.py, and its table."""

from gpu_report_parts import PRECISIONS
from rich.console import Console
from rich.table import Table

#: What the published recipe reads: images of COCO train2017, epochs.
COCO_IMAGES = 118_287
EPOCHS = 800

STEPS = [
    *PRECISIONS,
    *(f'{name}_channels_last' for name in PRECISIONS),
    'bf16_compiled',
]


def conclusions(parts: dict[str, dict]) -> dict:
    """What follows from the parts that did not fail.

    Args:
        parts (dict[str, dict]): Result of each part by name.

    Returns:
        dict: ``hours`` of the published epochs on one such GPU, by step, if
        the input keeps up; what the input feeds; and the ``targets``.
    """
    steps = _steps_of(parts)
    hours = {
        name: EPOCHS * COCO_IMAGES / figures['images_per_second'] / 3600
        for name, figures in steps.items()
    }
    found = dict(hours_of_800_epochs=hours)
    rates = _figures(parts, 'input').get('images_per_second_with_workers')
    if rates:
        found['fed_images_per_second'] = max(rates.values())
    return found | dict(targets=_targets(parts, steps))


def _targets(parts: dict[str, dict], steps: dict[str, dict]) -> list[dict]:
    """What was hoped for, what was found, and whether that is enough."""
    targets = []

    def add(what: str, found: float | None, wanted: float, more: bool) -> None:
        if found is not None:
            met = found >= wanted if more else found <= wanted
            targets.append(
                dict(target=what, wanted=wanted, found=found, met=met)
            )

    for precision, wanted in (('fp32', 1.5), ('bf16', 1.15)):
        ratios = [
            steps[name]['speedup_over_mmpretrain']
            for name in (precision, f'{precision}_channels_last')
            if 'speedup_over_mmpretrain' in steps.get(name, {})
        ]
        what = f"times as fast as mmpretrain's BYOL, {precision}, at least"
        add(what, max(ratios, default=None), wanted, more=True)
        figures = steps.get(precision, {})
        what = f'share of the transport in a step, {precision}, at most'
        add(what, figures.get('emd_overhead'), 0.02, more=False)
        what = f'share of its kernel launches, {precision}, at most'
        share = figures.get('emd_launches', {}).get('share')
        add(what, share, 0.01, more=False)
    equal = _figures(parts, 'resume').get('bit_equal')
    if equal is not None:
        add('resumed run equal to the bit', float(equal), 1, more=True)
    return targets


def show(report: dict) -> None:
    """Print the report."""
    console = Console()
    parts = report['parts']
    console.print(_step_table(report, _steps_of(parts)))
    console.print(_training_table(parts))
    if 'fed_images_per_second' in report:
        rate = report['fed_images_per_second']
        colours = _figures(parts, 'input')['device_ms']
        console.print(
            f'The data loader gives {rate:.0f} images a second at most: a '
            f'step of 256 images in {256 / rate:.2f} s or more is fed. '
            f'Colours take {colours:.2f} ms an image on the device.'
        )
    for target in report['targets']:
        met = 'met' if target['met'] else 'NOT met'
        console.print(
            f'{target["target"]} {target["wanted"]:g}: '
            f'{target["found"]:.4g}, {met}'
        )
    for name, result in parts.items():
        if not result['ok']:
            console.print(f'{name} failed: {result["error"]}', markup=False)
    if report['tiny']:
        console.print('Tiny sizes: these figures show that the parts run.')


def _step_table(report: dict, steps: dict[str, dict]) -> Table:
    found = report['machine'].items()
    cards = [name for key, name in found if key.startswith('GPU ')]
    table = Table(
        'step',
        'batch',
        'images/s',
        'peak GiB',
        "over mmpretrain's BYOL",
        'transport',
        'hours of 800 epochs, one GPU',
        title=f'A step of three views, {", ".join(cards) or "no GPU"}',
    )
    for name, figures in steps.items():
        speedup = figures.get('speedup_over_mmpretrain')
        transport = figures.get('emd_overhead')
        table.add_row(
            name,
            str(figures['batch_size']),
            f'{figures["images_per_second"]:.1f}',
            f'{figures["peak_memory_bytes"] / 2**30:.1f}',
            '' if speedup is None else f'{speedup:.2f}',
            '' if transport is None else f'{transport:.2%}',
            f'{report["hours_of_800_epochs"][name]:.1f}',
        )
    return table


def _training_table(parts: dict[str, dict]) -> Table:
    table = Table('training', 'found', title='Short trainings on scenes')
    found = _figures(parts, 'processes')
    if found:
        table.add_row(
            'pre-training',
            f'{found["processes"]} processes, {found["backend"]}: '
            f'{found["images_per_second"]:.1f} images/s, loss '
            f'{found["loss_first"]:.2f} to {found["loss_last"]:.2f}',
        )
    found = _figures(parts, 'detector')
    if found:
        table.add_row(
            'Faster R-CNN',
            f'on {found["device"]}: {found["images_per_second"]:.1f} images/s,'
            f' loss {found["loss_first"]:.2f} to {found["loss_last"]:.2f}',
        )
    found = _figures(parts, 'resume')
    if found:
        table.add_row(
            'resumed from the middle',
            'equal to the bit'
            if found['bit_equal']
            else f'{found["tensors_that_differ"]} of {found["tensors"]} '
            f'tensors differ, by {found["largest_difference"]:.1e} at most',
        )
    return table


def _steps_of(parts: dict[str, dict]) -> dict[str, dict]:
    """Figures of the steps that were timed."""
    return {name: found for name in STEPS if (found := _figures(parts, name))}


def _figures(parts: dict[str, dict], name: str) -> dict:
    """Figures of a part; none if it failed or was not run."""
    return parts.get(name, {}).get('figures', {})
