# Headgate. `docker build -t headgate .`, then for example
#   docker run -e HEADGATE_CONTROL_PASSWORD=… -p 4306:4306 headgate run \
#       --server db1:3306 --server db2:3306 --control-user headgate
#
# Everything is set by flags, HEADGATE_CONTROL_PASSWORD, or a file mounted as /etc/headgate/headgate.toml.
ARG RUST_IMAGE=rust:1-slim-trixie
ARG BASE_IMAGE=debian:trixie-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin headgate

FROM ${BASE_IMAGE}
COPY --from=build /src/target/release/headgate /usr/local/bin/headgate
COPY compose/headgate/healthcheck /usr/local/bin/headgate-healthcheck

# The certificate and keys that Headgate makes for itself; a volume here keeps them.
ENV STATE_DIRECTORY=/var/lib/headgate
RUN mkdir -p /var/lib/headgate && chown 4306:4306 /var/lib/headgate

# A number, so that an orchestrator can see that it is not root.
USER 4306:4306
EXPOSE 4306 4307 4308
HEALTHCHECK --interval=5s --timeout=5s CMD ["headgate-healthcheck", "/healthz"]
ENTRYPOINT ["headgate"]
CMD ["run"]
