"""What programs do over HTTP: posts, deliveries, jobs as JSON. Parses, calls services and selectors, renders.

Needs django-ninja, which is the extra ``api`` of the package.
"""
