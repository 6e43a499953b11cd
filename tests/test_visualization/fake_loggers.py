"""Stand-ins of wandb and mlflow, which write down what they are given.

No test themselves. What the real ones refuse they refuse, too.
"""

import os
import re
from types import ModuleType, SimpleNamespace


class FakeWandb(ModuleType):
    """As much of wandb as a backend uses."""

    class Error(Exception):
        """What wandb raises."""

    def __init__(self) -> None:
        super().__init__('wandb')
        self.begun: list[dict] = []
        self.metrics: list[dict] = []
        self.rows: list[dict] = []
        self.code: list[str] = []
        self.settings: dict = {}
        self.refuses = False
        self.is_open = False
        self.run: SimpleNamespace | None = None
        self.config = SimpleNamespace(update=self._update)

    def init(self, **kwargs) -> None:
        if self.refuses:
            raise self.Error('api_key not configured')
        if self.run is not None:
            return  # as without `reinit`
        self.begun.append(kwargs)
        self.is_open = True
        run_id = kwargs.get('id', f'run{len(self.begun)}')
        self.run = SimpleNamespace(
            id=run_id, log_code=lambda name: self.code.append(name)
        )

    def _update(self, settings: dict, allow_val_change: bool) -> None:
        changed = [k for k in settings if self.settings.get(k) != settings[k]]
        if self.settings and changed and not allow_val_change:
            raise self.Error(f'changed: {changed}')
        self.settings = settings

    def define_metric(self, name: str, **kwargs) -> None:
        self.metrics.append(dict(name=name, **kwargs))

    def log(self, row: dict, step: int | None = None, commit: bool = True):
        assert step is None and commit
        self.rows.append(row)

    def finish(self, exit_code: int = 0) -> None:
        self.is_open = False
        self.run = None

    @staticmethod
    def Image(image) -> tuple:
        return 'picture', image.shape


class FakeMlflow(ModuleType):
    """As much of mlflow as a backend uses."""

    class MlflowException(Exception):
        """What mlflow raises."""

    def __init__(self) -> None:
        super().__init__('mlflow')
        self.exceptions = SimpleNamespace(MlflowException=self.MlflowException)
        self.uri = ''
        self.experiments: dict[str, str | None] = {'Default': './mlruns/0'}
        self.runs: dict[str, dict] = {}
        self.open: str | None = None
        self.refuses = False

    @property
    def of_run(self) -> dict:
        return self.runs[self.open]

    def set_tracking_uri(self, uri: str) -> None:
        if self.refuses or uri.startswith('file:'):
            raise self.MlflowException('the file store is refused')
        self.uri = uri
        os.environ['MLFLOW_TRACKING_URI'] = uri

    def get_tracking_uri(self) -> str:
        return self.uri

    def get_experiment_by_name(self, name: str) -> object:
        return self.experiments.get(name)

    def create_experiment(self, name: str, artifact_location: str | None):
        self.experiments[name] = artifact_location or 'of the server'

    def set_experiment(self, name: str) -> None:
        self.experiment_name = name

    def active_run(self) -> SimpleNamespace | None:
        return self.open and self._open(self.open)

    def start_run(self, run_id: str | None = None, run_name: str = ''):
        assert self.open is None
        if run_id is None:
            run_id = f'run{len(self.runs) + 1}'
            self.runs[run_id] = dict(
                name=run_name, params={}, metrics=[], images=[], files=[]
            )
        elif run_id not in self.runs:
            raise self.MlflowException(f'no run {run_id}')
        return self._open(run_id)

    def _open(self, run_id: str) -> SimpleNamespace:
        self.open = run_id
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def end_run(self, status: str = 'FINISHED') -> None:
        self.of_run['status'] = status
        self.open = None

    def set_tags(self, tags: dict) -> None:
        self.of_run['tags'] = tags

    def log_params(self, params: dict) -> None:
        known = self.of_run['params']
        for name, value in params.items():
            self._check(name)
            if known.setdefault(name, str(value)) != str(value):
                raise self.MlflowException(f'{name} changed')

    def log_text(self, text: str, artifact_file: str) -> None:
        self.of_run['files'].append(artifact_file)

    def log_metrics(self, metrics: dict, step: int) -> None:
        for name, value in metrics.items():
            self._check(name)
            self.of_run['metrics'].append((step, name, float(value)))

    def log_image(self, image, key: str, step: int, synchronous: bool):
        if not re.fullmatch(r'[a-zA-Z0-9_\-./ ]+', key):
            raise self.MlflowException(f'picture: {key}')
        self.of_run['images'].append((step, key, image.shape))

    def log_artifact(self, path: str, target: str) -> None:
        name = path.rpartition('/')[2]
        self.of_run['files'].append(f'{target}/{name}')

    def _check(self, name: str) -> None:
        if not re.fullmatch(r'[/\w.\- ]{1,250}', name):
            raise self.MlflowException(f'name: {name}')
