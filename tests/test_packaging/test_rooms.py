"""Who imports whom: as CONTRIBUTING's table of rooms has it, no more."""

import ast
import re


def test_rooms_import_what_the_table_says(root):
    package = root / 'mmselfemd'
    table = dict(
        re.findall(
            r'^\| `mmselfemd/(\S+)` \|.*\| ([^|]+) \|$',
            (root / 'CONTRIBUTING.md').read_text(),
            re.M,
        )
    )
    rooms = {path.parent.name for path in package.glob('*/__init__.py')}
    assert table.keys() == {f'{room}/' for room in rooms} | {'*.py'}
    for row, cell in table.items():
        files = package.glob(row + '**/*.py' * row.endswith('/'))
        found = set().union(*(_rooms_of(file, package) for file in files))
        found = (found & rooms) - {row.rstrip('/')}
        assert found == set(re.findall(r'`(\w+)`', cell)), row


def _rooms_of(file, package):
    """The first names below the package that a file imports."""
    place = (package.name, *file.relative_to(package).parts)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            outer = '.'.join(place[: -node.level] if node.level else ())
            module = '.'.join(filter(None, (outer, node.module)))
            names = [f'{module}.{alias.name}' for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split('.')
            if first == package.name and rest:
                yield rest[0]
