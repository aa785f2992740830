# One image for everything but Kafka (the run, JupyterLab, Spark's master and workers), so that driver and executors
# have the same version. Layers that change least come first: system, Python packages, jars, the project. Built and
# tested on amd64; all it installs exists for arm64.
FROM python:3.11-slim-bookworm

# Java; and `become`, the only privilege of the image's user: it switches to the owner of the mounted project folder, so
# that this user owns what a run writes (see docker/entry.sh). No container of the image starts as root.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        openjdk-17-jre-headless libcap2-bin \
    && cp /usr/bin/setpriv /usr/local/bin/become \
    && setcap cap_setuid,cap_setgid+ep /usr/local/bin/become \
    && apt-get purge -y -qq --auto-remove libcap2-bin \
    && apt-get clean && rm -rf /var/lib/apt/lists/*

# Left out, 350 MB: what only the project's tests need (requirements-tests.txt), the packages' own tests (numpy imports
# its own), and source maps of JavaScript
COPY requirements.txt /tmp/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes \
        -r /tmp/requirements.txt \
    && find /usr/local/lib/python3* -path '*/numpy' -prune -o -type d -name tests -prune -exec rm -rf {} + \
    && find /usr/local -type f -name '*.map' -delete

# Spark looks up the user's name: docker/entry.sh adds a line for the owner to /etc/passwd
RUN useradd --uid 1000 --create-home fraudstream \
    && chgrp fraudstream /etc/passwd && chmod g+w /etc/passwd \
    && mkdir /app && chown fraudstream: /app
WORKDIR /app

# jars of Kafka and of the connector, outside /app, because the project folder is mounted over /app
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
