"""A host's app for benchmarks: what its jobs do is append a line to a file."""
