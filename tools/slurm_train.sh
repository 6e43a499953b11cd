#!/usr/bin/env bash
# Trains on a slurm cluster, on several nodes if GPUS is above GPUS_PER_NODE.
# Environment: GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS, PYTHON, and
#   REQUEUE=1     submit a batch job (SBATCH_ARGS) that, when it is pre-empted
#                 or at the end of its time, saves a checkpoint, queues again
#                 and resumes
#   GRACE=120     how many seconds before the end of the time it begins to

if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [WORK_DIR]" \
        "[OPTIONS OF tools/train.py]" >&2
    exit 2
fi
TOOLS_DIR=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$TOOLS_DIR")
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
if ! [[ $GPUS =~ ^[1-9][0-9]*$ && $GPUS_PER_NODE =~ ^[1-9][0-9]*$ ]]; then
    echo "error: GPUS and GPUS_PER_NODE have to be whole numbers," \
        "got '$GPUS' and '$GPUS_PER_NODE'" >&2
    exit 2
fi
if [ "$GPUS" -lt "$GPUS_PER_NODE" ]; then
    GPUS_PER_NODE=$GPUS
elif [ $((GPUS % GPUS_PER_NODE)) -ne 0 ]; then
    echo "error: GPUS=$GPUS is no multiple of GPUS_PER_NODE=$GPUS_PER_NODE" >&2
    exit 2
fi
RESOURCES=(
    -p "$1"
    --job-name="$2"
    --gres="gpu:$GPUS_PER_NODE"
    --ntasks="$GPUS"
    --ntasks-per-node="$GPUS_PER_NODE"
    --cpus-per-task="${CPUS_PER_TASK:-5}"
)

if [ -n "$REQUEUE" ] && [ -z "$SLURM_JOB_ID" ]; then
    # Itself, in the job. SBATCH_ARGS holds several words on purpose.
    # shellcheck disable=SC2086
    exec sbatch "${RESOURCES[@]}" --requeue --open-mode=append \
        --signal="USR1@${GRACE:-120}" ${SBATCH_ARGS:-} \
        --wrap="exec $(printf '%q ' "$TOOLS_DIR/slurm_train.sh" "$@")"
fi

CONFIG=$3
shift 3
TRAIN_ARGS=("$CONFIG")
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
    TRAIN_ARGS+=(--work-dir "$1")
    shift
fi
TRAIN_ARGS+=("$@")
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && [[ " $* " != *" --resume"* ]]; then
    TRAIN_ARGS+=(--resume)
fi

# shellcheck source=tools/find_python.sh
source "$TOOLS_DIR/find_python.sh"

export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
# SRUN_ARGS holds several words on purpose.
# shellcheck disable=SC2206
COMMAND=(
    srun "${RESOURCES[@]}"
    --kill-on-bad-exit=1
    ${SRUN_ARGS:-}
    "$PYTHON" -u "$TOOLS_DIR/train.py" "${TRAIN_ARGS[@]}" --launcher slurm
)
[ -n "$REQUEUE" ] || exec "${COMMAND[@]}"
"${COMMAND[@]}"
STATUS=$?
# 128 + SIGTERM, 128 + SIGUSR1: the run was told to end, and saved. A job that
# its user cancels does not come here: the signal ends this script, too.
if [ $STATUS -eq 143 ] || [ $STATUS -eq 138 ]; then
    echo "Status $STATUS: job $SLURM_JOB_ID queues again and resumes." >&2
    scontrol requeue "$SLURM_JOB_ID" ||
        echo "error: it could not be queued again; submit it anew" >&2
fi
exit $STATUS
