"""From what is asked for to the runs that answer it."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserError, UserValueError

from .candidates import parse_candidates
from .data import Data, nested_subsets, read_data
from .layout import (
    Configs,
    lay_out,
    num_pretrainings,
    pretraining_name,
)
from .plan import Plan, data_file, has_begun
from .run_configs import (
    RunConfigs,
    digests_of,
    longest_epoch,
    write_configs,
)
from .runs import Run
from .settings import (
    Settings,
    check_same,
    digest,
    read_record,
    write_record,
)
from .timing import Seconds, lengths_within
from .trial import measure
from .weights import Detector, locate_weights

GIGABYTE = 1e9

#: Before the lengths are known, configs are built with these.
_ANY_LENGTH = 1000


class Planner:
    """Checks what was asked for, and lays the runs out.

    Args:
        settings (Settings): What was asked for.
        work_dir (Path): Where everything goes.
        jobs (int): How many runs there are at a time.
        devices (Sequence[str]): GPUs, one for each; or none.
        keeps_plan (bool): Whether a plan that is there is gone by, although
            this machine may be another: the tasks of an array are to train
            runs of one length. Defaults to False.
    """

    def __init__(
        self,
        settings: Settings,
        work_dir: Path,
        jobs: int = 1,
        devices: Sequence[str] = (),
        keeps_plan: bool = False,
    ) -> None:
        settings.check()
        self.settings = settings
        self.work_dir = work_dir.resolve()
        self.jobs = jobs
        self.devices = devices
        self.keeps_plan = keeps_plan
        self._run_configs = RunConfigs(settings, self.work_dir)
        boxes = self._run_configs.learns_from_boxes
        self.candidates = [
            each._replace(learns_from_boxes=boxes(each))
            for each in parse_candidates(
                settings.candidates,
                {
                    name: str(path)
                    for name, path in settings.pretraining.items()
                },
            )
        ]
        self.pretrained = [c for c in self.candidates if c.config is not None]

    def plan(self) -> Plan:
        """Lay the runs out; none of them is started.

        Returns:
            Plan: The plan. The files that its runs read are written.

        Raises:
            UserError: If something is wrong with what was asked for, or a
                comparison of something else has begun in the folder.
        """
        settings = self.settings
        self.data = self._read_data()
        self.subsets = nested_subsets(self.data.train, settings.fractions)
        files = self._data_files()
        record = dict(settings=settings.as_json(), files=self._digests(files))
        # Before a file of what has begun is written over.
        former = self._former(record)
        configs = self._configs(_ANY_LENGTH, _ANY_LENGTH)
        weights, num_bytes = self._check_weights(configs)
        self._check_disk(num_bytes)
        for path, content in files.items():
            with atomic_write(path) as file:
                file.write(content)
        lay_out_by = partial(
            lay_out,
            self.work_dir,
            self.candidates,
            list(self.subsets),
            settings.seeds,
            weights=weights,
        )
        runs = lay_out_by(configs)
        timing = self._timing(configs, runs, former)
        seconds, lengths = timing['seconds'], timing['lengths']
        configs = self._configs(*lengths)
        runs = lay_out_by(configs)
        record |= timing
        record['configs'] = write_configs(self.work_dir, configs, former)
        write_record(self.work_dir, record)
        return Plan(
            settings,
            self.work_dir,
            self.candidates,
            self.data,
            self.subsets,
            runs,
            seconds,
            num_bytes,
        )

    def _read_data(self) -> Data:
        """The data, checked; some of it is for pre-training, if anything is.

        Raises:
            UserError: If not, or if the runs would write among the images.
        """
        settings = self.settings
        if self.work_dir.is_relative_to(settings.images.resolve()):
            raise UserValueError(
                f"--work-dir '{self.work_dir}' is below --images "
                f"'{settings.images}': pictures of the report would be taken "
                'for photographs. Choose another one'
            )
        data = read_data(
            settings.images,
            settings.train,
            settings.val,
            settings.train_images,
            settings.val_images,
            settings.leave_out_val,
        )
        takes_photographs = any(
            not each.learns_from_boxes for each in self.pretrained
        )
        if takes_photographs and not data.unlabelled:
            raise UserValueError(
                f"all photographs below '{settings.images}' are those of "
                f"'{settings.val}': nothing is left to pre-train on; name a "
                'folder with others: --images DIR'
            )
        return data

    def _former(self, record: Mapping) -> dict | None:
        """What the same comparison has found before, if it has.

        Raises:
            UserFileExistsError: If another one has begun.
            UserError: If it has to be there.
        """
        former = read_record(self.work_dir)
        if has_begun(self.work_dir):
            check_same(self.work_dir, record, former)
        is_same = former and all(former[k] == record[k] for k in record)
        if self.keeps_plan and not is_same:
            raise UserError(
                f'{self.work_dir}: there is no plan for this task, for its '
                'settings or data have changed since. Write the script anew: '
                '--slurm'
            )
        return former if is_same else None

    def _data_files(self) -> dict[Path, bytes]:
        """What the runs read, by where it goes."""
        names = ''.join(f'{name}\n' for name in self.data.unlabelled)
        labels = {'val.json': self.data.val} | {
            f'train_{fraction:g}.json': subset
            for fraction, subset in self.subsets.items()
        }
        contents = {
            'unlabelled.txt': names.encode(errors='surrogateescape')
        } | {
            name: json.dumps(each.content).encode()
            for name, each in labels.items()
        }
        return {
            data_file(self.work_dir, name): content
            for name, content in contents.items()
        }

    def _digests(self, files: Mapping[Path, bytes]) -> dict[str, str]:
        found = {path.name: digest(content) for path, content in files.items()}
        for candidate in self.candidates:
            if candidate.weights is not None:
                _, file = locate_weights(candidate)
                if '://' not in file:
                    found[file] = digest(Path(file))
        return found

    def _configs(self, pretraining: int, detector: int) -> Configs:
        """All configs, for runs of so many iterations."""
        return self._run_configs.build(
            self.candidates, self.data, self.subsets, pretraining, detector
        )

    def _check_weights(self, configs: Configs) -> tuple[dict[str, str], int]:
        """Where the named weights are, and what all takes on the disk."""
        cfg, _ = configs[self.settings.fractions[0]]
        detector = Detector(cfg)
        runs = len(self.candidates) * len(self.subsets) * self.settings.seeds
        num_bytes = (runs + min(self.jobs, runs)) * detector.num_bytes
        weights = {}
        for candidate in self.candidates:
            if candidate.config is not None:
                name = pretraining_name(candidate, next(iter(self.subsets)))
                cfg, _ = configs[name]
                each = detector.check_pretraining(cfg, candidate.name)
                shares = num_pretrainings(candidate, len(self.subsets))
                runs = self.settings.seeds * shares
                # The backbone beside it; an old one goes after the new one.
                num_bytes += (2 * runs + min(self.jobs, runs)) * each
            elif candidate.weights is not None:
                weights[candidate.name] = detector.find_weights(
                    candidate, self.work_dir / 'imported'
                )
        return weights, num_bytes

    def _check_disk(self, num_bytes: int) -> None:
        self.work_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.work_dir).free
        if num_bytes > free and not has_begun(self.work_dir):
            raise UserError(
                f'{self.work_dir}: the runs take '
                f'{num_bytes / GIGABYTE:.2f} GB on the disk, and '
                f'{free / GIGABYTE:.2f} GB are free. Free some, choose '
                'another --work-dir, or fewer --fractions, --seeds or '
                '--candidates'
            )

    def _timing(
        self, configs: Configs, runs: Sequence[Run], former: Mapping | None
    ) -> dict[str, Any]:
        """Seconds of an iteration and lengths of the runs, as found before."""
        is_kept = self.keeps_plan or has_begun(self.work_dir)
        if former and (is_kept or self._is_timed(former)):
            seconds = {k: Seconds(*v) for k, v in former['seconds'].items()}
            machine, lengths = former.get('machine'), former['lengths']
        else:
            seconds, machine = self._seconds(configs), self._machine
            lengths = self.settings.iterations or lengths_within(
                self.settings.hours,
                self.jobs,
                runs,
                seconds,
                longest_epoch(configs),
            )
        return dict(machine=machine, seconds=seconds, lengths=lengths)

    @property
    def _machine(self) -> dict[str, int]:
        """By what the time of the same runs differs."""
        return dict(
            jobs=self.jobs,
            devices=len(self.devices),
            cores=len(os.sched_getaffinity(0)),
        )

    def _is_timed(self, former: Mapping) -> bool:
        """Whether what was measured for a plan holds for this one, too."""
        if former.get('machine') != self._machine:
            return False
        configs = self._configs(*former['lengths'])
        return digests_of(self.work_dir, configs) == former['configs']

    def _seconds(self, configs: Configs) -> dict[str, Seconds]:
        """What an iteration takes of each way of pre-training and detector."""
        if self.settings.seconds is not None:
            pretraining, detector = self.settings.seconds
            found = {c.name: Seconds(pretraining) for c in self.pretrained}
            return found | dict(detector=Seconds(detector))
        largest = max(self.subsets)
        tried = {
            each.name: configs[pretraining_name(each, largest)]
            for each in self.pretrained
        }
        tried['detector'] = configs[largest]
        print('Measuring what an iteration takes ...', flush=True)
        return measure(
            tried,
            self.data.val.num_images,
            self.settings.evaluations,
            self.work_dir / 'trial',
            self.jobs,
            self.devices,
        )
