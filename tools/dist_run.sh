#!/usr/bin/env bash
# Runs one of the tools in several processes; dist_train.sh and dist_test.sh
# call it: dist_run.sh TOOL PROCESSES [ARGUMENTS OF THE TOOL]

TOOL=$1
GPUS=$2
TOOLS_DIR=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$TOOLS_DIR")
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
PORT=${PORT:-29500}
MASTER_ADDR=${MASTER_ADDR:-127.0.0.1}

# The environment that `make` sets up, unless PYTHON names another one.
if [ -z "$PYTHON" ]; then
    PYTHON=python
    [ -x "$ROOT/.venv/bin/python" ] && PYTHON=$ROOT/.venv/bin/python
fi

if ! [[ $GPUS =~ ^[1-9][0-9]*$ ]]; then
    echo "error: the number of GPUs has to be a whole number, got '$GPUS'" >&2
    exit 2
fi
FOUND=$("$PYTHON" -c 'import torch; print(torch.cuda.device_count())') || {
    echo "error: '$PYTHON' cannot import torch; run make, or set PYTHON" >&2
    exit 2
}
if [ "$FOUND" -eq 0 ]; then
    echo "No GPU on this host: $GPUS processes on the CPU, by gloo." >&2
elif [ "$FOUND" -lt "$GPUS" ]; then
    echo "error: $GPUS GPUs asked for, $FOUND found on this host" >&2
    exit 2
fi

# The launcher's own report comes last; repeat the reason after it.
MMSELFEMD_ERROR_FILE=$(mktemp)
export MMSELFEMD_ERROR_FILE
trap 'rm -f "$MMSELFEMD_ERROR_FILE"' EXIT

PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" \
"$PYTHON" -m torch.distributed.run \
    --nnodes="$NNODES" \
    --node_rank="$NODE_RANK" \
    --master_addr="$MASTER_ADDR" \
    --nproc_per_node="$GPUS" \
    --master_port="$PORT" \
    "$TOOLS_DIR/$TOOL" "${@:3}" --launcher pytorch
STATUS=$?
cat "$MMSELFEMD_ERROR_FILE" >&2
exit $STATUS
