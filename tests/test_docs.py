"""What the documentation names is there."""

import ast
import importlib.util
import os
import re
import shlex
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from mmselfemd.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in ('*.md', 'docs/*.md', 'findings/*.md', 'configs/**/*.md')
    for path in ROOT.glob(pattern)
)


def commands(text):
    """Lines of the shell blocks, continued lines joined."""
    for block in re.findall(r'```(?:bash|shell)\n(.*?)```', text, re.S):
        yield from block.replace('\\\n', ' ').splitlines()


def tokens_of(page):
    """What a page is made of, line by line; code is no link there."""
    return MarkdownIt().enable('table').parse(page.read_text())


def links_of(page):
    """Addresses of links and pictures."""
    for token in tokens_of(page):
        for part in token.children or ():
            yield part.attrs.get('href') or part.attrs.get('src')


def anchors_of(page):
    """What `#...` may name: the headings, as GitHub and the site call them."""
    seen = Counter()
    for opening, token in pairwise(tokens_of(page)):
        # The site has anchors for these alone: myst_heading_anchors.
        if opening.type == 'heading_open' and opening.tag < 'h4':
            words = ''.join(part.content for part in token.children)
            name = re.sub(r'[^\w\- ]', '', words.lower()).replace(' ', '-')
            yield f'{name}-{seen[name]}' if seen[name] else name
            seen[name] += 1


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in filter(None, links_of(page)):
        path, _, anchor = link.partition('#')
        if ':' in path:  # of a scheme: another site
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def test_a_link_into_nothing_is_found(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# `A` page, *of* [one](x)\n\n# A page of one\n')
    assert [*anchors_of(page)] == ['a-page-of-one', 'a-page-of-one-1']
    page.write_text('See [this](#nowhere)\n\n```\n[not this](gone.md)\n```\n')
    with pytest.raises(AssertionError, match='#nowhere'):
        test_links_lead_somewhere(page)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_python_is_python(page):
    for token in tokens_of(page):
        if token.type == 'fence' and token.info.strip() == 'python':
            compile(token.content, f'{page.name}:{token.map[0] + 2}', 'exec')


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_commands_name_files_and_targets_that_exist(page):
    targets = re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.M)
    for command in commands(page.read_text()):
        for path in re.findall(r'\b(?:tools|configs)/[\w./-]+', command):
            assert (ROOT / path).exists(), command
        for target in re.findall(r'\bmake ([a-z-]+)', command):
            assert target in targets, command


def test_options_in_the_readme_are_those_of_the_tools():
    tools = {
        name: (ROOT / 'tools' / f'{name}.py').read_text()
        + (ROOT / 'mmselfemd' / 'engine' / 'command_line.py').read_text()
        for name in ('train', 'test')
    }
    for command in commands((ROOT / 'README.md').read_text()):
        tool = re.search(r'tools/(?:dist_)?(train|test)\.', command)
        for option in re.findall(r'(--[a-z-]+)', command):
            if tool:
                assert f"'{option}'" in tools[tool.group(1)], command


def tool_commands():
    """Every documented command that runs a tool: its page and its words."""
    for page in PAGES:
        for command in commands(page.read_text()):
            if re.match(r'([A-Z_]+=\S+ )*(python )?tools/', command):
                words = shlex.split(command, comments=True)
                setting = re.compile('[A-Z_]+=.*')
                yield (
                    page.stem,
                    [word for word in words if not setting.fullmatch(word)],
                )


@pytest.mark.parametrize(
    'words',
    [
        pytest.param(words[1:], id=f'{page}-{words[1]}')
        for page, words in tool_commands()
        if words[0] == 'python'
    ],
)
def test_a_documented_command_is_what_its_tool_reads(words, monkeypatch):
    tool, *arguments = words
    # As Python does for what it runs by name.
    monkeypatch.syspath_prepend(str((ROOT / tool).parent))
    spec = importlib.util.spec_from_file_location('tool', ROOT / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr('sys.argv', [tool, *arguments])
    args = module.parse_args()
    config = getattr(args, 'config', None)
    # CONFIG stands for one that the reader has; beside a run is one that
    # tools/finetune.py has written.
    if config not in (None, 'CONFIG', 'work_dirs/finetune_photos.py'):
        assert (ROOT / config).is_file()


def test_what_is_run_by_its_name_is_executable():
    for _, words in tool_commands():
        if words[0] != 'python':
            assert os.access(ROOT / words[0], os.X_OK), words


def side_bar():
    """The pages that docs/conf.py names."""
    tree = ast.parse((ROOT / 'docs' / 'conf.py').read_text())
    (pages,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == 'PAGES'
    )
    return [page for group in pages.values() for page in group]


def test_every_page_has_one_place_in_the_side_bar():
    pages = {p.relative_to(ROOT).with_suffix('').as_posix() for p in PAGES}
    named = side_bar()
    assert len(set(named)) == len(named)
    assert {*named, 'README'} == pages | {'docs/api/modules'}


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == __version__
    title = citation['preferred-citation']['title']
    assert title in (ROOT / 'README.md').read_text()
