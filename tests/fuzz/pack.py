"""Keeps the corpus that libFuzzer found as one file, or takes it apart again.

Run as: pack.py FOLDER FILE.pack           every file of the folder into the pack
        pack.py --unpack FILE.pack FOLDER  and back, to go on fuzzing from there
A pack is a row of inputs, each with its length in bytes as a line of text before it.
"""

import pathlib
import sys


def pack(folder, file):
    inputs = sorted({path.read_bytes() for path in folder.iterdir()}, key=lambda data: (len(data), data))
    file.write_bytes(b"".join(b"%d\n" % len(data) + data for data in inputs))
    print(f"{len(inputs)} inputs, {file.stat().st_size} bytes")


def unpack(file, folder):
    folder.mkdir(parents=True, exist_ok=True)
    data, at, count = file.read_bytes(), 0, 0
    while at < len(data):
        begin = data.index(b"\n", at) + 1
        at = begin + int(data[at:begin])
        (folder / f"{count:05}").write_bytes(data[begin:at])
        count += 1


if __name__ == "__main__":
    if sys.argv[1] == "--unpack":
        unpack(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    else:
        pack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
