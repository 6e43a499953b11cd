"""Long commands show how far they are, and say how they failed."""

import sys

import progress
import pytest
from errors import SetupError


def test_output_goes_to_the_log_and_progress_to_the_screen(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(progress, 'SECONDS_BETWEEN_LOG_LINES', 0)
    log = tmp_path / 'log'
    progress.run(
        [sys.executable, '-c', 'print("half")'],
        'baking',
        expected=60,
        log=log,
        reader=lambda line: (0.5, '1/2') if line == 'half\n' else None,
    )
    assert log.read_text() == 'half\n'
    assert 'baking 1/2: 0:0' in capsys.readouterr().out


def test_failure_shows_the_last_lines_and_the_log(tmp_path):
    log = tmp_path / 'log'
    code = 'import sys; print("the reason"); sys.exit(7)'
    with pytest.raises(SetupError) as error:
        progress.run([sys.executable, '-c', code], 'baking', 1, log)
    for part in ('the reason', 'baking failed', 'exit code 7', str(log)):
        assert part in str(error.value)


def test_interrupt_ends_the_command_and_what_it_has_started(tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    marker = tmp_path / 'survived'
    late = 'import sys, time; time.sleep(3); open(sys.argv[1], "w")'
    code = (
        'import subprocess, sys; print("go", flush=True); '
        f'subprocess.run([sys.executable, "-c", {late!r}, {str(marker)!r}])'
    )
    with pytest.raises(KeyboardInterrupt):
        progress.run(
            [sys.executable, '-c', code], 'x', 9, tmp_path / 'log', interrupt
        )
    progress.time.sleep(3.5)
    assert not marker.exists()


def test_time_left_follows_the_progress_made(monkeypatch):
    shown = progress.ProgressLine('x', expected=600)
    shown.start -= 100
    assert 'about 8:' in shown.text()
    shown.update(0.5, '1/2')  # half in 100 s
    assert 'about 1:4' in shown.text() or 'about 1:39' in shown.text()
    shown.start -= 500
    assert 'longer than expected' in shown.text()


def test_time_left_is_not_made_up():
    shown = progress.ProgressLine('x', expected=None)
    assert 'not known yet' in shown.text()
    shown.start -= 100
    shown.update(0.5, '1/2')
    assert 'about 1:' in shown.text()
