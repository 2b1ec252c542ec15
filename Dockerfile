# Gateway 112 in a container. One image, two roles, so that either can be restarted without the other:
#   gateway112 asterisk    Asterisk alone: calls
#   gateway112 serve       the gateway alone: history and API
# compose.yaml puts them together, with PostgreSQL.

FROM debian:forky-slim

# Debian's testing suite carries Asterisk 22. Its Release file can be past its date; its signature is checked all the same.
RUN apt-get -o Acquire::Check-Valid-Until=false update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        asterisk asterisk-core-sounds-en-gsm ca-certificates espeak-ng ffmpeg postgresql-client python3-venv sip-tester \
        tzdata \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10112 --user-group --home-dir /var/lib/gateway112 --shell /usr/sbin/nologin gateway112 \
    && install -d -o gateway112 -g gateway112 /var/lib/gateway112/var /var/lib/gateway112/recordings

WORKDIR /srv/gateway112

# For networks that inspect TLS: --build-arg PIP_CERT=<a certificate file that the build can see>.
ARG PIP_CERT
ARG PIP_NO_CACHE_DIR=1

# First what changes seldom, so that a new version of the gateway is built from here on in seconds.
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY setup/ setup/
RUN setup/venv.sh packages
COPY dialplan/ dialplan/
RUN setup/prompts.sh
COPY asterisk-config/ asterisk-config/
COPY gateway/ gateway/
RUN setup/venv.sh \
    && ln -s /srv/gateway112/.venv/bin/gateway112 /usr/local/bin/gateway112

ENV GATEWAY112_PATHS_VAR=/var/lib/gateway112/var \
    GATEWAY112_PATHS_RECORDINGS=/var/lib/gateway112/recordings \
    PYTHONUNBUFFERED=1

USER gateway112
VOLUME ["/var/lib/gateway112/var", "/var/lib/gateway112/recordings"]
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=10s --start-period=20s \
    CMD ["/srv/gateway112/.venv/bin/python", "-m", "gateway.doctor.alive"]

ENTRYPOINT ["gateway112"]
CMD ["serve"]
