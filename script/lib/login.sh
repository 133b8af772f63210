# The first token, and where the command line finds it. Sourced after server.sh.
#
# The login is kept in MAGS_HOME/login.json (mode 0600), so that another run finds it again, and copied to MAGS_CONFIG
# unless that holds a login to another server.

# json_value FILE KEY: nothing when there is none. JSON may escape a slash.
json_value() {
    [ -r "$1" ] || return 0
    sed -n "s/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p" "$1" | head -n 1 | sed 's:\\/:/:g'
}

write_login() {
    local file=$1 url=$2 token=$3
    { mkdir -p "$(dirname "$file")" &&
        (umask 077 && printf '{\n  "api_url": "%s",\n  "api_token": "%s"\n}\n' "$url" "$token" >"$file.new") &&
        mv "$file.new" "$file"; } || die "cannot write the login to $file" \
        "Mend that, or set MAGS_CONFIG to a file of yours, and run this again. The server runs meanwhile."
}

# The token goes by a file, since arguments can be read by every user of the machine.
token_works() {
    local token=$1
    [ -n "$token" ] || return 1
    api '/api/v1/mags-jobs?page_size=1' --header @- >/dev/null 2>&1 <<<"Authorization: Bearer $token"
}

ensure_login() {
    local magsd=$1 url token theirs printed
    url=http://127.0.0.1:$(cat "$MAGS_HOME/port")
    token=$(json_value "$MAGS_HOME/login.json" api_token)
    if ! token_works "$token"; then
        printed=$("$magsd" token create --home "$MAGS_HOME" --name first) || die "could not make a token" \
            "magsd's log: $MAGS_HOME/log/magsd.log"
        token=$(tail -n 1 <<<"$printed" | awk '{ print $NF }')
        token_works "$token" || die "the server does not accept the token it has just made" \
            "magsd's log: $MAGS_HOME/log/magsd.log"
    fi
    write_login "$MAGS_HOME/login.json" "$url" "$token"

    theirs=$(json_value "$MAGS_CONFIG" api_url)
    # A login of the user's own to this server is as good as ours.
    if [ "$theirs" = "$url" ] && token_works "$(json_value "$MAGS_CONFIG" api_token)"; then return; fi
    # With our token it is ours although the port is another by now. Keys that others put there are kept.
    if [ ! -s "$MAGS_CONFIG" ] || [ "$theirs" = "$url" ] ||
        [ "$(json_value "$MAGS_CONFIG" api_token)" = "$token" ]; then
        { mkdir -p "$(dirname "$MAGS_CONFIG")" &&
            "$(dirname "$magsd")/mags" login --quiet --url "$url" <<<"$token"; } ||
            die "cannot save the login in $MAGS_CONFIG" \
                "Mend that, or set MAGS_CONFIG to a file of yours, and run this again. The server runs meanwhile."
        return
    fi
    say "  $MAGS_CONFIG is a login to ${theirs:-another server} and stays as it is. To use this server:"
    say "      export MAGS_CONFIG=$MAGS_HOME/login.json      (the mags command)"
    say "      export MAGS_API_URL=$url MAGS_API_TOKEN=\$(sed -n 's/.*\"api_token\": \"\\(.*\\)\".*/\\1/p' $MAGS_HOME/login.json)      (SDKs)"
}
