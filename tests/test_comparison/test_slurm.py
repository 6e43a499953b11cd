"""The script for a Slurm array, run by bash as Slurm would."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from mmselfemd.comparison.slurm import write_slurm_script
from mmselfemd.errors import UserError

# Stands for Python: says what it was told, and where; on SIGTERM it takes a
# moment, as a checkpoint does.
STUB = """#!/bin/bash
printf '%s\\n' "$PWD" "$@" > "$TOLD"
if [ -z "$WAITS" ]; then exit 7; fi
trap 'sleep 1; echo saved >> "$TOLD"; exit 5' TERM
echo ready >> "$TOLD"
while true; do sleep 0.1; done
"""


@pytest.fixture
def start(plan, tmp_path, monkeypatch):
    """Starts one task; returns its process and what the stub writes."""
    stub, told = tmp_path / 'my python', tmp_path / 'told'
    stub.write_text(STUB)
    stub.chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(stub))
    folder = tmp_path / 'my folder'
    folder.mkdir()
    words = ['tools/compare.py', '--images', "it's here", '--yes']
    script = write_slurm_script(plan, words, str(folder))

    def start(waits):
        task = subprocess.Popen(
            ['bash', script],
            env=os.environ
            | dict(SLURM_ARRAY_TASK_ID='3', TOLD=str(told), WAITS=waits),
        )
        return task, told, [str(folder), *words, '--task', '3']

    return start


def test_a_task_is_the_command_with_its_number(start):
    task, told, expected = start(waits='')
    assert task.wait(60) == 7
    assert told.read_text().splitlines() == expected


def test_a_task_that_is_cut_off_may_save_first(start):
    """Slurm signals the shell alone, two minutes before the end."""
    task, told, expected = start(waits='1')
    try:
        for _ in range(600):
            if told.exists() and 'ready' in told.read_text():
                break
            time.sleep(0.1)
        task.send_signal(signal.SIGTERM)
        assert task.wait(60) == 5
    finally:
        task.kill()
    assert told.read_text().splitlines() == [*expected, 'ready', 'saved']


def test_no_script_is_written_that_bash_would_misread(plan):
    torn = replace(plan, work_dir=plan.work_dir / 'two\nlines')
    with pytest.raises(UserError, match='single line'):
        write_slurm_script(torn, [], '.')
