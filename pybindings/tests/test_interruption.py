"""Long calls: they let others work, and can be interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

import laggard

ROWS = 6_000_000


def test_other_threads_go_on(generated) -> None:
    runs = laggard.open(generated(1, ROWS))
    beats: list[float] = []
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.005):
            beats.append(time.monotonic())

    other = threading.Thread(target=beat)
    other.start()
    runs.delta(by="run")
    done.set()
    other.join()
    assert max(b - a for a, b in zip(beats, beats[1:], strict=False)) < 1.0, "the lock was held"


PROGRAM = """
import sys, time, laggard
runs = laggard.open(sys.argv[1])
print("ready", flush=True)
try:
    while True:
        runs.check()
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(len(runs.list()), flush=True)
"""


def test_ctrl_c_ends_a_call_and_not_the_program(generated) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(generated(1, ROWS))], stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    time.sleep(1.0)
    program.send_signal(signal.SIGINT)
    asked = time.monotonic()
    assert program.stdout.readline() == "interrupted\n"
    took_s = time.monotonic() - asked
    assert program.stdout.readline() == "1\n", "the next call works"
    assert program.wait(timeout=60) == 0
    assert took_s < 5.0, took_s


def test_an_interrupted_kernel_comes_back(generated) -> None:
    folder: Path = generated(1, ROWS)
    manager, client = start_new_kernel()
    try:
        setup = client.execute_interactive(f"import laggard; runs = laggard.open({str(folder)!r})", timeout=60)
        assert setup["content"]["status"] == "ok"
        asked = client.execute("while True: runs.check()")
        time.sleep(2.0)
        manager.interrupt_kernel()
        while True:
            reply = client.get_shell_msg(timeout=30)
            if reply["parent_header"]["msg_id"] == asked:
                break
        assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "KeyboardInterrupt")
        after = client.execute_interactive("assert len(runs.summary()) > 0", timeout=60)
        assert after["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
