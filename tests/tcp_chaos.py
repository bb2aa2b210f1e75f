"""Clients of a TCP server that join, leave, stall and are killed at random moments, and healthy
ones among them that count what they miss.

``python -m tests.tcp_chaos`` is a server that sends all the while; it prints its port, and at the
end of its input what is left in it.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.tcp_case import PATIENCE_S, LineClient, Sender, serving, vanish

WAYS = ("leave", "leave at once", "kill", "stall", "stall, then kill", "sip", "shout", "babble")


@dataclass
class Toll:
    """What happened.

    Attributes:
        ways: how often clients ended in each of `WAYS`. heard: the ``seq`` that each healthy client
            read, in order.
    """

    ways: Counter[str] = field(default_factory=Counter)
    heard: list[list[int]] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """Messages that healthy clients missed."""
        return sum(seqs[-1] - seqs[0] + 1 - len(seqs) for seqs in self.heard)


def run_chaos(
    port: int, seconds: float, *, seed: int = 0, n_wild: int = 20, n_healthy: int = 3
) -> Toll:
    """So many clients at a time against a server that sends all the while."""
    toll, ends = Toll(), threading.Event()
    toll.heard = [[] for _ in range(n_healthy)]
    threads = [
        threading.Thread(target=_healthy, args=(port, ends, seqs), daemon=True)
        for seqs in toll.heard
    ]
    threads += [
        threading.Thread(
            target=_wild, args=(port, ends, random.Random(f"{seed} {n}"), toll), daemon=True
        )
        for n in range(n_wild)
    ]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    ends.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "a client waits for ever"
    return toll


def _healthy(port: int, ends: threading.Event, seqs: list[int]) -> None:
    with LineClient(port) as client:
        while not ends.is_set():
            seqs.append(client.message()["seq"])


def _wild(port: int, ends: threading.Event, chance: random.Random, toll: Toll) -> None:
    while not ends.is_set():
        way = chance.choice(WAYS)
        toll.ways[way] += 1
        client = LineClient(port, receive_buffer=chance.choice([None, 4096]))
        with client, suppress(ConnectionError):  # who shouts is disconnected
            _live(client, way, chance, ends)


def _live(client: LineClient, way: str, chance: random.Random, ends: threading.Event) -> None:
    if way == "leave":
        for _ in range(chance.randrange(1, 60)):
            client.message()
    elif way.startswith("stall"):
        ends.wait(chance.uniform(0.1, 2))
    elif way == "sip":
        for _ in range(chance.randrange(1, 40)):
            client.socket.recv(chance.randrange(1, 100))
            ends.wait(0.02)
    elif way == "shout":
        client.socket.sendall(b"x" * 1_000_000)
    elif way == "babble":
        client.socket.sendall(chance.randbytes(chance.randrange(1, 3000)))
        client.line()
    if way.endswith("kill"):
        vanish(client.socket)


def _serve() -> None:
    from aufer.live.sinks.tcp_connection import Connection

    with serving() as server, Sender(server):
        print(server.port, flush=True)
        for _ in sys.stdin:
            gc.collect()
            alive = sum(isinstance(each, Connection) for each in gc.get_objects())
            print(json.dumps({"connections": alive, "clients": server.n_clients}), flush=True)
    print(json.dumps({"sent": server.n_sent, "dropped": server.n_dropped}), flush=True)


if __name__ == "__main__":
    _serve()
