"""What every address for programs shares, with posts or without: who asks, refusals, repeats, pages. Only ``api``,
``operations`` and the operations themselves need django-ninja."""
