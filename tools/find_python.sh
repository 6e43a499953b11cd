# Sets PYTHON, for the tools that start others; sourced by them.
# It is what PYTHON names; else that of the environment that is active, of
# which conda's base is none; else that of the one that `make` sets up.

if [ -z "$PYTHON" ]; then
    PYTHON=python
    if [ -z "$VIRTUAL_ENV" ] && [ "${CONDA_DEFAULT_ENV:-base}" = base ] &&
        [ -x "$ROOT/.venv/bin/python" ]; then
        PYTHON=$ROOT/.venv/bin/python
    fi
fi
