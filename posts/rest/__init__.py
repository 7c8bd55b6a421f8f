"""What programs do over HTTP: posts, deliveries, jobs as JSON. Parses, calls services and selectors, renders.

Needs django-ninja, which is the extra ``api`` of the package.
"""

from queue_app.rest import api as _api  # noqa: F401 -- first: it says what to install where django-ninja is missing
