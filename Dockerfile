# The bridge as a container: docker build -t rancher-traefik-bridge:0.1.0 .
# It runs as nobody in particular, writes no file, and needs no shell: read_only, cap_drop ALL, no tmpfs.
# A tag can be moved. To hold the very image that you have tried, put its digest behind both FROMs' tags:
# python:3.11.14-slim-bookworm@sha256:…, as `docker images --digests python` shows it.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
# etcd3 comes as source only. What it and the bridge are built with is pinned too, hence no isolation, which would fetch
# its own.
RUN pip install --require-hashes --no-deps -r requirements-build.txt
RUN pip wheel --require-hashes --no-deps --no-build-isolation --wheel-dir /wheels -r requirements.txt
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY bridge ./bridge
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .
# The bytecode is compiled here: nobody may write it later.
RUN python -m venv --without-pip /opt/bridge
RUN pip --python /opt/bridge/bin/python install --no-index --no-deps --compile /wheels/*.whl

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="rancher-traefik-bridge" \
      org.opencontainers.image.description="Publishes services of Rancher 1.x as routes for Traefik in etcd or Consul" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/bridge /opt/bridge
ENV PATH=/opt/bridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BRIDGE_SOURCE=http://rancher-metadata \
    BRIDGE_HTTP=127.0.0.1:8090
# A number: no host and no orchestrator can look up a name that only the image knows.
USER 65532:65532
STOPSIGNAL SIGTERM
# It asks where BRIDGE_HTTP says: so say another address by the variable, not by the flag.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bridge", "healthcheck"]
ENTRYPOINT ["bridge"]
CMD ["run"]
