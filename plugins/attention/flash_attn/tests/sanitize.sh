#!/usr/bin/env bash
# A Hopper backend under compute-sanitizer: memory accesses, races in shared memory, memory that was never written.
#   sanitize.sh DEVICE_CHECK LIBRARY [ARGUMENT...]     exit 0: clean, 77: no compute-sanitizer or no GPU, else what it found
set -uo pipefail
sanitizer=${COMPUTE_SANITIZER:-$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)}
[ -x "$sanitizer" ] || { echo "skipped: no compute-sanitizer in PATH or /usr/local/cuda/bin"; exit 77; }
"$@"
code=$?
[ $code -eq 0 ] || exit $code
failed=0
for tool in memcheck racecheck initcheck synccheck; do
  echo "== $tool"
  "$sanitizer" --tool "$tool" --error-exitcode 3 --print-limit 10 "$@" || failed=$?
done
exit $failed
