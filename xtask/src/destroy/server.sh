#!/bin/sh
# Answers as git's own backend does, or bends its answer in the way that the file `fault` beside it names.
own=${0%/*}
fault=$(cat "$own/fault" 2>/dev/null)
test -n "$fault" || exec BACKEND

body=$own/body.$$
out=$own/out.$$
trap 'rm -f "$body" "$out"' EXIT
head -c "${CONTENT_LENGTH:-0}" >"$body"
if test "$HTTP_CONTENT_ENCODING" = gzip; then
    zcat <"$body" >"$out" && mv "$out" "$body"
    unset HTTP_CONTENT_ENCODING
fi
CONTENT_LENGTH=$(wc -c <"$body")
export CONTENT_LENGTH
step=fetch
if test "$REQUEST_METHOD" = GET || head -c 60 "$body" | grep -qa command=ls-refs; then
    step=list
fi

answer() {
    BACKEND <"$body" >"$out"
    size=$(wc -c <"$out")
}
wait_for_the_end() {
    touch "$own/waits"
    while test -e "$own/fault"; do sleep 0.2; done
}
# All that bends a pack leaves the list of refs alone.
only_fetch() {
    test "$step" = fetch || { answer; cat "$out"; exit; }
}

case $fault in
[45]*) printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n' "$fault" ;;
redirect)
    path=$(echo "$PATH_INFO" | sed s/app/other/)
    printf 'Status: 302\r\nLocation: http://%s%s?%s\r\n\r\n' "$HTTP_HOST" "$path" "$QUERY_STRING"
    ;;
page) printf 'Content-Type: text/html\r\n\r\n<html>Please log in.</html>\n' ;;
silent) wait_for_the_end ;;
half) only_fetch; answer; head -c $((size / 2)) "$out" ;;
flipped) only_fetch; answer; printf '\125' | dd of="$out" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null; cat "$out" ;;
stalled) only_fetch; answer; head -c $((size / 2)) "$out"; wait_for_the_end ;;
drips)
    only_fetch
    answer
    i=0
    touch "$own/waits"
    while test -e "$own/fault" -a $i -lt "$size"; do
        tail -c +$((i + 1)) "$out" | head -c 1
        i=$((i + 1))
        sleep 0.1
    done
    ;;
other)
    # The pack of another repository, for whatever was asked.
    only_fetch
    PATH_INFO=$(echo "$PATH_INFO" | sed s/app/other/)
    export PATH_INFO
    sed -i "s/want [0-9a-f]\{40\}/want $(cat "$own/other")/" "$body"
    answer
    cat "$out"
    ;;
esac
