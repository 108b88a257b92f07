#!/bin/bash
# Names in eight parts, each by a task of an array that goes on after a time limit, a preemption or a lost node:
#
#   job=$(sbatch --parsable configs/slurm/array.sh)
#   sbatch --dependency="afterok:$job" --wrap="evoselfcode merge data/generated/names"
#
# Which part a task is, and of how many, Slurm says itself. What stands behind the script's name goes to the command.
#SBATCH --job-name=evoselfcode-names
#SBATCH --array=0-7
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --output=names-%A_%a.log

echo "task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT, start ${SLURM_RESTART_COUNT:-0} on $(hostname)"

# The warning reaches this shell, two minutes before the time limit: it is handed on.
trap 'told=yes; kill -USR1 $!' USR1
trap 'told=yes; kill -TERM $!' TERM INT
evoselfcode datagen-names --config configs/vllm.yaml --set output.grace=110 "$@" &
child=$!
told=yes
while [ $told ]; do # a wait that a signal ended is begun again, and has the program's own code
  told=
  wait $child
  code=$?
done

if [ $code -eq 75 ]; then # told to stop while rows remain
  echo "task $SLURM_ARRAY_TASK_ID goes on later"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
