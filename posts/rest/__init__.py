"""What programs read over HTTP: posts, deliveries and jobs as JSON. Parses, calls selectors, renders."""
