#!/bin/sh
# Starts a server of MinIO, or of Silo, its fork, and creates the users of VidP's programs. Each start sets their secret keys
# and the policies in this folder, so that a new value in .env or in the Secret takes effect.
#
#   MINIO_ROOT_USER, MINIO_ROOT_PASSWORD      the operator, whose key no program of VidP has
#   S3_API_ACCESS_KEY, S3_API_SECRET_KEY      the API, with the rights of api.json
#   S3_LANGSCALE_…, S3_DOWNSCALE_…, S3_SUBTITLE_…      the workers, each with the rights of its policy
#
# The image has a shell and `mc`, and few other tools.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)
for value in "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" \
  "$S3_API_ACCESS_KEY" "$S3_LANGSCALE_ACCESS_KEY" "$S3_DOWNSCALE_ACCESS_KEY" "$S3_SUBTITLE_ACCESS_KEY" \
  "$S3_API_SECRET_KEY" "$S3_LANGSCALE_SECRET_KEY" "$S3_DOWNSCALE_SECRET_KEY" "$S3_SUBTITLE_SECRET_KEY"; do
  case $value in
    "" | *replace-me*)
      echo "minio.sh: a user of the object store has no key: generate the secrets with scripts/make-secrets.py" >&2
      exit 1
      ;;
  esac
done

# No process list shows a secret key: the alias is an environment variable, and `mc` reads a user's key from its input.
export MC_CONFIG_DIR=/tmp/mc
export MC_HOST_vidp="http://$MINIO_ROOT_USER:$MINIO_ROOT_PASSWORD@127.0.0.1:9000"

user() {
  mc admin policy create vidp "vidp-$1" "$scripts/$1.json" &&
    printf '%s\n%s\n' "$2" "$3" | mc admin user add vidp &&
    mc admin policy attach vidp "vidp-$1" --user "$2"
}

users() {
  mc ready vidp &&
    user api "$S3_API_ACCESS_KEY" "$S3_API_SECRET_KEY" &&
    user langscale "$S3_LANGSCALE_ACCESS_KEY" "$S3_LANGSCALE_SECRET_KEY" &&
    user downscale "$S3_DOWNSCALE_ACCESS_KEY" "$S3_DOWNSCALE_SECRET_KEY" &&
    user subtitle "$S3_SUBTITLE_ACCESS_KEY" "$S3_SUBTITLE_SECRET_KEY"
}

# $$ is the server by then. The loop ends when the server does.
(until users; do sleep 3; kill -0 $$ || exit; done; echo "minio.sh: the users have their keys and rights") &

# The environment of the server contains no key but its own.
unset MC_CONFIG_DIR MC_HOST_vidp
for user in API LANGSCALE DOWNSCALE SUBTITLE; do
  unset "S3_${user}_ACCESS_KEY" "S3_${user}_SECRET_KEY"
done
server=$(command -v silo || command -v minio)
exec "$server" "$@"
