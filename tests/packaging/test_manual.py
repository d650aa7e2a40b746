"""Man pages and completion know every command and option, and can be read by what reads them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import expressions

sys.path.append(os.path.join(expressions.SOURCE, "packaging", "manual"))
import command_line  # noqa: E402
import roff  # noqa: E402

BUILD = os.environ.get("LIHANDOVER_BUILD", os.path.join(expressions.SOURCE, "build-debug"))
PAGES = ("lihandoverd.8", "lihandoverctl.1", "lihandoverd.yaml.5", "lihandoverd-warrant.5", "test/lea-sim.1",
         "test/x2x3-send.1")
PROGRAMS = {"lea-sim": os.path.join(BUILD, "tests", "lea-sim", "lea-sim"),
            "x2x3-send": os.path.join(BUILD, "tests", "x2x3-send", "x2x3-send"),
            "lihandoverd": os.path.join(BUILD, "src", "app", "lihandoverd"),
            "lihandoverctl": os.path.join(BUILD, "src", "ctl", "lihandoverctl")}


def built(*path):
    return os.path.join(BUILD, "packaging", *path)


def read(*path):
    with open(built(*path), encoding="utf-8") as file:
        return file.read()


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


class CommandLine(unittest.TestCase):
    def test_help_is_understood(self):
        control = command_line.read(PROGRAMS["lihandoverctl"])
        paths = {" ".join(command.path): command for command in control.every()}
        self.assertIn("audit export", paths)
        socket = next(option for option in control.options if option.long == "--socket")
        self.assertEqual(("/run/lihandoverd/control.sock", "TEXT"), (socket.default, socket.value))
        state = next(option for option in paths["items"].options if option.long == "--state")
        self.assertIn("set_aside", state.choices)
        reason = next(option for option in paths["reject"].options if option.long == "--reason")
        self.assertTrue(reason.required)
        code = next(option for option in paths["retry"].options if option.long == "--code")
        self.assertEqual([("Needs", ["--destination"])], code.relations)
        self.assertTrue(paths["retry"].positionals[0].many)
        for command in control.every():
            for option in [*command.options, *command.positionals]:
                self.assertTrue(option.description, f"{command.path} {option.long}: its name would be taken for its meaning")

    def test_forms_of_options(self):
        option = command_line.Option("--deal TEXT:{session,turn}=session ... REQUIRED Needs: --to", "", False)
        self.assertEqual(["session", "turn"], option.choices)
        self.assertEqual(("TEXT", "session", True, True), (option.value, option.default, option.many, option.required))
        option = command_line.Option("--connections UINT:INT in [1 - 10000]=1", "", False)
        self.assertEqual(("UINT", "1", [], []), (option.value, option.default, option.choices, option.unknown))
        option = command_line.Option("--listen TEXT=127.0.0.1:8443", "", False)
        self.assertEqual("127.0.0.1:8443", option.default)
        option = command_line.Option("--text Needs: --content", "", False)
        self.assertEqual(("", [("Needs", ["--content"])]), (option.value, option.relations))

    def test_nothing_is_left_that_is_not_understood(self):
        self.assertEqual(["odd"], command_line.Option("--state TEXT odd", "", False).unknown)
        for path in PROGRAMS.values():
            for command in command_line.read(path).every():
                for option in [*command.options, *command.positionals]:
                    self.assertEqual([], option.unknown, option.long)


class Pages(unittest.TestCase):
    def test_every_command_and_option_of_the_programs(self):
        for name, page in (("lihandoverd", "lihandoverd.8"), ("lihandoverctl", "lihandoverctl.1"), ("lea-sim", "test/lea-sim.1"),
                           ("x2x3-send", "test/x2x3-send.1")):
            text = read("man", page)
            for command in command_line.read(PROGRAMS[name]).every():
                if command.path and not command.commands:
                    self.assertIn("\\fB" + roff.escape(" ".join(command.path)) + "\\fR", text)
                for option in command.options:
                    self.assertIn("\\fB" + roff.escape(option.long) + "\\fR", text)

    def test_every_option_of_the_files(self):
        both = expressions.source_text("docs", "configuration.md").split("## Warrant files")
        for page, text in zip(("lihandoverd.yaml.5", "lihandoverd-warrant.5"), both):
            made = read("man", page)
            names = re.findall(r"^\| `(\w+)` \| ", text, re.M)
            self.assertGreater(len(names), 15)
            self.assertEqual(len(names), len(re.findall(r"^\.TP$", made, re.M)), "one paragraph for each")
            for name in names:
                self.assertIn("\\fB" + roff.escape(name) + "\\fR", made)
            for heading in re.findall(r"^### (.*)$", text, re.M):
                self.assertIn(".SS " + roff.argument(roff.inline(heading)), made)

    def test_nothing_is_markup_that_should_not_be(self):
        self.assertEqual("\\&.TH", roff.line(roff.escape(".TH")))
        self.assertEqual("a\\en \\(aqb\\(aq \\-c", roff.escape("a\\n 'b' -c"))
        for page in PAGES:
            self.assertNotRegex(read("man", page), r"@[A-Z_]+@|`")

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed: the pages are NOT checked by it")
    def test_mandoc_finds_nothing(self):
        for page in PAGES:
            done = run("mandoc", "-T", "lint", "-W", "warning", built("man", page))
            self.assertEqual("", done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("man") and shutil.which("groff"), "man-db or groff is not installed: NOT checked")
    def test_man_finds_nothing(self):
        for page in PAGES:
            done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", built("man", page),
                       env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            self.assertEqual((0, ""), (done.returncode, done.stderr))


def words_of(command, program):
    """What may stand behind it: its options, the program's, its commands."""
    options = {name for option in [*command.options, *program.options] for name in option.names if name.startswith("--")}
    return options | {each.path[-1] for each in command.commands}


