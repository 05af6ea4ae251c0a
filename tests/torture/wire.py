"""A few requests to a broker's administration. Kafka's own tools take two seconds of processor time to say each of them."""

import socket
import struct

LIST_GROUPS, CREATE_TOPICS, DELETE_TOPICS, DELETE_GROUPS = 16, 19, 20, 42
TOPIC_OR_GROUP_UNKNOWN = (3, 69)
LIMIT_MS = 30_000


class Admin:
    def __init__(self, bootstrap):
        host, port = bootstrap.split(",")[0].rsplit(":", 1)
        self.address = (host, int(port))

    def create(self, topics, replicas=1, **settings):
        """Topics by name, each with so many partitions."""
        named = {name.replace("_", "."): str(value) for name, value in settings.items()}
        configs = array(text(name) + text(value) for name, value in named.items())
        wanted = array(text(topic) + struct.pack(">ih", count, replicas) + array([]) + configs for topic, count in topics.items())
        answer = self.ask(CREATE_TOPICS, 2, wanted + struct.pack(">i?", LIMIT_MS, False))
        self.check(answer[4:], explained=True)

    def delete(self, topics):
        self.check(self.ask(DELETE_TOPICS, 1, array(map(text, topics)) + struct.pack(">i", LIMIT_MS))[4:])

    def delete_groups(self, groups):
        """Those that there are."""
        self.check(self.ask(DELETE_GROUPS, 0, array(map(text, groups)))[4:])

    def groups(self):
        """Names of the consumer groups that there are."""
        listed, at, names = self.ask(LIST_GROUPS, 0, b""), 6, []
        for _ in range(struct.unpack_from(">i", listed, 2)[0]):
            name, at = read_text(listed, at)
            _, at = read_text(listed, at)
            names.append(name)
        return names

    def ask(self, key, version, body):
        with socket.create_connection(self.address, timeout=LIMIT_MS / 1000) as broker:
            request = struct.pack(">hhi", key, version, 1) + text("torture") + body
            broker.sendall(struct.pack(">i", len(request)) + request)
            answer = broker.makefile("rb")
            size, _ = struct.unpack(">ii", answer.read(8))
            return answer.read(size - 4)

    @staticmethod
    def check(results, explained=False):
        """An array of names, each with an error code, and in some answers with an explanation."""
        (count,), at = struct.unpack_from(">i", results), 4
        for _ in range(count):
            name, at = read_text(results, at)
            (code,), at = struct.unpack_from(">h", results, at), at + 2
            why, at = read_text(results, at) if explained else ("", at)
            assert code == 0 or code in TOPIC_OR_GROUP_UNKNOWN, f"{name}: error {code} {why}"


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def array(items):
    items = list(items)
    return struct.pack(">i", len(items)) + b"".join(items)


def read_text(data, at):
    (size,) = struct.unpack_from(">h", data, at)
    return (None, at + 2) if size < 0 else (data[at + 2 : at + 2 + size].decode(), at + 2 + size)
