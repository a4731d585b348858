#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command that writes a file, kills it (SIGKILL) while it works, and runs it again.

usage: kill-and-repeat.py FILE COMMAND...

After the kill there must be no FILE, or a whole one (it is written before what comes after it);
after the second run there must be one, with the bytes that an undisturbed run gives.
"""
import glob
import os
import signal
import subprocess
import sys
import time


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    output, *command = sys.argv[1:]
    start = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - start
    wanted = read(output)
    caught = 0
    # At several moments; the last results may be there before the last kill.
    for part in (0.3, 0.6, 0.8):
        if os.path.exists(output):
            os.remove(output)
        process = subprocess.Popen(command)
        time.sleep(part * seconds)
        process.send_signal(signal.SIGKILL)
        finished = process.wait() == 0
        caught += not finished
        if not finished and os.path.exists(output) and read(output) != wanted:
            sys.exit(f"{output} is there after a kill at {part} of the time, {os.path.getsize(output)} bytes of "
                     f"{len(wanted)}")
        subprocess.run(command, check=True)
        if read(output) != wanted:
            sys.exit("a repeated run gives other bytes")
    for left in glob.glob(output + ".*"):
        os.remove(left)
    print("killed", caught, "times: no file that looks complete, and the same bytes again" if caught else "")


main()
