"""Runs a test's script in a process that has the reference packages imported already: `reference_python.py SCRIPT ARGS...`.

Importing them takes longer than most tests do. The first caller starts a server, which imports them once and forks for
each script; the server ends after a minute without work. Arguments, folder, environment, standard streams and exit code
are the caller's. To run a script without the server: `python SCRIPT ARGS...`, with tests/reference in PYTHONPATH.
"""

import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

IDLE_SECONDS = 60
START_SECONDS = 300
HERE = pathlib.Path(__file__).resolve()
# One server for each user, Python and state of this file; names with a NUL are no files and vanish with their socket.
NAME = "\0fastvideo-reference-" + hashlib.sha256(
    f"{os.getuid()} {sys.executable} {HERE} {HERE.stat().st_mtime_ns}".encode()).hexdigest()


def import_references():
    import diffusers
    import numpy  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch  # noqa: F401
    import transformers
    for package, names in ((diffusers, ("AutoencoderKLWan", "FlowMatchEulerDiscreteScheduler", "UniPCMultistepScheduler",
                                        "WanPipeline", "WanTransformer3DModel")),
                           (transformers, ("AutoTokenizer", "T5TokenizerFast", "UMT5Config", "UMT5EncoderModel"))):
        for name in names:  # packages load these when they are first asked for
            getattr(package, name, None)


def run_script(call, connection):
    """Runs the script in this forked process as if the caller had started it. Returns the script's exit code."""
    os.setsid()  # so that all its child processes can be ended with it
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def end_with_the_caller():
        connection.recv(1)  # nothing is ever sent: this returns when the caller is gone
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=end_with_the_caller, daemon=True).start()
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = call["arguments"]
    script = sys.argv[0]
    sys.path[:0] = [str(pathlib.Path(script).resolve().parent),
                    *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    import runpy
    import traceback
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # as Python ends a program
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def answer(connection):
    """In a process of its own."""
    message, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    size = int.from_bytes(message[:8], "big")
    message = message[8:]
    while len(message) < size:
        message += connection.recv(size - len(message))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    code = run_script(json.loads(message), connection)
    connection.sendall(code.to_bytes(4, "big", signed=True))
    os._exit(0)


def serve():
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(NAME)
    except OSError:
        return  # another server was faster
    listening.listen(64)
    import_references()
    listening.settimeout(1)
    children = set()
    last = time.monotonic()
    while children or time.monotonic() - last < IDLE_SECONDS:
        children = {child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0}
        if children:
            last = time.monotonic()
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            continue
        last = time.monotonic()
        child = os.fork()
        if child == 0:
            listening.close()
            connection.settimeout(None)
            answer(connection)
        connection.close()
        children.add(child)


def connect():
    """A connection to the server, which is started if there is none."""
    began, started = time.monotonic(), False
    while time.monotonic() - began < START_SECONDS:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(NAME)
            return connection
        except OSError:
            connection.close()
        if not started:
            started = True
            subprocess.Popen([sys.executable, HERE, "--serve"], cwd="/", start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.05)
    sys.exit(f"{HERE.name}: the server with the reference packages did not start within {START_SECONDS} s")


def main():
    if sys.argv[1:] == ["--serve"]:
        return serve()
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    call = json.dumps({"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    connection = connect()
    message = len(call).to_bytes(8, "big") + call
    sent = socket.send_fds(connection, [message], [0, 1, 2])
    connection.sendall(message[sent:])
    code = connection.recv(4)
    if len(code) < 4:
        sys.exit(f"{sys.argv[1]}: its process ended without an exit code (a crash, or out of memory)")
    return sys.exit(int.from_bytes(code, "big", signed=True))


if __name__ == "__main__":
    main()
