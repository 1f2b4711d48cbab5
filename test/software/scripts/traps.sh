trap 'echo "got USR1"' USR1
trap 'echo "got TERM"' TERM
kill -USR1 $$; echo after USR1
kill -TERM $$; echo after TERM
trap '' INT; kill -INT $$; echo INT ignored
(trap - INT; kill -INT $(sh -c 'echo $PPID') ; echo not reached)
echo "subshell: $?"
trap 'echo "got ALRM while waiting"' ALRM
self=$$
(sleep 0.2; kill -ALRM $self) &
helper=$!
sleep 5 & long=$!
wait $long; echo "wait interrupted: $?"
kill $long; wait $long; echo "sleeper: $?"
wait $helper
trap - USR1
sh -c 'trap "echo inner exit" EXIT; exit 4'; echo "inner: $?"
sh -c 'kill -USR1 $$; echo not reached'; echo "default action: $?"
sh -c 'kill -SEGV $$'; echo "segv: $?"
sh -c 'trap "echo from handler; exit 9" HUP; kill -HUP $$; echo not reached'; echo "exit in handler: $?"
trap 'echo "exit trap: $?"' EXIT
exit 6
