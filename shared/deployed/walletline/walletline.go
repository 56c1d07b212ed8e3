// Package walletline is the deployed line to WeChat Pay, in regions that pay into
// wallets: where it is and where its callbacks go, from the settings, and the
// merchant's keys, from the secret. Only functions that move money or find out
// what became of it import it.
package walletline

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/doudi-aid/doudi/shared/award"
	"github.com/doudi-aid/doudi/shared/deployed"
	"github.com/doudi-aid/doudi/shared/deployed/secrets"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/rail"
	"github.com/doudi-aid/doudi/shared/rail/wxpayrail"
	"github.com/doudi-aid/doudi/shared/wxpay"
)

// secret is what the operator puts into the wallet's secret. Keys are PEM, as
// WeChat Pay's console and its certificate tool give them; bytes are base64.
type secret struct {
	MchID      string            `json:"mch_id"`
	Serial     string            `json:"serial"` // of the merchant's certificate
	Key        string            `json:"key"`    // its private key, PKCS#8
	Platform   map[string]string `json:"platform"`
	Seal       string            `json:"seal"` // which of platform names are encrypted for
	APIv3Key   string            `json:"apiv3_key"`
	MaxFen     money.Fen         `json:"max_fen"` // of one transfer, as the console says
	PayeeKeyID string            `json:"payee_key_id"`
	PayeeKey   []byte            `json:"payee_key"`
}

// Line is where WeChat Pay is, in a region that uses it.
type Line struct {
	w                     *deployed.World
	on                    bool
	base, callback, appID string
	secret                secrets.Secret
}

// In is the line that the settings name. In a region that pays into no wallets
// nothing else is asked for.
func In(w *deployed.World) Line {
	l := Line{w: w, on: w.Settings.Enum("DOUDI_WXPAY", "no", "yes") == "yes"}
	if l.on {
		l.base, l.callback = w.Settings.Address("DOUDI_WXPAY_URL"), w.Settings.Address("DOUDI_WXPAY_CALLBACK")
		l.appID, l.secret = w.Settings.Text("DOUDI_WECHAT_APP_ID"), secrets.Named(w, "DOUDI_WXPAY_SECRET")
	}
	return l
}

// On reports whether the region pays into wallets.
func (l Line) On() bool { return l.on }

// Joined is the line of a region that uses it; the zero value is of one that does not.
type Joined struct {
	MchID  string
	AppID  string        // of the mini-program that people accept in
	Client *wxpay.Client // for statements
}

// Join puts the rail into rails, where the region uses it.
func (l Line) Join(ctx context.Context, r *secrets.Reading, rails rail.Set) (Joined, error) {
	if !l.on {
		return Joined{}, nil
	}
	s, err := secrets.Read[secret](ctx, r, l.secret)
	if err != nil {
		return Joined{}, err
	}
	c, err := s.config()
	if err != nil {
		return Joined{}, err
	}
	c.BaseURL, c.NotifyURL, c.AppID, c.HTTP, c.Now, c.Random = l.base, l.callback, l.appID, l.w.HTTP, l.w.Now, rand.Reader
	client, err := wxpay.New(c)
	if err != nil {
		return Joined{}, err
	}
	rails[award.WxPay] = wxpayrail.New(client, l.w.Table, c.MaxFen, l.w.Now, wait)
	return Joined{c.MchID, c.AppID, client}, nil
}

// idForm is how WeChat Pay names its keys: a serial number, or PUB_KEY_ID_ and digits.
var idForm = regexp.MustCompile(`^[0-9A-Za-z_]{1,64}$`)

// config says of a key only that it is wrong: what is wrong with it could quote it.
func (s secret) config() (wxpay.Config, error) {
	c := wxpay.Config{MchID: s.MchID, Serial: s.Serial, Platform: map[string]*rsa.PublicKey{}, Seal: s.Seal, APIv3Key: []byte(s.APIv3Key),
		Scene: wxpay.Subsidy, MaxFen: s.MaxFen, PayeeKeyID: s.PayeeKeyID, PayeeKey: s.PayeeKey}
	var wrong []error
	key, err := parse(s.Key, x509.ParsePKCS8PrivateKey)
	if private, ok := key.(*rsa.PrivateKey); err == nil && ok {
		c.Key = private
	} else {
		wrong = append(wrong, errors.New("walletline: key is not a PKCS#8 RSA key in PEM"))
	}
	for id, text := range s.Platform {
		if !idForm.MatchString(id) { // it could be a key that was pasted into the wrong place
			wrong = append(wrong, errors.New("walletline: a platform key has a name that is none"))
			continue
		}
		key, err := parse(text, x509.ParsePKIXPublicKey)
		public, ok := key.(*rsa.PublicKey)
		if err != nil || !ok {
			wrong = append(wrong, fmt.Errorf("walletline: platform key %s is not an RSA public key in PEM", id))
			continue
		}
		c.Platform[id] = public
	}
	return c, errors.Join(wrong...)
}

func parse(text string, read func([]byte) (any, error)) (any, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		return nil, errors.New("not one PEM block")
	}
	return read(block.Bytes)
}

// wait lets time pass, unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
