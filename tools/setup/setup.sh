#!/bin/sh
# Finds a Python that can run the set-up and hands over to it. `PYTHON=...`
# names one; otherwise the first that suits is taken.
here=$(dirname "$0")
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.12 python3.11 python3.10 python
fi
found=
for candidate in "$@"; do
    reason=$("$candidate" "$here/suitable.py" 2>&1)
    case $? in
        0) exec "$candidate" "$here" ;;
        3) found="$found
  $candidate: $reason" ;;
        *) [ -z "${PYTHON:-}" ] || found="
  $candidate: does not run" ;;
    esac
done
echo "No suitable Python: 3.10, 3.11 or 3.12 is needed." \
    "Install one, or name one with PYTHON=/path/to/python." \
    "Found: ${found:-none}" >&2
exit 1
