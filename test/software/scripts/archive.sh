# Archives with and without compression; tar finds the compressors as commands, so all applets get a name of their own.
mkdir bin; busybox --install -s /tmp/bin; ls bin | wc -l; PATH=/tmp/bin:$PATH
mkdir -p d/e; seq 1 2000 > d/numbers; echo small > d/e/small; ln -s e/small d/link; ln d/numbers d/hard; chmod 750 d/e
printf '%200s' name > "d/$(printf 'n%.0s' $(seq 1 120))"
find d -exec touch -h -d @1000000000 {} +
tar cf all.tar d; tar tvf all.tar | sort -k6; tar czf all.tgz d; tar cjf all.tbz d
for kind in tar:p tgz:z tbz:j; do to=x.${kind%:?}; mkdir $to; tar x${kind#*:}f "all.${kind%:?}" -C $to; diff -r d $to/d && echo "$kind same"; done
ls -l x.tar/d | sort -k9 | awk '{ print $1, $2, $5, $9, $10, $11 }'
tar cf - d | (mkdir piped; cd piped; tar xf -); diff -r d piped/d && echo piped same
tar xf all.tar -O d/e/small; tar tf all.tar d/e | sort
find d | sort | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null
head -c 3000 all.tar | tar tf - > /dev/null; echo "cut short: $?"
