"""A program on a terminal: what it draws, as one would see it."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

from programs.process import PATIENCE

SEQUENCE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


def columns_of(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """Understands what a program may send, and takes anything else for an attack."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.rest = ""
        self.other, self.cursor_shown = False, True
        self.looks = set()  # all that were used
        self.overflowed = False  # a line was wider than the terminal
        self.main = self.blank()
        self.lines = self.main
        self.row = self.column = 0
        self.saved = (0, 0)

    def blank(self):
        return [[" "] * self.columns for _ in range(self.rows)]

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.main, self.lines = self.blank(), self.blank()
        self.row = self.column = 0

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def feed(self, data):
        self.rest += self.decoder.decode(data)
        while self.rest:
            if self.rest[0] == "\x1b":
                found = SEQUENCE.match(self.rest)
                if not found:
                    if len(self.rest) > 32:
                        raise AssertionError(f"an unknown sequence: {self.rest[:32]!r}")
                    return
                self.obey(*found.groups())
                self.rest = self.rest[found.end():]
            else:
                self.put(self.rest[0])
                self.rest = self.rest[1:]

    def obey(self, private, numbers, command):
        if private and command in "hl" and numbers in ("1049", "25", "7"):
            self.switch(numbers, command == "h")
        elif not private and command == "m":
            self.looks.add(numbers)
        elif not private and command == "H" and not numbers:
            self.row = self.column = 0
        elif not private and command == "K" and not numbers:
            if self.column < self.columns:
                self.lines[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif not private and command == "J" and numbers in ("", "2"):
            first = 0 if numbers else self.row + (1 if self.column > 0 else 0)
            for row in range(first, self.rows):
                self.lines[row] = [" "] * self.columns
        else:
            raise AssertionError(f"an unexpected sequence: {private, numbers, command}")

    def switch(self, number, on):
        if number == "1049":
            self.other = on
            if on:
                self.saved = (self.row, self.column)
                self.lines = self.blank()
            else:
                self.lines = self.main
                self.row, self.column = self.saved
        elif number == "25":
            self.cursor_shown = on

    def put(self, character):
        if character == "\n":
            if self.row + 1 < self.rows:
                self.row += 1
            else:
                del self.lines[0]
                self.lines.append([" "] * self.columns)
        elif character == "\r":
            self.column = 0
        elif unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Cn"):
            raise AssertionError(f"a control character: {character!r}")
        else:
            width = columns_of(character)
            if self.column + width > self.columns:
                self.overflowed = True
                return
            if width > 0:
                self.lines[self.row][self.column] = character
                self.column += width


class Run:
    """A program whose standard streams are a terminal's, but for those given."""

    def __init__(self, arguments, columns=80, rows=24, environment=None, echo=None):
        self.screen = Screen(columns, rows)
        self.raw = b""
        self.status = None
        variables = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            if name not in (environment or {}):
                variables.pop(name, None)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                # The size is there before the program looks: its parent sets it while this waits.
                os.read(0, 1)
                os.execve(arguments[0], arguments, variables)
            finally:
                os._exit(127)
        self.echo = echo
        self.resize(columns, rows, signal_it=False)
        self.type("\n")

    def resize(self, columns, rows, signal_it=True):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if signal_it:
            self.screen.resize(columns, rows)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def echoes(self):
        """Whether what is typed shows: as it was before a program changed it."""
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def look(self, timeout=0.05):
        """Reads what there is; False at the end."""
        ready, _, _ = select.select([self.terminal], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.raw += data
        self.screen.feed(data)
        return bool(data)

    def wait_for(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if not self.look() and not condition():
                raise AssertionError(f"ended before: {what}\n{self.screen.text()}")
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain: {what}\n{self.screen.text()}")

    def wait_for_text(self, text):
        self.wait_for(lambda: text in self.screen.text(), text)

    def wait(self):
        """Reads to the end; the exit status, negative for a signal."""
        while self.look(PATIENCE):
            pass
        return self.reap()

    def reap(self):
        if self.status is None:
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            self.signal(signal.SIGKILL)
            self.signal(signal.SIGCONT)
            self.reap()
        os.close(self.terminal)
