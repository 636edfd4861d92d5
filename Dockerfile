# The service in a container: `docker compose up`, or
#
#     docker build -t resnet-serve . && docker run --init --read-only --tmpfs /tmp -p 8000:8000 resnet-serve
#
# TORCH_INDEX_URL is the package index that PyTorch is taken from: by default the one of the builds without
# CUDA; empty means pip's default index, whose Linux builds bring CUDA along (about 6 GB).

FROM python:3.11-slim AS builder
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ENV PATH=/opt/venv/bin:$PATH \
    PIP_CONSTRAINT=/build/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml constraints.txt ./
RUN python -m venv /opt/venv && python -m pip install pip
RUN [ -z "$TORCH_INDEX_URL" ] \
    || pip install --no-deps --index-url "$TORCH_INDEX_URL" torch torchvision
# The version and the two texts belong to the metadata that pip asks for; no dependency follows from what they say.
COPY app/__init__.py app/
RUN touch README.md LICENSE \
    && pip install --build-constraint constraints.txt --only-deps '.[serve]'
COPY models models
COPY app app
# Compiled here, as the running container writes nothing; by hash, as copying changes the files' times.
RUN python -m compileall -q --invalidation-mode unchecked-hash models app

FROM python:3.11-slim
LABEL org.opencontainers.image.title="resnet-serve" \
      org.opencontainers.image.description="Classifies images with a ResNet-18 over HTTP" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin serve
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RESNET_SERVE_HOST=0.0.0.0 \
    PORT=8000
WORKDIR /srv
COPY --from=builder /opt/venv /opt/venv
COPY LICENSE ./
COPY --from=builder /build/models models
COPY --from=builder /build/app app
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# http.client, as it goes past any proxy that the environment names. Not /health/ready: under more load than it can
# take the service is not ready, and to be restarted for that would not help it. It listens once the model is loaded.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
port = int(os.environ.get('RESNET_SERVE_PORT') or os.environ['PORT']); \
connection = http.client.HTTPConnection('127.0.0.1', port, timeout=4); \
connection.request('GET', '/health/live'); \
sys.exit(connection.getresponse().status != 200)"]
CMD ["python", "-m", "app", "serve"]
