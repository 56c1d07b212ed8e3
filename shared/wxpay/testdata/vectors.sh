#!/bin/sh
# Makes the vectors beside this file with openssl and Python's cryptography, and
# throws the private key away: a new run makes other, equally good vectors.
set -eu
cd "$(dirname "$0")"
key=$(mktemp)
trap 'rm -f "$key"' EXIT
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$key" 2>/dev/null
openssl pkey -in "$key" -pubout -out public.pem
printf '%s' '{"out_bill_no":"5b9re7a9g9v464kc6z9h92re4m","state":"WAIT_USER_CONFIRM","package_info":"cGFja2FnZQ=="}' >answer.json
{ printf '1795320000\nc5ac7061fccab6bf3e254dcf98995b8c\n'; cat answer.json; printf '\n'; } |
	openssl dgst -sha256 -sign "$key" | openssl base64 -A >answer.sig
python3 - <<'PY'
import base64, json
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
plain = json.dumps({"out_bill_no": "5b9re7a9g9v464kc6z9h92re4m", "transfer_bill_no": "1330000071100999991182020050700019480001",
    "state": "SUCCESS", "mch_id": "1900000109", "transfer_amount": 300000, "openid": "oTest-openid-1",
    "create_time": "2026-11-22T18:24:03+08:00", "update_time": "2026-11-22T18:30:00+08:00"}, separators=(",", ":")).encode()
sealed = AESGCM(b"0123456789abcdef0123456789abcdef").encrypt(b"fdasflkja484", plain, b"mch_payment")
with open("callback.json", "w") as out:
    json.dump({"id": "EV-2018022511223320873", "create_time": "2026-11-22T18:30:00+08:00", "resource_type": "encrypt-resource",
        "event_type": "MCHTRANSFER.BILL.FINISHED", "summary": "bill finished",
        "resource": {"original_type": "mch_payment", "algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.b64encode(sealed).decode(),
                     "associated_data": "mch_payment", "nonce": "fdasflkja484"}}, out, separators=(",", ":"))
PY
