"""Controls the shim (shim/shim.cpp) and, where mounting is allowed, a small disk."""

import mmap
import os
import struct
import subprocess

FIELDS = ("magic", "seed", "write_eio", "write_enospc", "write_short", "sync_eio", "read_eio", "grow_enospc",
          "create_emfile", "unlink_eio", "slow_sync_ms", "sync_forgets", "syncs_hang", "kernel_clock", "calls", "injected",
          "hung")
NUMBERS = ("slow_sync_ms", "syncs_hang", "kernel_clock", "seed")  # the others are chances
MAGIC = 0x4C49464B
ALL = 65536


class Shim:
    """The control file of one daemon's shim. Probabilities are between 0 and 1."""

    def __init__(self, library, directory, root, seed):
        self.library = library
        self.control = os.path.join(directory, "shim.control")
        self.names = os.path.join(directory, "shim.names")
        with open(self.control, "wb") as file:
            file.write(struct.pack(f"={len(FIELDS)}I", MAGIC, seed & 0xFFFFFFFF, *[0] * (len(FIELDS) - 2)))
        with open(self.control, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4 * len(FIELDS))
        with open(self.names, "w", encoding="ascii"):
            pass
        self.environment = {"LIHANDOVER_FAULTS_CONTROL": self.control, "LIHANDOVER_FAULTS_ROOT": root,
                            "LIHANDOVER_FAULTS_NAMES": self.names}

    def set(self, **fields):
        for name, value in fields.items():
            number = value if name in NUMBERS else int(value * ALL)
            at = 4 * FIELDS.index(name)
            self.memory[at:at + 4] = struct.pack("=I", number)

    def clear(self):
        self.set(**{name: 0 for name in FIELDS[2:FIELDS.index("calls")]})

    def get(self, name):
        return struct.unpack_from("=I", self.memory, 4 * FIELDS.index(name))[0]

    def injected(self):
        return self.get("injected")

    def resolve(self, table):
        """{name: "address 127.0.0.1" or "nxdomain" or "again"}"""
        fresh = self.names + ".fresh"
        with open(fresh, "w", encoding="ascii") as file:
            for name, answer in table.items():
                file.write(f"{name} {answer}\n")
        os.rename(fresh, self.names)


class SmallDisk:
    """A tmpfs; `mounted` says whether it could be mounted."""

    def __init__(self, place, size):
        os.makedirs(place, exist_ok=True)
        self.place = place
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", place],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.mounted = done.returncode == 0

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.place], stdin=subprocess.DEVNULL, check=False)
            self.mounted = False

    def fill(self, leave=0):
        with open(os.path.join(self.place, "ballast"), "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:
                pass
            if leave:
                file.truncate(max(0, file.tell() - leave))

    def free(self):
        path = os.path.join(self.place, "ballast")
        if os.path.exists(path):
            os.unlink(path)
