package world

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/bank"
	"github.com/doudi-aid/doudi/shared/exchange"
	"github.com/doudi-aid/doudi/shared/redact"
	"github.com/doudi-aid/doudi/shared/sms"
	"github.com/doudi-aid/doudi/shared/wxapp"
)

// Keys are both ends of every line, which only a stand-in may hold. Make them
// with LocalKeys.
type Keys struct {
	BankOwn    ed25519.PrivateKey // the bank signs with it
	BankSecond ed25519.PrivateKey // the bank's next key; both are live
	BankClient ed25519.PrivateKey // ours
	Agreement  string
	PayeeKey   []byte

	ExchangeApp    string
	ExchangeClient []byte // signs questions
	ExchangeOwn    []byte // signs answers

	WeChatAppID  string
	WeChatSecret string
	Templates    map[string]string // our name → subscribe template id

	WeComCorp   string // the corporation whose members are staff
	WeComSecret string

	SMSSecretID  string
	SMSSecretKey string
	SMSAppID     string
	SMSSign      string
	SMSTemplates map[string]string // our name → template id
}

// Ids of the keys.
const (
	bankKeyName    = "bank-1"
	bankSecondName = "bank-2"
	clientKeyName  = "doudi-1"
	payeeKeyName   = "p1"
	exchangeKeyID  = "x1"
	smsRegion      = "ap-nanjing"
)

// LocalKeys derives all keys from seed. Whoever knows the seed holds the keys:
// for a laptop and for tests, never for anything deployed.
func LocalKeys(seed string) Keys {
	return Keys{
		BankOwn:        ed25519.NewKeyFromSeed(derive(seed, "bank")),
		BankSecond:     ed25519.NewKeyFromSeed(derive(seed, "bank second")),
		BankClient:     ed25519.NewKeyFromSeed(derive(seed, "bank client")),
		Agreement:      "LOCAL-0001",
		PayeeKey:       derive(seed, "payee"),
		ExchangeApp:    "doudi-local",
		ExchangeClient: derive(seed, "exchange client"),
		ExchangeOwn:    derive(seed, "exchange own"),
		WeChatAppID:    "wxlocal0000000001",
		WeChatSecret:   "wechat" + hexOf(derive(seed, "wechat"))[:26],
		Templates:      map[string]string{},
		WeComCorp:      "wwlocal0000000001",
		WeComSecret:    "wecom" + hexOf(derive(seed, "wecom"))[:27],
		SMSSecretID:    "AKIDlocal",
		SMSSecretKey:   "sms" + hexOf(derive(seed, "sms"))[:29],
		SMSAppID:       "1400000001",
		SMSSign:        "兜底救助",
		SMSTemplates:   map[string]string{},
	}
}

func derive(seed, what string) []byte {
	h := hmac.New(sha256.New, []byte("doudi local world"))
	_, _ = io.WriteString(h, what+"\n"+seed)
	return h.Sum(nil)
}

// BankConfig configures our side of the bank line; base is where Handler is served.
func (k Keys) BankConfig(base string, hc *http.Client, now func() time.Time, random io.Reader) bank.Config {
	return bank.Config{
		BaseURL: strings.TrimSuffix(base, "/") + "/bank", HTTP: hc, Agreement: k.Agreement,
		Signer:     bank.NewEd25519Signer(clientKeyName, k.BankClient),
		BankKeys:   map[string]bank.Verifier{bank.Ed25519 + ":" + bankKeyName: verifier(k.BankOwn), bank.Ed25519 + ":" + bankSecondName: verifier(k.BankSecond)},
		PayeeKeyID: payeeKeyName, PayeeKey: k.PayeeKey, Now: now, Random: random,
	}
}

func verifier(k ed25519.PrivateKey) bank.Verifier {
	pub, _ := k.Public().(ed25519.PublicKey)
	return bank.NewEd25519Verifier(pub)
}

// ExchangeConfig configures our side of the exchange line.
func (k Keys) ExchangeConfig(base string, hc *http.Client, now func() time.Time, random io.Reader) exchange.Config {
	return exchange.Config{
		BaseURL: strings.TrimSuffix(base, "/") + "/exchange", HTTP: hc, App: k.ExchangeApp, KeyID: exchangeKeyID, Key: k.ExchangeClient,
		AnswerKeys: map[string][]byte{exchangeKeyID: k.ExchangeOwn}, Now: now, Random: random,
		Sleep: func(ctx context.Context, d time.Duration) error {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-t.C:
				return nil
			}
		},
	}
}

// WeChatConfig configures our side of the WeChat line.
func (k Keys) WeChatConfig(base string, hc *http.Client, now func() time.Time) wxapp.Config {
	return wxapp.Config{BaseURL: strings.TrimSuffix(base, "/") + "/wechat", HTTP: hc, AppID: k.WeChatAppID, Secret: redact.New(k.WeChatSecret), Now: now}
}

// SMSConfig configures our side of the SMS line.
func (k Keys) SMSConfig(base string, hc *http.Client, now func() time.Time) sms.Config {
	return sms.Config{BaseURL: strings.TrimSuffix(base, "/") + "/sms", HTTP: hc, SecretID: k.SMSSecretID, SecretKey: redact.New(k.SMSSecretKey),
		Region: smsRegion, AppID: k.SMSAppID, Sign: k.SMSSign, Templates: k.SMSTemplates, Now: now}
}
