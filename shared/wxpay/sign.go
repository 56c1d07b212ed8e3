package wxpay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/doudi-aid/doudi/shared/outside"
)

// Scheme is the signature algorithm of every message, either way.
const Scheme = "WECHATPAY2-SHA256-RSA2048"

// Headers of what WeChat Pay signs.
const (
	HeaderSerial    = "Wechatpay-Serial"
	HeaderTimestamp = "Wechatpay-Timestamp"
	HeaderNonce     = "Wechatpay-Nonce"
	HeaderSignature = "Wechatpay-Signature"
	HeaderType      = "Wechatpay-Signature-Type" // absent is Scheme
)

// RequestText is what the merchant signs of a request; target is path and query.
func RequestText(method, target, timestamp, nonce string, body []byte) []byte {
	return []byte(method + "\n" + target + "\n" + timestamp + "\n" + nonce + "\n" + string(body) + "\n")
}

// AnswerText is what WeChat Pay signs of an answer or a callback.
func AnswerText(timestamp, nonce string, body []byte) []byte {
	return []byte(timestamp + "\n" + nonce + "\n" + string(body) + "\n")
}

// SignText is the base64 RSA-PKCS1v15-SHA256 signature of text.
func SignText(key crypto.Signer, random io.Reader, text []byte) (string, error) {
	sum := sha256.Sum256(text)
	sig, err := key.Sign(random, sum[:], crypto.SHA256)
	if err != nil {
		return "", errors.New("wxpay: signing failed")
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// Authorization is the header that signs a request.
func Authorization(key crypto.Signer, random io.Reader, mchID, serial, method, target, nonce string, now time.Time, body []byte) (string, error) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	sig, err := SignText(key, random, RequestText(method, target, timestamp, nonce, body))
	if err != nil {
		return "", err
	}
	return Scheme + ` mchid="` + mchID + `",nonce_str="` + nonce + `",timestamp="` + timestamp + `",serial_no="` + serial + `",signature="` + sig + `"`, nil
}

var (
	errHeaders = errors.New("wxpay: a signature header is absent or given twice")
	errScheme  = errors.New("wxpay: another signature scheme")
	errProbe   = errors.New("wxpay: the signature says of itself that it is a probe")
	errStale   = errors.New("wxpay: the time of the signature is too far from ours")
	errKey     = errors.New("wxpay: no live key of that serial")
	errWrong   = errors.New("wxpay: the signature does not fit")
)

// Verify checks what WeChat Pay signed against its live keys: platform
// certificates by serial and public keys by id, several at once while it moves
// from one to another. Errors say which check failed and quote nothing.
func Verify(keys map[string]*rsa.PublicKey, header http.Header, now time.Time, body []byte) error {
	for _, h := range []string{HeaderSerial, HeaderTimestamp, HeaderNonce, HeaderSignature} {
		// A header given twice is read differently by different programs.
		if len(header.Values(h)) != 1 || header.Get(h) == "" {
			return errHeaders
		}
	}
	if t := header.Values(HeaderType); len(t) > 1 || (len(t) == 1 && t[0] != Scheme) {
		return errScheme
	}
	if outside.Probe(header.Get(HeaderSignature)) {
		return errProbe
	}
	if !outside.Fresh(header.Get(HeaderTimestamp), now) {
		return errStale
	}
	key := keys[header.Get(HeaderSerial)]
	if key == nil {
		return errKey
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(header.Get(HeaderSignature))
	if err != nil {
		return errWrong
	}
	sum := sha256.Sum256(AnswerText(header.Get(HeaderTimestamp), header.Get(HeaderNonce), body))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return errWrong
	}
	return nil
}
