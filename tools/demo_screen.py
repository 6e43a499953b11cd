"""What the demo shows on the screen while it runs, and at its end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.table import Table

#: The screen itself, wherever stdout is sent later.
CONSOLE = Console(file=sys.stdout, highlight=False)


class ProgressHook(Hook):
    """One line on the screen for each tenth of a training."""

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self.start = time.time()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Print the losses and the time left."""
        done, total = runner.iter + 1, runner.max_iters
        if done not in (1, total) and done % max(total // 10, 1):
            return
        left = (time.time() - self.start) / done * (total - done)
        CONSOLE.print(
            f'  step {done:3d} of {total}, '
            f'loss {float(outputs["loss"]):.3f}, '
            f'{left:.0f} s left'
        )


@contextmanager
def stage(title: str, log: Path) -> Iterator[None]:
    """Announce a stage; what the libraries print goes to a file."""
    CONSOLE.print(f'\n[bold]{title}[/bold] [dim]log: {log}[/dim]')
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('w', buffering=1) as file:
        with redirect_stdout(file), redirect_stderr(file):
            yield


def show(summary: dict) -> None:
    """Print the summary as a table."""
    table = Table(title='Self-EMD demo', show_header=False)
    for part, figures in summary.items():
        table.add_section()
        for name, value in figures.items():
            if isinstance(value, list):
                value = len(value)
            text = f'{value:.3f}' if isinstance(value, float) else str(value)
            table.add_row(part, name, text)
            part = ''
    CONSOLE.print(table)
