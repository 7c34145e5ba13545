# One image for each service: docker build --target api|worker|sink|nginx . (compose does it).
# Packages are installed in a stage of their own, from the lock file's hashes; the images carry no compiler and no pip.
ARG PYTHON=python:3.11-slim-bookworm
ARG NGINX=nginx:1.28-alpine
# What the worker computes with: openvino, or tensorflow, which makes its image 2 GB larger.
ARG ENGINE=openvino

FROM ${PYTHON} AS packages
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet --no-cache-dir uv \
    && python3 -m venv --without-pip /opt/venv
COPY locks /locks
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1

FROM packages AS api-packages
RUN /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes -r /locks/api.txt

FROM packages AS worker-packages
ARG ENGINE
RUN /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes -r /locks/worker-${ENGINE}.txt

FROM packages AS sink-packages
RUN /opt/uv/bin/uv pip install --quiet --python /opt/venv/bin/python --require-hashes -r /locks/sink.txt

FROM ${PYTHON} AS service
RUN useradd --system --uid 10001 --no-create-home leaf && install --directory --owner=leaf /var/lib/leafstream
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LEAF_VAR=/var/lib/leafstream
WORKDIR /app
COPY schemas schemas
USER leaf

FROM service AS api
COPY --from=api-packages /opt/venv /opt/venv
COPY models models
# For `python -m ops.leaf topics`, which prepares a broker.
COPY ops ops
COPY producer_api producer_api
ENV LEAF_API_HOST=0.0.0.0
EXPOSE 8000
CMD ["python", "-m", "producer_api"]

FROM service AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY models models
COPY stream_workers stream_workers
ARG ENGINE
ENV LEAF_WORKER_ENGINE=${ENGINE} LEAF_WORKER_METRICS_PORT=9100
EXPOSE 9100
CMD ["python", "-m", "stream_workers"]

FROM service AS sink
COPY --from=sink-packages /opt/venv /opt/venv
COPY result_sink result_sink
ENV LEAF_SINK_METRICS_PORT=9100
EXPOSE 9100
CMD ["python", "-m", "result_sink"]

# The official image's entry point renders the templates with the environment.
FROM ${NGINX} AS nginx
RUN mkdir /run/leafstream && chown nginx /run/leafstream
COPY nginx/*.template /etc/nginx/templates/
COPY frontend /srv/frontend
ENV NGINX_ENVSUBST_OUTPUT_DIR=/run/leafstream NGINX_ENVSUBST_FILTER=^LEAF_ \
    LEAF_NGINX_DIR=/run/leafstream LEAF_NGINX_USER="" LEAF_ACCESS_LOG=/dev/stdout \
    LEAF_LISTEN=8080 LEAF_FRONTEND=/srv/frontend LEAF_POST_RATE=50 LEAF_POST_BURST=200 \
    LEAF_UPSTREAM="resolver 127.0.0.11 valid=5s ipv6=off; server api:8000 resolve max_fails=1 fail_timeout=2s;"
USER nginx
EXPOSE 8080
CMD ["nginx", "-e", "stderr", "-c", "/run/leafstream/nginx.conf"]
