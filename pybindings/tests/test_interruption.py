"""Long calls: they let others work, can be interrupted, and then leave nothing at work."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

import pytest
from jupyter_client.manager import start_new_kernel

import laggard

# Long enough that a call which is not interrupted cannot be taken for one that is.
ROWS = 6_000_000
RUNS = 8


@pytest.fixture(scope="module")
def long(generated: Callable[[int, int], Path]) -> Path:
    return generated(RUNS, ROWS)


def test_other_threads_go_on(long: Path) -> None:
    runs = laggard.open(long)
    beats: list[float] = [time.monotonic()]
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.005):
            beats.append(time.monotonic())

    other = threading.Thread(target=beat)
    other.start()
    began = time.monotonic()
    runs.summary()
    took_s = time.monotonic() - began
    done.set()
    other.join()
    beats.append(time.monotonic())
    assert max(b - a for a, b in zip(beats, beats[1:], strict=False)) < took_s / 2, "the lock was held"


PROGRAM = """
import os, sys, time, threading, laggard
runs = laggard.open(sys.argv[1])
began = time.monotonic()
runs.summary()
print(time.monotonic() - began, flush=True)
try:
    runs.check()
    print("ended", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
for _ in range(100):
    before = sum(os.times()[:2])
    time.sleep(0.2)
    if sum(os.times()[:2]) - before < 0.05:
        break
else:
    sys.exit("the work goes on")
print(len(runs.list()), flush=True)
"""


def test_ctrl_c_ends_a_call_and_not_the_program(long: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(long)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    watchdog = threading.Timer(300, program.kill)
    watchdog.start()
    assert program.stdout is not None
    whole_s = float(program.stdout.readline())
    time.sleep(0.3)
    program.send_signal(signal.SIGINT)
    asked = time.monotonic()
    # `check` takes longer than `summary`, of which a part has gone by.
    assert program.stdout.readline() == "interrupted\n"
    assert time.monotonic() - asked < max(whole_s / 2, 0.5)
    assert program.stdout.readline() == f"{RUNS}\n", "the next call works, and the work that nobody waits for has ended"
    assert program.wait() == 0
    watchdog.cancel()


def test_an_interrupted_kernel_comes_back(long: Path) -> None:
    manager, client = start_new_kernel()
    try:
        setup = client.execute_interactive(f"import laggard; runs = laggard.open({str(long)!r})", timeout=60)
        assert setup["content"]["status"] == "ok"
        asked = client.execute("while True: runs.check()")
        time.sleep(1.0)
        manager.interrupt_kernel()
        interrupted = time.monotonic()
        while True:
            reply = client.get_shell_msg(timeout=60)
            if reply["parent_header"]["msg_id"] == asked:
                break
        assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "KeyboardInterrupt")
        assert time.monotonic() - interrupted < 5.0
        after = client.execute_interactive("assert len(runs[:1].summary()) > 0", timeout=120)
        assert after["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
