"""How fast, how late, how large: `make bench` starts the suite with a process for each role and measures it from outside."""
