package wxpay

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"

	"github.com/doudi-aid/doudi/shared/outside"
)

// What a callback about a bill says of itself.
const (
	eventFinished = "MCHTRANSFER.BILL.FINISHED"
	resourceType  = "encrypt-resource"
	cipherName    = "AEAD_AES_256_GCM"
)

// Callback is WeChat Pay's news that a bill is final. It is a reason to Query, not
// an outcome.
type Callback struct {
	// ID is of the message, the same when WeChat Pay sends it again.
	ID string
	Result
}

var idForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,36}$`)

// ParseCallback verifies a callback over its raw bytes, opens it and reads it.
// Faults: ErrCallbackTooLarge, ErrCallbackUnverified, ErrCallbackMalformed,
// ErrCallbackForeign.
func (c *Client) ParseCallback(header http.Header, raw []byte) (Callback, error) {
	if int64(len(raw)) > outside.DefaultLimit {
		return Callback{}, ErrCallbackTooLarge
	}
	if err := Verify(c.config.Platform, header, c.config.Now(), raw); err != nil {
		return Callback{}, ErrCallbackUnverified.Because(err)
	}
	id, plain, err := openCallback(c.config.APIv3Key, raw)
	if err != nil {
		return Callback{}, ErrCallbackMalformed.Because(err)
	}
	b, err := ParseBill(plain)
	if err != nil || !b.Status.Final() || b.AmountFen == 0 || b.OpenID.Empty() || !b.Package.Empty() {
		return Callback{}, ErrCallbackMalformed
	}
	if b.MchID != c.config.MchID || (b.AppID != "" && b.AppID != c.config.AppID) {
		return Callback{}, ErrCallbackForeign
	}
	return Callback{ID: id, Result: c.result(Result{BillNo: b.BillNo, Evidence: outside.Evidence(raw)}, b, nil)}, nil
}

var (
	errEnvelope = errors.New("wxpay: not a notification about a transfer")
	errSealed   = errors.New("wxpay: the resource does not open")
)

// openCallback is the id of a notification and its resource in the clear.
func openCallback(key, raw []byte) (id string, plain []byte, err error) {
	o, err := outside.Object(raw)
	if err != nil {
		return "", nil, errEnvelope
	}
	var event, kind string
	if outside.Take(o, "id", &id) != nil || outside.Take(o, "event_type", &event) != nil || outside.Take(o, "resource_type", &kind) != nil ||
		!idForm.MatchString(id) || event != eventFinished || kind != resourceType {
		return "", nil, errEnvelope
	}
	r, err := outside.Object(o["resource"])
	if err != nil {
		return "", nil, errEnvelope
	}
	var algorithm, ciphertext, aad, nonce string
	for name, field := range map[string]*string{"algorithm": &algorithm, "ciphertext": &ciphertext, "associated_data": &aad, "nonce": &nonce} {
		if outside.Take(r, name, field) != nil {
			return "", nil, errEnvelope
		}
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(ciphertext)
	if algorithm != cipherName || len(nonce) != 12 || err != nil {
		return "", nil, errEnvelope
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", nil, errSealed
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", nil, errSealed
	}
	if plain, err = gcm.Open(nil, []byte(nonce), sealed, []byte(aad)); err != nil {
		return "", nil, errSealed
	}
	return id, plain, nil
}
