# Not built by this project's own checks: no container engine is assumed there.
#
#   docker build -t akgate .
#   docker run --rm -v $PWD/akgate.toml:/etc/akgate.toml:ro akgate serve --config /etc/akgate.toml
#
# The image has no PostgreSQL server.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin akgate

FROM debian:bookworm-slim
# For TLS to upstreams, mail servers and the database.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin akgate
COPY --from=build /src/target/release/akgate /usr/local/bin/akgate
USER 10001
ENTRYPOINT ["/usr/local/bin/akgate"]
