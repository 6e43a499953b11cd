#!/usr/bin/env bash
# Evaluates with several GPUs (or, on a host without one, several processes).
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON.

if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [OPTIONS OF tools/test.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/dist_run.sh" test.py "$3" "$1" "$2" "${@:4}"
