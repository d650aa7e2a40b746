"""Starts the real programs, for whoever drives them from outside: the system tests, the fault harness, the benchmarks and
the demo.

Every process is ended by its own id, and what it wrote is kept in files. Standard library only. An owner of processes has
a `directory` for their files and a list `processes`, which it ends.
"""

from programs.daemon import Daemon, check_file, metric_of
from programs.lea import LeaSim
from programs.postgresql import Postgresql
from programs.process import (PATIENCE, SCHEMAS, SOURCE, Answer, Certificates, Ports, Process, UnixConnection,
                              client_context, program, raise_descriptor_limit, wait_until)

__all__ = ["PATIENCE", "SCHEMAS", "SOURCE", "Answer", "Certificates", "Daemon", "LeaSim", "Ports", "Postgresql",
           "Process", "UnixConnection", "check_file", "client_context", "metric_of", "program", "raise_descriptor_limit", "wait_until"]
