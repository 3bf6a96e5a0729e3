#!/usr/bin/env python3
"""Sensors of `make cluster`: tanks, pumps and weather whose values change. Argument: the port on 127.0.0.1.

/polls shows the number of polls of each source, and the times in seconds between the latest ones.
"""
import json
import math
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEPT = 6
polls = {}
counts = {}
lock = threading.Lock()


def wave(period, low, high, phase):
    share = (1 + math.sin(2 * math.pi * (time.time() / period + phase))) / 2
    return round(low + (high - low) * share, 2)


def tank(phase):
    level = wave(600, 20, 95, phase)
    return {"level": level, "volume": round(level * 26.5, 1)}


def pump(phase):
    is_running = wave(120, 0, 1, phase) > 0.5
    return {
        "running": "yes" if is_running else "no",
        "pressure": wave(30, 38, 62, phase),
        "flow": wave(40, 4, 9, phase) if is_running else 0,
    }


def weather(phase):
    return {
        "temperature": wave(900, 8, 24, phase),
        "humidity": wave(700, 35, 90, phase),
        "wind": wave(80, 0, 22, phase),
    }


KINDS = {"tank": tank, "pump": pump, "weather": weather}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.strip("/").split("?")[0]
        kind = KINDS.get(name.split("_")[0])
        if name == "polls":
            content = self.polls()
        elif kind:
            content = kind(sum(name.encode()) % 17 / 17)
            with lock:
                counts[name] = counts.get(name, 0) + 1
                polls[name] = (polls.get(name, []) + [time.monotonic()])[-KEPT:]
        else:
            self.send_error(404)
            return
        body = json.dumps(content, indent=1).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def polls(self):
        with lock:
            return {
                name: {
                    "polls": counts[name],
                    "gaps": [round(b - a, 1) for a, b in zip(times, times[1:])],
                }
                for name, times in sorted(polls.items())
            }

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
