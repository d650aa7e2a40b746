"""What the demos share: a directory, programs that are ended, what they said when it fails."""

import shutil
import signal
import sys
import tempfile


def say(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


class Scene:
    """A demo has a `run` and, once it has one, a `daemon`."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="lihandover-demo.")
        self.processes = []
        self.daemon = None

    def start_daemon(self):
        say("Checking the configuration and starting lihandoverd")
        status, output = self.daemon.check()
        print(output, end="")
        if status != 0:
            raise AssertionError("lihandoverd --check finds mistakes")
        self.daemon.start()

    def close(self, failed, keep):
        if failed:
            print("The demo failed. What the programs said:", file=sys.stderr)
            for process in self.processes:
                print(f"-- {process.name}\n" + "\n".join(process.log().splitlines()[-30:]), file=sys.stderr)
        for process in reversed(self.processes):
            process.signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()
        if keep:
            print(f"Everything is left in {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def show(scene):
    """Runs a demo; the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that close() is reached
    demo = scene()
    failed = True
    try:
        demo.run()
        failed = False
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        demo.close(failed, "--keep" in sys.argv)
    return 0
