name=world
cat <<EOF
hello $name, $((6 * 7)) and $(echo substituted)
EOF
cat <<'EOF'
not $expanded, not $(run)
EOF
cat <<-EOF
	tabs
		are stripped
	EOF
sort <<A; cat <<B | tr a-z A-Z
pear
apple
A
piped
B
# Larger than a pipe holds: the shell must not write it all before it starts the reader.
big=$(seq 1 13000)
wc -c <<EOF
$big
EOF
while read -r line; do echo "line: $line"; done <<EOF
first
second
EOF
