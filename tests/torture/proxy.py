"""A TCP proxy between a Kafka client and its broker that knows one request from another.

The broker advertises the proxy's port on its second listener (tests/torture/proxied.properties), so every connection of a client
that begins there leads through here. A rule looks at each request and each answer and may let it pass, hold it back for some
time, drop the connection, or call something meanwhile (such as killing the client). Besides, each way may take some time, as on a
long line: nothing is lost or overtaken there, and what a killed client had sent still arrives.
"""

import queue
import random
import socket
import struct
import threading
import time

PRODUCE, METADATA, FIND_COORDINATOR, INIT_PRODUCER_ID, ADD_PARTITIONS, END_TXN = 0, 3, 10, 22, 24, 26
NAMES = {PRODUCE: "Produce", INIT_PRODUCER_ID: "InitProducerId", ADD_PARTITIONS: "AddPartitionsToTxn", END_TXN: "EndTxn",
         FIND_COORDINATOR: "FindCoordinator", METADATA: "Metadata"}
# What a rule may be asked at, in the order in which a request goes through.
ARRIVED, FORWARDED, ANSWERED, RETURNED = "arrived", "forwarded", "answered", "returned"
PASS, RESET = "pass", "reset"


class Held:
    """Asks for a request to wait here until it is released or so long, even if its client has gone meanwhile."""

    def __init__(self, limit_s):
        self.event, self.limit_s, self.caught = threading.Event(), limit_s, threading.Event()

    def release(self):
        self.event.set()


class Proxy:
    """Listens on `port`, connects to `upstream`. `rule(moment, key, number)` is asked for each request: number counts requests of
    that key since the last `watch`. It returns PASS, RESET or a Held."""

    def __init__(self, port, upstream):
        self.upstream, self.lock, self.rule, self.counts = upstream, threading.Lock(), None, {}
        # Bounds in seconds of what each way takes, of connections that are made from now on; none for the loopback's own time.
        self.forth_s = self.back_s = None
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def watch(self, rule=None):
        """From now on this rule, if any."""
        with self.lock:
            self.counts, self.rule = {}, rule

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                broker = socket.create_connection(self.upstream)
            except OSError:
                client.close()
                continue
            connection = Connection(self, client, broker)
            for way in (connection.requests, connection.answers):
                threading.Thread(target=way, daemon=True).start()

    def ask(self, moment, key, number):
        with self.lock:
            rule = self.rule
        return rule(moment, key, number) if rule else PASS

    def counted(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


class Line:
    """One way of a connection. Each frame takes a random time within the bounds, but arrives behind its predecessor."""

    def __init__(self, side, bounds_s):
        self.side, self.bounds_s, self.due, self.frames = side, bounds_s, 0, queue.SimpleQueue()
        if bounds_s:
            threading.Thread(target=self.carry, daemon=True).start()

    def send(self, frame):
        if not self.bounds_s:
            return self.side.sendall(frame)
        self.due = max(self.due, time.monotonic() + random.uniform(*self.bounds_s))
        self.frames.put((self.due, frame))

    def end(self):
        """Behind all that was sent."""
        if not self.bounds_s:
            return shut(self.side)
        self.send(None)

    def carry(self):
        try:
            while True:
                due, frame = self.frames.get()
                time.sleep(max(0, due - time.monotonic()))
                if frame is None:
                    return shut(self.side)
                self.side.sendall(frame)
        except OSError:
            shut(self.side)


class Connection:
    def __init__(self, proxy, client, broker):
        self.proxy, self.client, self.broker = proxy, client, broker
        for side in (client, broker):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.forth, self.back = Line(broker, proxy.forth_s), Line(client, proxy.back_s)
        self.waiting = {}  # correlation id: key and number of the request

    def requests(self):
        """From the client to the broker. What was held goes on although its client has closed meanwhile."""
        try:
            while frame := read_frame(self.client):
                key, _, correlation = struct.unpack_from(">hhi", frame, 4)
                number = self.proxy.counted(key)
                self.waiting[correlation] = (key, number)
                if not self.follow(self.proxy.ask(ARRIVED, key, number)):
                    return
                self.forth.send(frame)
                if not self.follow(self.proxy.ask(FORWARDED, key, number)):
                    return
        except OSError:
            pass
        finally:
            # A broker may drop what it has not begun when its client's end comes: let it answer first.
            until(lambda: not self.waiting, 2 + (self.forth.bounds_s or (0, 0))[1])
            self.forth.end()

    def answers(self):
        try:
            while frame := read_frame(self.broker):
                key, number = self.waiting.pop(struct.unpack_from(">i", frame, 4)[0], (None, 0))
                if not self.follow(self.proxy.ask(ANSWERED, key, number)):
                    return
                self.back.send(frame)
                if not self.follow(self.proxy.ask(RETURNED, key, number)):
                    return
        except OSError:
            pass
        finally:
            self.back.end()
            if not self.back.bounds_s:
                self.client.close()

    def follow(self, verdict):
        """Whether the connection goes on."""
        if isinstance(verdict, Held):
            verdict.caught.set()
            verdict.event.wait(verdict.limit_s)
            return True
        if verdict == RESET:
            for side in (self.client, self.broker):
                # No orderly end: what was under way is lost. The other thread's wait on this socket ends by the shutdown.
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                shut(side, socket.SHUT_RD)
                side.close()
            self.waiting.clear()
            return False
        return True


def read_frame(side):
    """A size and what it counts; nothing at the end."""
    head = read(side, 4)
    if head is None:
        return None
    body = read(side, struct.unpack(">i", head)[0])
    return None if body is None else head + body


def read(side, size):
    found = bytearray()
    while len(found) < size:
        piece = side.recv(min(size - len(found), 1 << 20))
        if not piece:
            return None
        found += piece
    return bytes(found)


def shut(side, how=socket.SHUT_WR):
    try:
        side.shutdown(how)
    except OSError:
        pass


def until(condition, limit_s, step_s=0.01):
    """Whether it came true in time."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(step_s)
    return False