class Completion(unittest.TestCase):
    def test_bash(self):
        program = command_line.read(PROGRAMS["lihandoverctl"])
        script = [f"source {shlex.quote(built('completion', 'bash', 'lihandoverctl'))}"]
        asked = [command for command in program.every()
                 if not any(option.value in ("FILE", "DIR") for option in command.positionals)]
        for command in asked:
            words = " ".join(map(shlex.quote, ["lihandoverctl", *command.path, ""]))
            script.append(f"COMP_WORDS=({words}) COMP_CWORD={len(command.path) + 1}; _lihandoverctl; echo \"${{COMPREPLY[*]}}\"")
        script.append("COMP_WORDS=(lihandoverctl items --state '') COMP_CWORD=3; _lihandoverctl; echo \"${COMPREPLY[*]}\"")
        # A name of an operator that is also a command's.
        script.append("COMP_WORDS=(lihandoverctl --operator status items --st) COMP_CWORD=4; _lihandoverctl; "
                      "echo \"${COMPREPLY[*]}\"")
        done = run("bash", "--norc", "-uc", "\n".join(script))
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        lines = done.stdout.splitlines()
        for command, line in zip(asked, lines):
            self.assertEqual(words_of(command, program), set(line.split()), command.path)
        self.assertEqual({"held", "queued", "set_aside", "refused", "delivered", "rejected"}, set(lines[-2].split()))
        self.assertEqual("--state", lines[-1])

    def test_bash_offers_files_with_blanks_in_their_names(self):
        with tempfile.TemporaryDirectory() as directory:
            open(os.path.join(directory, "two words.jsonl"), "w", encoding="utf-8").close()
            done = run("bash", "--norc", "-uc", f"source {shlex.quote(built('completion', 'bash', 'lihandoverctl'))}\n"
                       "COMP_WORDS=(lihandoverctl audit verify t) COMP_CWORD=3; _lihandoverctl; printf '%s\\n' \"${COMPREPLY[@]}\"",
                       cwd=directory)
            self.assertEqual("two words.jsonl\n", done.stdout, done.stderr)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed: its completion is NOT tested")
    def test_fish(self):
        program = command_line.read(PROGRAMS["lihandoverctl"])
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
            for command in program.every():
                ask = " ".join(["lihandoverctl", *command.path, "--"])
                done = run("fish", "--no-config", "-c",
                           f"source {shlex.quote(built('completion', 'fish', 'lihandoverctl.fish'))}; complete -C '{ask}'",
                           env=environment)
                offered = {line.split("\t")[0] for line in done.stdout.splitlines()}
                expected = {word for word in words_of(command, program) if word.startswith("--")}
                self.assertEqual(expected, {word for word in offered if word.startswith("--")}, (command.path, done.stderr))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed: its completion is NOT tested")
    def test_zsh(self):
        """Its functions with stand-ins for zsh's own, which print what they are given."""
        program = command_line.read(PROGRAMS["lihandoverctl"])
        for name in ("lihandoverd", "lihandoverctl"):
            self.assertEqual("", run("zsh", "-n", built("completion", "zsh", "_" + name)).stderr)
        for command in program.every():
            function = "_".join(["_lihandoverctl", *command.path]).replace("-", "_")
            done = run("zsh", "-fc", "_arguments() { print -rl -- \"$@\"; state=command; return 0 }\n"
                       "_describe() { print -rl -- ${(P)2} }\n"
                       f"source {shlex.quote(built('completion', 'zsh', '_lihandoverctl'))} >/dev/null\n{function}")
            self.assertEqual("", done.stderr)
            offered = set(re.findall(r"(--[\w-]+)\[", done.stdout)) | set(re.findall(r"^([\w-]+):", done.stdout, re.M))
            self.assertLessEqual(words_of(command, program), offered | ({"--help"} if command.path else set()), command.path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
