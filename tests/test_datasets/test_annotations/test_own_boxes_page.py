"""docs/own_boxes.md has the kinds of fault as the check has them."""

import re

from mmselfemd.datasets.annotations import KINDS, MENDED, SAID, STOP


def test_the_tables_are_those_of_the_check(root):
    page = (root / 'docs' / 'own_boxes.md').read_text()
    for title, level in (
        ('Stops', STOP),
        ('Mended in memory', MENDED),
        ('Said', SAID),
    ):
        section = page.split(f'### {title}\n')[1].split('\n#')[0]
        rows = re.findall(r'^\| `([\w-]+)` \| (.+) \| (.+) \|$', section, re.M)
        assert rows == [
            (kind.name, kind.what, kind.advice)
            for kind in KINDS.values()
            if kind.level == level
        ]


def test_exported_files_are_said_to_be_where_they_are(root):
    page = (root / 'docs' / 'own_boxes.md').read_text()
    assert 'tests/exported_annotations' in page
    assert (root / 'tests/exported_annotations/README.md').is_file()
