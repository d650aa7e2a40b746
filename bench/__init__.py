"""How fast the daemon is, beside what the machine allows. scripts/bench and scripts/soak are the doors; README.md
has the map."""
