"""One file per outside tool: in comes a job, out comes what became of it."""
