# Each stressor with --verify, given as name:operations or name:operations:bytes: its exit code, and how many operations were counted
# (the bogo-op limits are exact for one instance).
for spec in "$@"; do
  name=${spec%%:*}; rest=${spec#*:}; ops=${rest%%:*}; bytes=${rest#"$ops"}; bytes=${bytes#:}; rm -f metrics
  stress-ng --temp-path /tmp --no-rand-seed --verify --metrics --yaml metrics -t 120 "--$name" 1 "--$name-ops" "$ops" ${bytes:+"--$name-bytes" "$bytes"} > log 2>&1
  status=$?
  done_ops=$(sed -n 's/^ *bogo-ops: \([0-9]*\)$/\1/p' metrics 2>/dev/null | head -1)
  [ "${done_ops:-0}" -ge "$ops" ] && enough=yes || enough="no: ${done_ops:-none}"
  echo "$name: status $status, all operations: $enough, complaints: $(grep -cE 'fail:|error:|SIGSEGV|SIGBUS|SIGILL' log)"
  [ $status = 0 ] || grep -E 'fail:|error:|SIG|rc=' log | sed 's/\[[0-9]*\]//g' >&2
done
