"""The site: settings, addresses and entry points around the two apps. It holds no logic of theirs."""
