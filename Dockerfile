# The service in a container: `docker compose up`, or
#
#     docker build -t resnet-serve . && docker run --init --read-only --tmpfs /tmp -p 8000:8000 resnet-serve
#
# Targets, by `--target`; the default is the last one:
#     slim   classifies with a model's stored OpenVINO network, without PyTorch: 501 for what needs it
#     train  `python -m training`, with its packages; reads and writes /srv/data, /srv/runs and /srv/models/weights
#     serve  the whole service
#
# TORCH_INDEX_URL is the package index that PyTorch is taken from: by default the one of the builds without
# CUDA; empty means pip's default index, whose Linux builds bring CUDA along (about 6 GB). EXTRAS are the extras of
# pyproject.toml that the whole service is to have, such as `serve,feedback,heic,tracing`.

FROM python:3.11-slim AS packages
ENV PATH=/opt/venv/bin:$PATH \
    PIP_CONSTRAINT=/build/constraints.txt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml constraints.txt ./
RUN python -m venv /opt/venv && python -m pip install pip
# Writes the bill of materials of each image, /opt/venv/sbom.json in CycloneDX's format.
RUN python -m venv /opt/sbom && /opt/sbom/bin/pip install --no-cache-dir cyclonedx-bom
# The version and the two texts belong to the metadata that pip asks for; no dependency follows from what they say.
COPY app/__init__.py app/
RUN touch README.md LICENSE \
    && pip install --build-constraint constraints.txt --only-deps '.[slim]'
# Devices and file formats that serving asks OpenVINO for nothing of; training reads PyTorch's networks by it.
ENV UNUSED_OPENVINO="openvino/libs/cache.json \
openvino/libs/libopenvino_intel_gpu_plugin.so* openvino/libs/libopenvino_intel_npu_plugin.so* \
openvino/libs/libopenvino_gguf_frontend.so* openvino/libs/libopenvino_onnx_frontend.so* \
openvino/libs/libopenvino_paddle_frontend.so* openvino/libs/libopenvino_pytorch_frontend.so* \
openvino/libs/libopenvino_tensorflow*.so*"

FROM python:3.11-slim AS code
WORKDIR /build
COPY models models
COPY app app
COPY training training
# Compiled here, as the running container writes nothing; by hash, as copying changes the files' times.
RUN python -m compileall -q --invalidation-mode unchecked-hash models app training

FROM python:3.11-slim AS user
LABEL org.opencontainers.image.title="resnet-serve" \
      org.opencontainers.image.description="Classifies images with a ResNet-18 over HTTP" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin serve
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /srv
COPY LICENSE ./

FROM user AS service
# The last gives what a large image took back as soon as it is done; without it, glibc keeps so much that many large
# images at once go beyond a limit of 512 MiB (https://man7.org/linux/man-pages/man3/mallopt.3.html).
ENV RESNET_SERVE_HOST=0.0.0.0 \
    PORT=8000 \
    MALLOC_MMAP_THRESHOLD_=1048576
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# http.client, as it goes past any proxy that the environment names. Not /health/ready: a service that is being stopped
# is not ready, and is well all the same. It listens once the model is loaded.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
port = int(os.environ.get('RESNET_SERVE_PORT') or os.environ['PORT']); \
connection = http.client.HTTPConnection('127.0.0.1', port, timeout=4); \
connection.request('GET', '/health/live'); \
sys.exit(connection.getresponse().status != 200)"]
CMD ["python", "-m", "app", "serve"]

FROM packages AS slim-packages
# Without pip, with which nothing is installed later.
RUN cd /opt/venv/lib/python3.11/site-packages \
    && rm -rf $UNUSED_OPENVINO numpy/*/tests numpy/tests pip pip-*.dist-info \
    && /opt/sbom/bin/cyclonedx-py environment --output-file /opt/venv/sbom.json /opt/venv/bin/python

FROM service AS slim
COPY --from=slim-packages /opt/venv /opt/venv
COPY --from=code /build/models models
COPY --from=code /build/app app

FROM packages AS torch-packages
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
RUN [ -z "$TORCH_INDEX_URL" ] \
    || pip install --no-deps --index-url "$TORCH_INDEX_URL" torch
ARG EXTRAS=serve
RUN pip install --build-constraint constraints.txt --only-deps ".[$EXTRAS]" \
    && /opt/sbom/bin/cyclonedx-py environment --output-file /opt/venv/sbom.json /opt/venv/bin/python

FROM torch-packages AS serve-packages
# As above, and PyTorch's own tests, where its build brings them.
RUN cd /opt/venv/lib/python3.11/site-packages \
    && rm -rf $UNUSED_OPENVINO numpy/*/tests numpy/tests torch/test torch/bin/*[Tt]est* torch/bin/protoc*

FROM torch-packages AS train-packages
RUN [ -z "$TORCH_INDEX_URL" ] \
    || pip install --no-deps --index-url "$TORCH_INDEX_URL" torchvision
RUN pip install --build-constraint constraints.txt --only-deps '.[train]' \
    && /opt/sbom/bin/cyclonedx-py environment --output-file /opt/venv/sbom.json /opt/venv/bin/python

FROM user AS train
COPY --from=train-packages /opt/venv /opt/venv
COPY --from=code /build/models models
COPY --from=code /build/training training
USER 10001:10001
# The user may be any, without a home.
ENV MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]

FROM service AS serve
COPY --from=serve-packages /opt/venv /opt/venv
COPY --from=code /build/models models
COPY --from=code /build/app app
