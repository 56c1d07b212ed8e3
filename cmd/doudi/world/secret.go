package world

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
)

// Template is an approved subscription template as our side keeps it.
type Template struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

// Secrets are our side of every line, each as an operator puts it into Secrets
// Manager: "Bank", "Exchange", "Wechat", "Sms", "Staff".
func (k Keys) Secrets(page string, templates map[string]Template) (map[string]string, error) {
	public := func(own ed25519.PrivateKey) []byte {
		key, _ := own.Public().(ed25519.PublicKey)
		return key
	}
	out := map[string]string{}
	for name, form := range map[string]map[string]any{
		"Bank": {"agreement": k.Agreement, "key": clientKeyName, "seed": k.BankClient.Seed(), "payee_key_id": payeeKeyName, "payee_key": k.PayeeKey,
			"bank_keys": map[string][]byte{bankKeyName: public(k.BankOwn), bankSecondName: public(k.BankSecond)}},
		"Exchange": {"app": k.ExchangeApp, "key_id": exchangeKeyID, "key": k.ExchangeClient, "answer_keys": map[string][]byte{exchangeKeyID: k.ExchangeOwn}},
		"Wechat":   {"secret": k.WeChatSecret, "page": page, "templates": templates},
		"Sms":      {"id": k.SMSSecretID, "key": k.SMSSecretKey, "region": smsRegion, "app": k.SMSAppID, "sign": k.SMSSign, "templates": k.SMSTemplates},
		"Staff":    {"corp": k.WeComCorp, "secret": k.WeComSecret},
	} {
		text, err := json.Marshal(form)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		out[name] = string(text)
	}
	return out, nil
}
