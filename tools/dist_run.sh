#!/usr/bin/env bash
# Runs one of the tools in several processes; dist_train.sh and dist_test.sh
# call it: dist_run.sh TOOL PROCESSES [ARGUMENTS OF THE TOOL]
# A signal (SIGTERM, SIGUSR1) is handed on to the processes; if they end their
# run for it, its status is theirs: 128 + the signal's number.

TOOL=$1
GPUS=$2
TOOLS_DIR=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$TOOLS_DIR")
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
PORT=${PORT:-29500}

# shellcheck source=tools/find_python.sh
source "$TOOLS_DIR/find_python.sh"

if ! [[ $GPUS =~ ^[1-9][0-9]*$ ]]; then
    echo "error: the number of GPUs has to be a whole number, got '$GPUS'" >&2
    exit 2
fi
if ! [[ $NNODES =~ ^[1-9][0-9]*$ && $NODE_RANK =~ ^[0-9]+$ ]] ||
    [ "$NODE_RANK" -ge "$NNODES" ]; then
    echo "error: NODE_RANK has to be a number from 0 to NNODES - 1," \
        "got NODE_RANK='$NODE_RANK' and NNODES='$NNODES'" >&2
    exit 2
fi
if [ "$NNODES" -gt 1 ] && [ -z "$MASTER_ADDR" ]; then
    echo "error: NNODES=$NNODES needs MASTER_ADDR, the address of the node" \
        "with NODE_RANK=0, the same on every node" >&2
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

# What the processes leave: the reason of an error, which is repeated after
# the launcher's own report, and the status of a run that a signal ended.
LEFT=$(mktemp -d)
export MMSELFEMD_ERROR_FILE=$LEFT/error MMSELFEMD_STATUS_FILE=$LEFT/status
trap 'rm -rf "$LEFT"' EXIT

# In the background, since a shell handles no signal while it waits for a
# program in front; -m keeps SIGINT alive there.
set -m
PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" \
"$PYTHON" -m torch.distributed.run \
    --nnodes="$NNODES" \
    --node_rank="$NODE_RANK" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --nproc_per_node="$GPUS" \
    --master_port="$PORT" \
    "$TOOLS_DIR/$TOOL" "${@:3}" --launcher pytorch &
LAUNCHER=$!
# To the processes themselves: the launcher would kill them 30 seconds after
# a signal of its own, and would signal their data loaders, too.
hand_on() {
    pkill "-$1" -P "$LAUNCHER" 2>/dev/null || kill "-$1" "$LAUNCHER"
}
for NAME in TERM USR1; do
    # shellcheck disable=SC2064
    trap "hand_on $NAME" "$NAME"
done
trap 'kill -INT "$LAUNCHER"' INT
trap 'kill -HUP "$LAUNCHER"' HUP
while kill -0 "$LAUNCHER" 2>/dev/null; do
    wait "$LAUNCHER" # a signal ends the wait, not the launcher
done
wait "$LAUNCHER"
STATUS=$?
[ -s "$MMSELFEMD_ERROR_FILE" ] && cat "$MMSELFEMD_ERROR_FILE" >&2
[ -s "$MMSELFEMD_STATUS_FILE" ] && STATUS=$(cat "$MMSELFEMD_STATUS_FILE")
exit "$STATUS"
