"""How fast the daemon is, compared with the machine's limits. scripts/bench and scripts/soak are the entry points;
README.md describes the parts."""
