"""The run of a service that a resumed training goes on in."""

from pathlib import Path

from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write


def former_run_id(cfg: Config, service: str) -> str | None:
    """Give the id that the run had when it was begun.

    Args:
        cfg (Config): The config of the run.
        service (str): Whose id it is, such as ``wandb``.

    Returns:
        str, optional: The id; None if the run begins anew, or was not logged
        there before.
    """
    path = _path(cfg, service)
    if not cfg.get('resume') or not path.is_file():
        return None
    return path.read_text().strip() or None


def keep_run_id(cfg: Config, service: str, run_id: str) -> None:
    """Keep the id, in the folder of the run.

    Args:
        cfg (Config): The config of the run.
        service (str): Whose id it is.
        run_id (str): The id.
    """
    with atomic_write(_path(cfg, service)) as file:
        file.write(f'{run_id}\n'.encode())


def _path(cfg: Config, service: str) -> Path:
    return Path(cfg.work_dir) / f'{service}_run_id.txt'
