"""The site: the pages of this project as they are, and its reference.

``make site`` builds it. The pages are read where they lie, so that their
links lead to the same places here and in the repository.
"""

import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from mmselfemd.version import __version__  # noqa: E402

project = 'mmselfemd'
author = 'the mmselfemd authors'
copyright = f'2026, {author}'
release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.apidoc',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
]
root_doc = 'README'
include_patterns = [
    '*.md',
    'docs/**',
    'configs/**/README.md',
    'configs/*/weights/*.md',  # cards of models
    'findings/README.md',
]

#: What the side bar shows, beneath the README.
PAGES = {
    'Start': [
        'docs/start',
        'docs/two_commands',
        'docs/choosing_settings',
        'docs/input',
        'docs/own_boxes',
        'docs/backbones',
    ],
    'Train': [
        'configs/selfemd/README',
        'configs/known_pairs/README',
        'configs/byol/README',
        'configs/mocov2/README',
        'configs/simclr/README',
        'configs/montage/README',
        'docs/montage',
        'docs/monitors',
        'docs/loggers',
        'docs/pictures',
        'docs/long_runs',
        'docs/resume',
        'docs/step',
        'docs/inherit',
    ],
    'Fine-tune': [
        'configs/detection/README',
        'docs/protocol',
        'docs/weights',
        'docs/results_table',
    ],
    'Does it help?': [
        'docs/did_it_help',
        'docs/did_it_help_person',
        'docs/when_not',
        'docs/small_experiments',
        'docs/reading_boxes',
        'docs/measured',
        'configs/small/README',
        'configs/small/weights/selfemd_r18-w16_scenes_6e',
    ],
    'Method': ['docs/method', 'docs/transport'],
    'Reference': [
        'docs/troubleshooting',
        'docs/api/modules',
        'docs/dependencies',
        'findings/README',
        'CONTRIBUTING',
        'CHANGELOG',
    ],
}

myst_heading_anchors = 3
# Each class once, where it is, and not where it is imported to. Packages do
# not heed automodule_options of apidoc_modules in Sphinx 9.0.
os.environ['SPHINX_APIDOC_OPTIONS'] = 'members,ignore-module-all'
apidoc_modules = [
    dict(
        path='../mmselfemd',
        destination='docs/api',
        include_private=False,
        max_depth=2,
        module_first=True,
        separate_modules=False,
    )
]
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are in the docstring of the class
suppress_warnings = [
    'myst.header',
    'ref.python',  # two rooms have a class of the same short name
]

html_theme = 'furo'
html_title = f'{project} {release}'
html_copy_source = False


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the side bar's pages below the README, which shows none itself."""
    if name != root_doc:
        return
    for caption, pages in PAGES.items():
        source[0] += '\n\n'.join(
            [
                '',
                '\n'.join(
                    [
                        '```{toctree}',
                        ':hidden:',
                        f':caption: {caption}',
                        '',
                        *pages,
                        '```',
                    ]
                ),
                '',
            ]
        )


def add_index(app: Sphinx, error: Exception | None) -> None:
    """Let the folder itself open at the README."""
    out = Path(app.outdir)
    if error is None and app.builder.name == 'html':
        shutil.copy(out / f'{root_doc}.html', out / 'index.html')


def setup(app: Sphinx) -> None:
    """Connect the two."""
    app.connect('source-read', add_contents)
    app.connect('build-finished', add_index)
