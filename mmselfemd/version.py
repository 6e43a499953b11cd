"""The version of mmselfemd, read by ``setup.py`` and by ``mmselfemd``."""

__version__ = '0.1.0'
