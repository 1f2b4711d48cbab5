# Background jobs: order is what wait makes of it.
(exit 3) & one=$!
(sleep 0.2; exit 5) & two=$!
wait $one; echo "one: $?"
wait $two; echo "two: $?"
for i in 1 2 3 4 5; do (echo "worker $i" > "out.$i") & done
wait
cat out.1 out.2 out.3 out.4 out.5
sleep 100 & victim=$!
kill $victim; wait $victim; echo "killed: $?"
sleep 100 & victim=$!
kill -9 $victim; wait $victim; echo "killed hard: $?"
sleep 100 & victim=$!
kill -STOP $victim; kill -CONT $victim; kill -HUP $victim; wait $victim; echo "stopped, continued, hung up: $?"
wait 999999; echo "no such child: $?"
seq 1 8000 | sed 's/^/x/' | wc -c &
wait; echo "all done: $?"
( (sleep 0.3; echo grandchild > late) & )
i=0; while [ ! -s late ]; do sleep 0.05; i=$((i + 1)); [ $i -lt 200 ] || break; done
cat late
