#!/usr/bin/env bash
# The Hopper backends under compute-sanitizer: accesses to memory, races in shared memory, memory that nothing wrote, and
# barriers. Small shapes, the backends side by side: some minutes.
#   sanitize.sh FOLDER_OF_CHECKS FOLDER_OF_PLUGINS     exit 0: clean, 77: no compute-sanitizer or no GPU, 1: see the table
# SANITIZE_TOOLS: which tools; SANITIZE_LIMIT: seconds after which one is stopped, which is no pass.
set -uo pipefail
checks=$1 plugins=$2
tools=${SANITIZE_TOOLS:-memcheck racecheck initcheck synccheck}
limit=${SANITIZE_LIMIT:-100}
backends="FLASH_ATTN SAGE_ATTN SLIDING_TILE_ATTN SPARSE_ATTN"
sage=granularity=thread,smooth_k=true,full_precision_layers=,full_precision_steps=,qk=int8

# check BACKEND COMMAND...: the backend's check, run by the command.
check() {
  local backend=$1
  shift
  case $backend in
    FLASH_ATTN) "$@" "$checks/attention_device_check" "$plugins/flash_attn/libflash_attn_sm90.so" --few \
      tile=auto tile=192x80x2 tile=128x176x2 ;;
    SAGE_ATTN) "$@" "$checks/attention_device_check" "$plugins/sage_attn/libsage_attn_sm90.so" --few --errors 0.08 0.1 \
      "pv=fp8,smooth_q=false,$sage" "pv=bf16,smooth_q=false,$sage" "pv=fp8,smooth_q=true,$sage" ;;
    SLIDING_TILE_ATTN) "$@" "$checks/sliding_tile_device_check" \
      "$plugins/sliding_tile_attn/libsliding_tile_attn_sm90.so" few ;;
    SPARSE_ATTN) "$@" "$checks/sparse_device_check" "$plugins/sparse_attn/libsparse_attn_sm90.so" few ;;
  esac
}

sanitizer=${COMPUTE_SANITIZER:-$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)}
[ -x "$sanitizer" ] || { echo "skipped: no compute-sanitizer in PATH or /usr/local/cuda/bin"; exit 77; }
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# one TOOL BACKEND: runs it and leaves its output and a line of the table.
one() {
  local tool=$1 backend=$2 start=$SECONDS run=()
  [ "$tool" = plain ] || run=("$sanitizer" --tool "$tool" --error-exitcode 3 --print-limit 10)
  check "$backend" timeout "$limit" "${run[@]}" >"$logs/$tool.$backend" 2>&1
  local code=$? said
  case $code in
    0) said=clean ;;
    124) said="stopped after $limit s" ;;
    *) said="FAILED, exit code $code" ;;
  esac
  printf '%-10s %-18s %-24s %4d s\n' "$tool" "$backend" "$said" $((SECONDS - start)) >"$logs/line.$tool.$backend"
  return $code
}

check FLASH_ATTN >"$logs/first" 2>&1
code=$?
[ $code -ne 77 ] || { cat "$logs/first"; exit 77; }
failed=0
for tool in plain $tools; do
  pids=()
  for backend in $backends; do
    one "$tool" "$backend" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  for backend in $backends; do
    grep -q clean "$logs/line.$tool.$backend" || { echo "== $tool $backend"; head -n 40 "$logs/$tool.$backend"; }
  done
done
echo
for tool in plain $tools; do
  for backend in $backends; do cat "$logs/line.$tool.$backend"; done
done
exit $failed
