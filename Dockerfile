# One image for everything but Kafka: the run, JupyterLab, Spark's master and workers, so that driver and executors are
# of one version. Layers in the order of change: system, Python packages, jars, the project itself. amd64 and arm64.
FROM python:3.11-slim-bookworm

# Java; and `become`, the one power the image's user has: to turn into the owner of the mounted project folder, so that
# what a run makes belongs to whoever made the clone (see docker/entry.sh). Nothing here ever starts as root.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        openjdk-17-jre-headless libcap2-bin \
    && cp /usr/bin/setpriv /usr/local/bin/become \
    && setcap cap_setuid,cap_setgid+ep /usr/local/bin/become \
    && apt-get purge -y -qq --auto-remove libcap2-bin \
    && apt-get clean && rm -rf /var/lib/apt/lists/*

# Left out, 350 MB: what only our tests need (requirements-tests.txt), the packages' own tests (numpy imports its own),
# maps for debuggers of JavaScript
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes \
        -r /tmp/requirements.txt \
    && find /usr/local/lib/python3* -path '*/numpy' -prune -o -type d -name tests -prune -exec rm -rf {} + \
    && find /usr/local -type f -name '*.map' -delete

# Spark asks the system for the user's name: docker/entry.sh adds the owner's line to /etc/passwd
RUN useradd --uid 1000 --create-home fraudstream \
    && chgrp fraudstream /etc/passwd && chmod g+w /etc/passwd \
    && mkdir /app && chown fraudstream: /app
WORKDIR /app

# Kafka's and the connector's jars, outside of /app, which the project folder is mounted over
ENV FRAUDSTREAM_JARS_DIR=/opt/fraudstream/jars
COPY fraudstream/__init__.py fraudstream/errors.py fraudstream/
COPY fraudstream/runtime/__init__.py fraudstream/runtime/java.py fraudstream/runtime/jars.py fraudstream/runtime/jars.lock fraudstream/runtime/
RUN python -c "from pathlib import Path; from fraudstream.runtime.jars import jars; \
    [jars(name, Path('/opt/fraudstream/jars')) for name in ('spark', 'broker')]"

ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY docker/ /usr/local/lib/fraudstream/
COPY --chown=fraudstream . .
USER fraudstream
ENTRYPOINT ["sh", "/usr/local/lib/fraudstream/entry.sh"]
CMD ["python", "-m", "fraudstream", "run"]
