"""Packaging: ranges for what is needed, and the ``.mim`` folder.

OpenMMLab looks up ``package::config`` in ``.mim`` inside the installed
package. A wheel gets copies there, an editable install gets links.
"""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
MIM = ('configs', 'tools', 'model-index.yml')
# What serves a checkout alone.
LEFT_OUT = shutil.ignore_patterns(
    '__pycache__',
    '*.py[cod]',
    'setup',
    'benchmark_mmcv_build.py',  # it uses the set-up
    'mmcv_operators.py',
    'try_versions.py',
)


def version() -> str:
    """Read the version without importing the package."""
    scope: dict[str, str] = {}
    exec((HERE / 'mmselfemd' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithMim(build_py):
    """Builds the package and, beside its modules, its ``.mim`` folder."""

    def run(self) -> None:
        """Build; copy into a wheel, link for an editable install."""
        super().run()
        if self.editable_mode:
            self.link_mim(HERE / 'mmselfemd' / '.mim')
        else:
            self.copy_mim(self.mim_built)

    @property
    def mim_built(self) -> Path:
        """Where a wheel's ``.mim`` is put together."""
        return Path(self.build_lib) / 'mmselfemd' / '.mim'

    @staticmethod
    def link_mim(target: Path) -> None:
        """Make ``target`` a folder of links into the checkout."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name in MIM:
            (target / name).symlink_to(Path('..', '..', name))

    @staticmethod
    def copy_mim(target: Path) -> None:
        """Make ``target`` a folder of copies."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM:
            source = HERE / name
            if source.is_dir():
                shutil.copytree(source, target / name, ignore=LEFT_OUT)
            else:
                shutil.copy2(source, target / name)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """List the built files, those in ``.mim`` included."""
        outputs = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        built = (path for path in self.mim_built.rglob('*') if path.is_file())
        return outputs + [os.fspath(path) for path in built]


# One of these two, not both: they own the same files (mmselfemd/stack.py says
# so at import). Neither has mmcv, which is compiled against the torch that is
# there: pip would build it where it sees none, without its operators.
STACKS = {
    'openmmlab': [
        'mmdet>=3.3,<3.4',  # with our configs, and mmcv before 2.2
        # Hooks and checkpoints lean on its order of calls.
        'mmengine>=0.10.4,<0.11',
        'mmpretrain>=1.2,<1.3',
        'numpy<2',  # mmcv 2.1's adjust_hue overflows on numpy 2
        'setuptools<82',  # mmengine imports pkg_resources, gone in 82
        'torch<2.14',  # its mmcv is C++17, and 2.14 needs C++20
    ],
    # What was tried is the oldest of each; the order of calls is the same.
    'onedl': [
        'onedl-mmdetection>=3.5.1,<3.6',
        'onedl-mmengine>=0.10.12,<0.11',
        'onedl-mmpretrain>=1.3.6,<1.4',
        'torch<2.14',  # its mmcv is C++17, and 2.14 needs C++20
    ],
}
EXTRAS = {
    'analysis': ['geomloss>=0.3', 'pot>=0.9'],
    # Images of more than 8 bits or three bands, HEIC, AVIF, JPEG XL.
    'images': [
        'imagecodecs>=2024.6.1',
        'pillow>=11.3',
        'pillow-heif>=0.18',
        'tifffile>=2024.5.22',
    ],
    'docs': [
        f'{package}; python_version >= "3.11"'  # as Sphinx 8.2 asks
        for package in ('furo', 'myst-parser>=4', 'sphinx>=8.2')
    ],
    'lmdb': ['lmdb'],
    # Where a run is logged to, by --loggers.
    'loggers': ['mlflow>=2.11', 'tensorboard', 'wandb'],
    'safetensors': ['safetensors'],
    'tests': [
        'geomloss>=0.3',
        'lmdb',
        'modelindex',
        'pot>=0.9',
        'pytest>=7',
        'pytest-timeout',
        'pytest-xdist',
        'safetensors',
        'timm',
    ],
}
# All but a stack, which is there already or a choice.
EXTRAS['all'] = sorted({item for items in EXTRAS.values() for item in items})

setup(
    name='mmselfemd',
    version=version(),
    description='Self-EMD pre-training of detection backbones for OpenMMLab',
    long_description='Self-EMD (arXiv 2011.13677) for MMEngine, '
    'MMPretrain and MMDetection.',
    license='Apache-2.0',
    packages=find_packages(include=['mmselfemd', 'mmselfemd.*']),
    package_data={'mmselfemd.results': ['paper_tables.yml']},
    python_requires='>=3.10',
    install_requires=[
        'filelock',
        'matplotlib',
        'numpy',
        'pillow',
        'pycocotools',
        'torch>=2.6',
        'torchvision',
    ],
    extras_require=EXTRAS | STACKS,
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
