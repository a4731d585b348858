# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""terminal.py COMMAND…: runs a command whose standard error is a terminal, and
prints what it wrote there, one line for each time that it went back to the
start."""
import os
import pty
import subprocess
import sys

ours, theirs = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stderr=theirs)
os.close(theirs)
text = b""
while True:
    try:
        piece = os.read(ours, 65536)
    except OSError:
        break
    if not piece:
        break
    text += piece
print(text.decode().replace("\r", "\n").replace("\033[K", ""))
sys.exit(process.wait())
