# Counts words, calls the shell, reads from and writes to commands.
{ for (i = 1; i <= NF; i++) count[tolower($i)]++; lines++ }
END {
  for (word in count) print count[word], word | "sort -rn -k1,1 -k2,2"
  close("sort -rn -k1,1 -k2,2")
  "echo from a command" | getline line; print line
  while (("seq 3" | getline n) > 0) sum += n
  print "sum", sum, "lines", lines, "status", system("exit 3")
  printf "%5.2f|%-6s|%06d|%x|%c|%e\n", 3.14159, "ab", 42, 255, 65, 12345.678
  s = "the quick brown fox"; gsub(/[aeiou]/, "<&>", s); print s, length(s), substr(s, 5, 7), index(s, "qu")
  print match("foobarbaz", /ba./), RSTART, RLENGTH; n = split("a:b:c", parts, ":"); print n, parts[3]
  for (i = 0; i < 4000; i++) x = (x * 1103515245 + 12345) % 2147483648
  print x, int(-3.7), 7 % 3, 1e300 * 1e10, substr("abc", 0, 2), toupper("x") tolower("Y")
}
