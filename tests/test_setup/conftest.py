import sys
from pathlib import Path

# The set-up's modules, which are no package. Last, so as to hide nothing.
sys.path.append(str(Path(__file__).resolve().parents[2] / 'tools' / 'setup'))
