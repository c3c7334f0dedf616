# The image of gtmdns: DNS on port 53 without root, configuration in /etc/gtmdns.
#
#   docker run -p 53:53/udp -p 53:53/tcp -v "$PWD/my-config:/etc/gtmdns:ro" gtmdns
#
# docs/guide/docker.md tells more: port 53, Kubernetes, the HTTP API.

FROM python:3.11-slim AS build
WORKDIR /src
# --copies: an interpreter of its own, which alone is given a capability below
RUN python3 -m venv --copies /opt/gtmdns \
    && cd /opt/gtmdns/bin && ln -sf python python3 && ln -sf python python3.11
# For the compiled path; without a compiler the pure one answers.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev \
    || echo "no compiler could be installed: this image will answer by the pure path"
COPY pyproject.toml setup.py README.md ./
COPY gtmdns gtmdns
COPY geoip geoip
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/gtmdns/bin/python -m pip install --disable-pip-version-check --quiet . \
    && /opt/gtmdns/bin/python -m pip uninstall --yes --quiet setuptools pip


FROM python:3.11-slim
COPY --from=build /opt/gtmdns /opt/gtmdns
COPY config/image /etc/gtmdns

# What `setcap cap_net_bind_service=+ep` writes, without a package for it: revision 2 with the
# effective flag, permitted bit 10 (linux/capability.h). Set in this stage, because not every
# builder keeps extended attributes when it copies.
RUN python3 -c 'import os, struct; os.setxattr("/opt/gtmdns/bin/python", "security.capability", \
    struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))'

ENV PATH="/opt/gtmdns/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    GTMDNS_HEALTH_SERVER="127.0.0.1:53"

# Numeric, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 53/udp 53/tcp 8053/tcp
VOLUME /etc/gtmdns

# Any answer will do, REFUSED for the root included: exit code 3 alone says that none came.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD gtmdns measure . SOA -n 1 --timeout 1 --server "$GTMDNS_HEALTH_SERVER" >/dev/null; test $? -ne 3

ENTRYPOINT ["gtmdns"]
CMD ["serve", "/etc/gtmdns"]

ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="gtmdns" \
      org.opencontainers.image.description="An authoritative DNS server that steers traffic by weight, by place and by health" \
      org.opencontainers.image.version="$VERSION"
