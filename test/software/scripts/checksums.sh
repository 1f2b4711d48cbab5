seq 1 5000 > a; seq 1 100 > b; printf 'no newline' > 'c d'
md5sum a b 'c d'; sha1sum a; sha256sum a b; sha512sum b; crc32 a; cksum a 2>/dev/null
md5sum a b > sums; md5sum -c sums; echo x >> b; md5sum -c sums; echo "status $?"
cat a b | md5sum; base64 b | md5sum; od -An -tx1 -v a | md5sum; gzip -c a | gunzip | cmp - a && echo same
xxd 'c d'; hexdump -C b | tail -2; bzip2 -c a | bunzip2 | md5sum
