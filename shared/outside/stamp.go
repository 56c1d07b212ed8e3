package outside

import (
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"
)

// Window is how far a signed message's time may lie from ours, either way and
// inclusive, in seconds.
const Window = 300

// SignedText is what a signature on one of our own lines covers, each part on
// its own line: what kind of message it is (so that a request can never pass
// for an answer), method, path, Unix seconds, nonce, hex SHA-256 of the body.
func SignedText(kind, method, path, timestamp, nonce string, body []byte) []byte {
	return []byte(strings.Join([]string{kind, method, path, timestamp, nonce, Evidence(body)}, "\n") + "\n")
}

// Kinds of signed message. An answer's kind includes its HTTP status: see AnswerKind.
const (
	RequestKind  = "request"
	CallbackKind = "callback"
)

// AnswerKind is the kind of an answer with an HTTP status: "answer 404".
func AnswerKind(status int) string { return "answer " + strconv.Itoa(status) }

// Fresh reports whether timestamp, in canonical decimal Unix seconds, lies
// within Window of now.
func Fresh(timestamp string, now time.Time) bool {
	t, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || strconv.FormatInt(t, 10) != timestamp {
		return false
	}
	d := now.Unix() - t
	return d >= -Window && d <= Window
}

// Probe reports whether a signature says of itself that it is a test of
// whether we check signatures. It must be refused like any wrong one.
func Probe(signature string) bool { return strings.Contains(signature, "SIGNTEST/") }

// Nonce draws 128 random bits in hex.
func Nonce(r io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", &NoAnswer{Unsendable}
	}
	return hex.EncodeToString(b[:]), nil
}
