import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The set-up's modules, which are no package, and what these tests share.
# Last, so as to hide nothing.
sys.path += [str(HERE.parents[1] / 'tools' / 'setup'), str(HERE)]
