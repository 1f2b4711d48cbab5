# Command substitution, nested and in arithmetic; exit codes through it; what a subshell keeps to itself.
echo "[$(echo one; echo two)]"
echo "nested: $(echo "a $(echo "b $(echo c)") d")"
echo "sum: $(( $(seq 1 10 | wc -l) * $(echo 7) ))"
x=outer; y=$(x=inner; echo "$x"); echo "$x $y"
false; echo "status of false: $?"
z=$(exit 7); echo "status through substitution: $?"
echo "trailing newlines: [$(printf 'text\n\n\n')]"
long=$(seq 1 6000); echo "${#long} bytes, last ${long##*[!0-9]}"
( cd / && pwd ); pwd
read -r first rest <<EOF
$(echo alpha beta gamma)
EOF
echo "$first|$rest"
echo "$(kill -TERM $(sh -c 'echo $$') 2>/dev/null || echo no such process)"
