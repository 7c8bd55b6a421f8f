"""The built-in network: publishes into the site itself, and can be told to fail in every way a network can."""
