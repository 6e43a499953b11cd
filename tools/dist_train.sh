#!/usr/bin/env bash
# Trains with several GPUs (or, on a host without one, several processes).
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT, PYTHON.

if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [OPTIONS OF tools/train.py]" >&2
    exit 2
fi
exec "$(dirname "$0")/dist_run.sh" train.py "$2" "$1" "${@:3}"
