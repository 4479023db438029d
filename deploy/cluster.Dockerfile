# The image of nodes of a Ray cluster and of Dagster's processes: Tidzam's with the extra `cluster`. docs/cluster.md
#   docker build -t tidzam -f deploy/Dockerfile . && docker build -t tidzam-cluster -f deploy/cluster.Dockerfile deploy
ARG TIDZAM_IMAGE=tidzam
FROM ${TIDZAM_IMAGE}

USER root
# wget: KubeRay's probes call it. ffmpeg: decodes recordings, as the nodes hear them.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ffmpeg wget \
 && rm -rf /var/lib/apt/lists/*
# In a home of its own: what root writes into /data would stay root's.
RUN TIDZAM_HOME=/tmp/home ./tidzam check --extra cluster && rm -rf /tmp/home

USER tidzam
# KubeRay and Dagster's chart call `ray`, `dagster` and `dagster-daemon`, and expect no entry point.
ENV PATH=/opt/tidzam/.venv/bin:$PATH \
    RAY_USAGE_STATS_ENABLED=0 \
    DAGSTER_DISABLE_TELEMETRY=1
ENTRYPOINT []
CMD ["ray", "--help"]
