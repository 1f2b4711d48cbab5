# Files as ls, find and stat show them.
umask 022
mkdir -p tree/a/b tree/c; cd tree
echo hello > a/file; printf '%5000s' x > a/b/large; : > c/empty
ln -s ../a/file c/link; ln a/file c/hard; ln -s nowhere c/broken; mkfifo c/fifo
chmod 640 a/file; chmod 4755 c/empty; chmod 1777 c; chmod 700 a/b
find . -exec touch -h -d '2001-02-03 04:05:06' {} +
echo "-- ls -l"; ls -l . a a/b c
echo "-- ls -la"; ls -la c | sed 's/ \.\.$/ PARENT/' | grep -v PARENT
echo "-- ls -RF"; ls -RF
echo "-- find"; find . | sort
find . -type f -size +1k | sort; find . -type l | sort; find . -links +1 -type f | sort; find . -perm -4000
find . -newer a/file; find . -name 'l*' -print | sort; find . -empty | sort
find . -type d -exec echo dir {} \; | sort
echo "-- stat"; stat -c '%n %F %a %h %s %u %g %Y %N' a a/file a/b/large c c/empty c/link c/broken c/fifo
readlink c/link; readlink -f c/link; realpath a/../c/hard
echo "-- change"
cp -a c copy; touch -h -d '2001-02-03 04:05:06' copy/*; ls -l copy; mv copy/hard moved; cat moved
rm -r copy; ls copy; rm a; rmdir c; rm -r a c; ls -A
cat missing; cd missing; echo x > missing/file; mkdir . ; echo "status $?"
mkdir ro; chmod 555 ro; touch ro/file && echo root may write
touch -d @1000000000 old; stat -c '%y' old; [ old -ot ro ] && echo older
dd if=/dev/zero of=sparse bs=1 seek=1000000 count=1 2>/dev/null; stat -c '%s %b' sparse; truncate -s 10 sparse; wc -c < sparse
cd ..; rm -r tree; ls -A
