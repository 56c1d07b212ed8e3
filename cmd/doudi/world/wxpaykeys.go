package world

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/wxpay"
)

// WxPayKeys are both ends of the line to WeChat Pay.
type WxPayKeys struct {
	MchID, Serial string
	Client        *rsa.PrivateKey // ours
	Own, Next     *rsa.PrivateKey // the provider's public-key mode, and the certificate it moves from
	APIv3         []byte
	Payee         []byte
}

// Ids of WeChat Pay's keys.
const (
	wxpayOwnID  = "PUB_KEY_ID_0111111111112026010100000001"
	wxpayNextID = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
)

var wxpayKeys sync.Map // seed → func() WxPayKeys: making keys takes a while, and most worlds need none

// WxPay derives the keys of the WeChat Pay line from the same seed as all others.
func (k Keys) WxPay() WxPayKeys {
	made, _ := wxpayKeys.LoadOrStore(string(k.PayeeKey), sync.OnceValue(func() WxPayKeys {
		seed := hexOf(k.PayeeKey)
		return WxPayKeys{MchID: "1900000109", Serial: "4015D5B5A4E1D2C3B4A5968778695A4B3C2D1E0F",
			Client: rsaKey(seed, "wxpay client"), Own: rsaKey(seed, "wxpay own"), Next: rsaKey(seed, "wxpay next"),
			APIv3: []byte(hexOf(derive(seed, "wxpay apiv3"))[:32]), Payee: derive(seed, "wxpay payee")}
	}))
	f, _ := made.(func() WxPayKeys)
	return f()
}

// rsaKey derives a 2048-bit key. crypto/rsa makes none from a seed, and this is
// for keys that protect nothing.
func rsaKey(seed, what string) *rsa.PrivateKey {
	const e = 65537
	one := big.NewInt(1)
	prime := func(which string) *big.Int {
		for n := uint64(0); ; n++ {
			var raw []byte
			for part := range uint64(4) {
				sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(derive(seed, what+" "+which), n), part))
				raw = append(raw, sum[:]...)
			}
			raw[0] |= 0xc0
			raw[len(raw)-1] |= 1
			p := new(big.Int).SetBytes(raw)
			if new(big.Int).Mod(new(big.Int).Sub(p, one), big.NewInt(e)).Sign() != 0 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
	p, q := prime("p"), prime("q")
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e}, D: new(big.Int).ModInverse(big.NewInt(e), phi), Primes: []*big.Int{p, q}}
	key.Precompute()
	return key
}

// WxPayConfig configures our side of the WeChat Pay line; notify is where its
// callbacks are to go.
func (k Keys) WxPayConfig(base, notify string, hc *http.Client, now func() time.Time) wxpay.Config {
	w := k.WxPay()
	return wxpay.Config{BaseURL: base, HTTP: hc, MchID: w.MchID, AppID: k.WeChatAppID, Serial: w.Serial, Key: w.Client,
		Platform: map[string]*rsa.PublicKey{wxpayOwnID: &w.Own.PublicKey, wxpayNextID: &w.Next.PublicKey}, Seal: wxpayOwnID,
		APIv3Key: w.APIv3, NotifyURL: notify, Scene: wxpay.Subsidy, PayeeKeyID: payeeKeyName, PayeeKey: w.Payee, Now: now, Random: rand.Reader}
}
