"""A host's app for benchmarks: what its jobs do is note when they began."""
