# The program in an image that holds nothing else: `docker build -t mock-data-gen .`

# The whole Debian image of Rust, because librdkafka, OpenSSL and jemalloc are compiled: it has gcc, make, bash, perl and a CA bundle.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release && \
    cp target/release/mock-data-gen /usr/local/bin/

# The same Debian: the program needs glibc, libm and libgcc_s of it, and no more.
FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="mock-data-gen" \
      org.opencontainers.image.description="A deterministic, replayable stream of correlated OpenRTB 2.6 ad-tech events, played into Apache Kafka" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/mock-data-gen /usr/local/bin/mock-data-gen
# A number, so that Kubernetes' runAsNonRoot can see that it is not root. The program writes only what its options name.
USER 65532:65532
ENV MDG_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["mock-data-gen", "health"]
# It drains for at most 4 s and has ended after 5: Docker's 10 s are enough.
STOPSIGNAL SIGTERM
ENTRYPOINT ["mock-data-gen"]
