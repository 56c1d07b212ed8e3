#!/bin/sh
# Makes the signature in TestSignature with openssl and nothing of ours.
# Method: cloud.tencent.com/document/api/382/55981 (signature v3).
set -eu
body='{"PhoneNumberSet":["+8619901000001"]}'
stamp=$(date -u -d '2026-11-22 15:30:00' +%s)
day=2026-11-22
sha() { openssl dgst -sha256 -hex | sed 's/.* //'; }
mac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -hex | sed 's/.* //'; }
hashed=$(printf '%s' "$body" | sha)
canonical=$(printf 'POST\n/\n\ncontent-type:application/json; charset=utf-8\nhost:sms.tencentcloudapi.com\nx-tc-action:sendsms\n\ncontent-type;host;x-tc-action\n%s' "$hashed")
text=$(printf 'TC3-HMAC-SHA256\n%s\n%s/sms/tc3_request\n%s' "$stamp" "$day" "$(printf '%s' "$canonical" | sha)")
first=$(printf 'TC3EXAMPLEKEY' | od -An -tx1 | tr -d ' \n')
k1=$(printf '%s' "$day" | mac "$first")
k2=$(printf 'sms' | mac "$k1")
k3=$(printf 'tc3_request' | mac "$k2")
printf '%s' "$text" | mac "$k3"
