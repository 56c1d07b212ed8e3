package sms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// What is called, and in which version.
const (
	Action  = "SendSms"
	Version = "2021-01-11"
)

const (
	algorithm     = "TC3-HMAC-SHA256"
	service       = "sms"
	contentType   = "application/json; charset=utf-8"
	signedHeaders = "content-type;host;x-tc-action"
)

// Authorization is the header that signs a POST of body to host at now.
func Authorization(secretID, secretKey, host string, now time.Time, body []byte) string {
	day := now.UTC().Format("2006-01-02")
	scope := day + "/" + service + "/tc3_request"
	canonical := strings.Join([]string{
		"POST", "/", "",
		"content-type:" + contentType,
		"host:" + strings.ToLower(host),
		"x-tc-action:" + strings.ToLower(Action),
		"", signedHeaders, digest(body),
	}, "\n")
	text := strings.Join([]string{algorithm, strconv.FormatInt(now.Unix(), 10), scope, digest([]byte(canonical))}, "\n")
	key := mac(mac(mac([]byte("TC3"+secretKey), day), service), "tc3_request")
	return algorithm + " Credential=" + secretID + "/" + scope + ", SignedHeaders=" + signedHeaders +
		", Signature=" + hex.EncodeToString(mac(key, text))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
