package world

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// Template is an approved subscription template as our side keeps it.
type Template struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

// Secrets are our side of every line, each as an operator puts it into Secrets
// Manager: "Bank", "Exchange", "Wechat", "Sms", "Staff", and with wallets "Wxpay".
func (k Keys) Secrets(page string, templates map[string]Template, wallets bool) (map[string]string, error) {
	public := func(own ed25519.PrivateKey) []byte {
		key, _ := own.Public().(ed25519.PublicKey)
		return key
	}
	forms := map[string]map[string]any{
		"Bank": {"agreement": k.Agreement, "key": clientKeyName, "seed": k.BankClient.Seed(), "payee_key_id": payeeKeyName, "payee_key": k.PayeeKey,
			"bank_keys": map[string][]byte{bankKeyName: public(k.BankOwn), bankSecondName: public(k.BankSecond)}},
		"Exchange": {"app": k.ExchangeApp, "key_id": exchangeKeyID, "key": k.ExchangeClient, "answer_keys": map[string][]byte{exchangeKeyID: k.ExchangeOwn}},
		"Wechat":   {"secret": k.WeChatSecret, "page": page, "templates": templates},
		"Sms":      {"id": k.SMSSecretID, "key": k.SMSSecretKey, "region": smsRegion, "app": k.SMSAppID, "sign": k.SMSSign, "templates": k.SMSTemplates},
		"Staff":    {"corp": k.WeComCorp, "secret": k.WeComSecret},
	}
	if wallets {
		form, err := k.WxPay().secret()
		if err != nil {
			return nil, fmt.Errorf("secret Wxpay: %w", err)
		}
		forms["Wxpay"] = form
	}
	out := map[string]string{}
	for name, form := range forms {
		text, err := json.Marshal(form)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		out[name] = string(text)
	}
	return out, nil
}

// secret is our side of the line to WeChat Pay: keys in PEM, as its console gives
// them.
func (w WxPayKeys) secret() (map[string]any, error) {
	own, err := x509.MarshalPKCS8PrivateKey(w.Client)
	if err != nil {
		return nil, err
	}
	platform := map[string]string{}
	for id, key := range map[string]*rsa.PrivateKey{wxpayOwnID: w.Own, wxpayNextID: w.Next} {
		public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			return nil, err
		}
		platform[id] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	}
	return map[string]any{"mch_id": w.MchID, "serial": w.Serial, "key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: own})),
		"platform": platform, "seal": wxpayOwnID, "apiv3_key": string(w.APIv3), "max_fen": 0, "payee_key_id": payeeKeyName, "payee_key": w.Payee}, nil
}
