"""A host's app for tests with real processes: job types that wait, die, overrun and send."""
