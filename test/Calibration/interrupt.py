# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""interrupt.py points|kill OUT COMMAND…: whether COMMAND, which writes OUT, gives
the same bytes with --resume after it was interrupted.

points: after each layer. What an interrupted run leaves is made from what a run
leaves that fails when everything is quantised (its report can't be written), by
leaving out what would have come later, so that every point is met.
kill: by SIGKILL, as soon as so and so many layers are done.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

mode, output, command = sys.argv[1], sys.argv[2], sys.argv[3:]
folder = output + ".partial"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def records():
    if not os.path.isdir(folder):
        return []
    return sorted(f for f in os.listdir(folder) if f.endswith(".safetensors"))


def finish(want, what):
    subprocess.run(command + ["--resume"], check=True)
    if read(output) != want:
        sys.exit(f"other bytes than without interruption: {what}")
    if os.path.exists(folder):
        sys.exit(f"the folder is left: {what}")
    os.remove(output)


subprocess.run(command, check=True)
want = read(output)
os.remove(output)

if mode == "points":
    failing = [argument.replace("output-weights=", f"report={output}.none/r.json output-weights=")
               for argument in command]
    failed = subprocess.run(failing + ["--resume"], stderr=subprocess.DEVNULL)
    if failed.returncode == 0:
        sys.exit("expected a report in no folder to fail")
    if os.path.exists(output):
        os.remove(output)
    whole = folder + ".whole"
    shutil.rmtree(whole, ignore_errors=True)
    shutil.move(folder, whole)
    count = len([f for f in os.listdir(whole) if f.endswith(".safetensors")])
    for done in range(count + 1):
        shutil.copytree(whole, folder)
        for late in records()[done:]:
            os.remove(os.path.join(folder, late))
        finish(want, f"{done} of {count}")
    print(f"same bytes from each of {count + 1} points")
else:
    killed = 0
    for done in (1, 4, 9):
        process = subprocess.Popen(command + ["--resume"])
        while process.poll() is None and len(records()) < done:
            time.sleep(0.001)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            if os.path.exists(output):
                sys.exit("a killed run left a file that looks complete")
        else:
            break
    finish(want, f"killed {killed} times")
    print(f"killed {killed} times: no file that looks complete, and the same bytes")
