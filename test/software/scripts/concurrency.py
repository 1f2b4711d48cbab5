"""Threads, processes, pipes, queues, shared memory, files: what real Python programs do at once."""
import concurrent.futures, ctypes, mmap, multiprocessing, os, queue, select, signal, socket, subprocess, sys, tempfile, threading, time

lock, total, q = threading.Lock(), 0, queue.Queue(10)


def add(n):
    global total
    for _ in range(n):
        with lock:
            total += 1


def square(n):
    return n * n


def threads():
    workers = [threading.Thread(target=add, args=(200,)) for _ in range(8)]
    [w.start() for w in workers], [w.join() for w in workers]
    print('counted', total)
    producer = threading.Thread(target=lambda: [q.put(i) for i in range(200)] and q.put(None))
    producer.start()
    print('queued', sum(iter(q.get, None)))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print('pool', sum(pool.map(square, range(100))))
    event, barrier = threading.Event(), threading.Barrier(3)
    results = []
    waiters = [threading.Thread(target=lambda i=i: (event.wait(), results.append(i), barrier.wait())) for i in range(3)]
    [w.start() for w in waiters], event.set(), [w.join() for w in waiters]
    print('barrier', sorted(results), event.wait(0.01), threading.Event().wait(0.05))


def processes():
    with multiprocessing.get_context('fork').Pool(3) as pool:
        print('processes', sum(pool.map(square, range(50))))
    print('output', subprocess.run(['/usr/bin/python3', '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout.strip())
    child = subprocess.Popen(['/usr/bin/python3', '-c', 'import sys; sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)'], stdin=-1, stdout=-1)
    print(child.communicate(b'through pipes ' * 20000)[0][-14:], child.returncode)
    try:
        subprocess.run(['/usr/bin/python3', '-c', 'import time; time.sleep(60)'], timeout=0.5)
    except subprocess.TimeoutExpired:
        print('timed out')
    try:
        subprocess.run(['/missing'])
    except FileNotFoundError as error:
        print(error)
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    print('signal', os.WTERMSIG(os.waitpid(pid, 0)[1]))


def memory():
    shared = mmap.mmap(-1, 1 << 20)
    pid = os.fork()
    if pid == 0:
        shared[100:105] = b'child'
        os._exit(0)
    os.waitpid(pid, 0)
    print('shared', shared[100:105])
    with tempfile.TemporaryFile() as f:
        f.write(b'abc' * 5000), f.flush()
        m = mmap.mmap(f.fileno(), 0)
        m[0:3] = b'XYZ'
        print('file', f.seek(0), f.read(6), m.find(b'c'), len(m), m.close())
    print('libc', ctypes.CDLL(None).abs(-5), ctypes.sizeof(ctypes.c_void_p))


def sockets():
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(folder + '/s'), server.listen()
        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100)[::-1])
        thread = threading.Thread(target=serve)
        thread.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(folder + '/s'), client.sendall(b'reversed')
            print('socket', select.select([client], [], [], 10)[0] == [client], client.recv(100))
        thread.join()


def signals():
    seen = []
    signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.3)
    print('alarm', seen)


if __name__ == '__main__':
    threads(), processes(), memory(), sockets(), signals()
    sys.exit(4)
