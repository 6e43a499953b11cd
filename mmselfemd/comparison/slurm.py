"""A comparison on several machines, by Slurm's own means."""

import shlex
import sys
from collections.abc import Sequence

from mmselfemd.errors import UserValueError

from .execution import num_chains
from .plan import Plan

_SCRIPT = """\
#!/bin/bash
# One task for each candidate and seed; no task needs another. Add what your
# cluster asks for (partition, account), then:
#   sbatch {path}
# When all tasks are done, this writes the report; if some were cut off, send
# the script again: they go on from where they were.
#   {report}
#SBATCH --job-name=compare_pretraining
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=6
#SBATCH --time={hours}:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output={logs}

cd {folder} || exit 1
# In the background, so that the shell hears the signal and passes it on.
{command} --task "$SLURM_ARRAY_TASK_ID" &
trap 'kill -TERM $!' TERM
wait $!
status=$?
while kill -0 $! 2>/dev/null; do wait $!; status=$?; done
exit $status
"""


def write_slurm_script(
    plan: Plan, arguments: Sequence[str], folder: str
) -> str:
    """Write a script for ``sbatch``.

    Args:
        plan (Plan): The plan.
        arguments (Sequence[str]): The command line, without ``--slurm``.
        folder (str): Where it was given.

    Returns:
        str: The script's path.

    Raises:
        UserValueError: If the name of the work dir has a line break.
    """
    if not str(plan.work_dir).isprintable():
        raise UserValueError(
            f'--work-dir {str(plan.work_dir)!r}: no script for sbatch can '
            'hold that name; choose one of a single line'
        )
    path = plan.work_dir / 'slurm.sh'
    command = shlex.join([sys.executable, *arguments])
    text = _SCRIPT.format(
        path=shlex.quote(str(path)),
        report=command,
        command=command,
        last=num_chains(plan) - 1,
        hours=_hours(plan),
        # A % in a name is doubled for it.
        logs=shlex.quote(
            str(plan.work_dir).replace('%', '%%') + '/slurm_%A_%a.txt'
        ),
        folder=shlex.quote(folder),
    )
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def _hours(plan: Plan) -> int:
    """Twice what the longest task takes here; machines differ."""
    longest = max(
        sum(
            plan.seconds_of(run)
            for run in plan.runs
            if (run.candidate, run.seed) == (candidate, 0)
        )
        for candidate in plan.candidates
    )
    return int(2 * longest / 3600) + 1
