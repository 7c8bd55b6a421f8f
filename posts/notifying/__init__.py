"""Messages to people's chats, by apprise, from a process of its own. Knows nothing of Django."""
