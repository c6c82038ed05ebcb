"""libfastvideo is a guest: loaded into Python with handlers of its own, it changes nothing of the process and prints nothing."""

import ctypes
import faulthandler
import locale
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

CANCELLED = 3


class Error(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("status", ctypes.c_int32), ("text", ctypes.c_char_p), ("capacity", ctypes.c_uint32),
                ("length", ctypes.c_uint32), ("setting", ctypes.c_char * 128)]


class Setting(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char_p), ("source", ctypes.c_char_p), ("type", ctypes.c_uint32), ("count", ctypes.c_uint32),
                ("text", ctypes.c_char_p)]


class Config(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("sources", ctypes.c_uint32), ("installation", ctypes.c_char_p), ("files", ctypes.c_void_p),
                ("settings", ctypes.POINTER(Setting)), ("file_count", ctypes.c_uint32), ("setting_count", ctypes.c_uint32)]


STAGE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64)


class Observer(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved0", ctypes.c_uint32), ("context", ctypes.c_void_p), ("stage", STAGE),
                ("step", ctypes.c_void_p)]


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("prompt", ctypes.c_uint32), ("cancel", ctypes.c_void_p), ("frames", ctypes.c_void_p),
                ("observer", ctypes.POINTER(Observer))]


def settings(**values):
    made = [Setting(path.replace("__", ".").encode(), None, 0, 0, str(value).encode()) for path, value in values.items()]
    return (Setting * len(made))(*made), len(made)


def state():
    """What belongs to the process and not to a guest."""
    libc = ctypes.CDLL(None)
    environment, at = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ"), 0
    variables = []
    while environment[at] is not None:
        variables.append(environment[at])
        at += 1
    mask = os.umask(0o77)
    os.umask(mask)
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    actions = {}
    for number in range(1, 65):
        action = ctypes.create_string_buffer(256)
        libc.sigaction(number, None, action)
        actions[number] = action.raw[:16] + action.raw[136:140]  # handler, the kernel's part of the mask, flags
    return {"signals": [line for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))], "actions": actions, "umask": mask,
            "affinity": os.sched_getaffinity(0), "environment": variables, "folder": os.getcwd(), "locale": locale.setlocale(locale.LC_ALL),
            "descriptors": sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}"))}


def guest(library, plugins, folder):
    faulthandler.enable()
    cancelled = []
    signal.signal(signal.SIGINT, lambda *_: cancelled.append(True))
    first = threading.Thread(target=lambda: None)  # with a process's first thread glibc handles a signal of its own
    first.start()
    first.join()
    before = state()

    fvr = ctypes.CDLL(library)
    text = ctypes.create_string_buffer(4096)
    error = Error(ctypes.sizeof(Error), 0, ctypes.cast(text, ctypes.c_char_p), len(text), 0, b"")

    def made(function, *arguments):
        handle = ctypes.c_void_p()
        status = function(*arguments, ctypes.byref(handle), ctypes.byref(error))
        assert status == 0, (status, error.setting, text.value)
        return handle

    given, count = settings(plugins__path=plugins, attention__default="FORMULA")
    runtime = made(fvr.fvr_runtime_open, ctypes.byref(Config(ctypes.sizeof(Config), 0, folder.encode(), None, given, 0, count)))
    model = made(fvr.fvr_model_load, runtime, *settings(request__model_path=folder), None)
    request = made(fvr.fvr_check, model, *settings(request__prompt="a circle", request__behaviour="waits"))

    fvr.fvr_cancel_new.restype = ctypes.c_void_p
    cancel = ctypes.c_void_p(fvr.fvr_cancel_new())
    began = threading.Event()
    observer = Observer(ctypes.sizeof(Observer), 0, None, STAGE(lambda _, name, steps: began.set()), None)
    options = Options(ctypes.sizeof(Options), 0, cancel, None, ctypes.pointer(observer))
    result, statuses = ctypes.c_void_p(), []
    run = threading.Thread(target=lambda: statuses.append(
        fvr.fvr_run(request, ctypes.byref(options), ctypes.byref(result), ctypes.byref(error))))
    run.start()
    assert began.wait(30)
    note = ctypes.create_string_buffer(100)
    assert fvr.fvr_describe_call(note, ctypes.c_size_t(100)) > 0 and note.value == b"run of fake/cpu", note.value
    during = state()
    os.kill(os.getpid(), signal.SIGINT)  # Python's handler has it, and the run goes on
    time.sleep(0.2)
    assert cancelled == [True] and run.is_alive()
    fvr.fvr_cancel_request(cancel)
    run.join(30)
    assert statuses == [CANCELLED], (statuses, text.value)

    for close, handle in ((fvr.fvr_request_close, request), (fvr.fvr_model_close, model), (fvr.fvr_runtime_close, runtime),
                          (fvr.fvr_cancel_free, cancel)):
        close(handle)
    after = state()
    for name, value in before.items():
        assert value == during[name] == after[name], f"{name}: {value} became {during[name]} and {after[name]}"[:2000]
    assert faulthandler.is_enabled()


def main():
    if len(sys.argv) == 4:
        return guest(*sys.argv[1:])
    library, plugins = sys.argv[1:]
    exported = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in exported.splitlines()}
    of_c = {name for name in names if name.startswith("fvr_")}
    others = {name for name in names - of_c if "9fastvideo" not in name}  # C++ names of the namespace, for the program
    assert len(of_c) > 20 and not others, f"exported: {sorted(others)}"
    with tempfile.TemporaryDirectory(prefix="fastvideo_guest_") as folder:
        (pathlib.Path(folder) / "lib" / "fastvideo").mkdir(parents=True)
        (pathlib.Path(folder) / "model_index.json").write_text('{"_class_name": "FakePipeline"}')
        done = subprocess.run([sys.executable, __file__, library, plugins, folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == "", f"it prints: {done.stdout}{done.stderr}"


if __name__ == "__main__":
    main()
