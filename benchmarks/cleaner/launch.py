"""Run a command and write down what it took: `python -I -S launch.py REPORT COMMAND ...`.

A process of its own, and a small one: what a child had at its height (ru_maxrss) begins with what its parent had at the
fork, so a big parent would hide what is measured. What is counted are the command and the children that it waited
for; of the height, that of the biggest of them. The report is one line: wall seconds, user+sys seconds, KiB, exit code.
"""

import os
import sys
import time


def main():
    report, command = sys.argv[1], sys.argv[2:]
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w", encoding="ascii") as file:
        file.write(f"{wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss} {code}")


if __name__ == "__main__":
    main()
