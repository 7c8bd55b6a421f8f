# The site and its clusters in one small image: docker build -t socialq .
# It runs as nobody in particular, writes to /data and /tmp alone, and has no secret in it.
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --require-hashes --requirement requirements.txt
# More than the site needs, for example: --build-arg MORE_PACKAGES="django-storages[s3] pi-heif av apprise"
ARG MORE_PACKAGES=""
# The hashes of requirements.txt would be asked for of these, too: hence what it has installed, by version alone.
RUN if [ -n "${MORE_PACKAGES}" ]; then \
        /opt/venv/bin/pip freeze > pinned.txt \
        && /opt/venv/bin/pip install --constraint pinned.txt ${MORE_PACKAGES}; \
    fi
RUN /opt/venv/bin/pip uninstall --yes pip

FROM ${PYTHON}
# For manage.py backup and restore: pg_dump and psql, at least as new as the server of compose.yaml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 socialq \
    && useradd --uid 10001 --gid socialq --no-create-home --home-dir /data --shell /usr/sbin/nologin socialq \
    && install --directory --owner socialq --group socialq --mode 700 /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY queue_app queue_app
COPY posts posts
COPY socialq_site socialq_site
COPY templates templates
COPY deploy/entrypoint deploy/entrypoint
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/data
RUN python -m compileall -q manage.py queue_app posts socialq_site
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health\", timeout=4)"]
ENTRYPOINT ["/app/deploy/entrypoint"]
CMD ["web"]
